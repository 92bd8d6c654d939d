// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/container_root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "fmt/format.h"
#include "sensor/util/clock.h"

namespace kentry {
namespace {

constexpr int64_t kXfsMagic = 0x58465342;  // linux/magic.h has it from 6.10 on
// /proc counts in hundredths of a second.
constexpr uint64_t kTickNs = kSecond / 100;

uint64_t NumberAt(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Start time of the process, in ticks; 0 when it has ended.
uint64_t StartTicks(int process) {
  const Fd file(openat(process, "stat", O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return 0;
  std::array<char, 1024> buffer;
  const ssize_t size = read(file.get(), buffer.data(), buffer.size());
  if (size <= 0) return 0;
  std::string_view text(buffer.data(), static_cast<size_t>(size));
  // The name may hold anything, but nothing behind it holds a parenthesis.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  text.remove_prefix(name_end);
  constexpr int kFieldsBefore = 20;  // from the name's end to the start time
  for (int field = 0; field < kFieldsBefore; ++field) {
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return 0;
    text.remove_prefix(blank + 1);
  }
  return NumberAt(text);
}

// The number in "mnt:[4026531841]"; 0 = none.
uint32_t NamespaceAt(int folder, const std::string& path) {
  std::array<char, 64> buffer;
  const ssize_t size = readlinkat(folder, path.c_str(), buffer.data(), buffer.size());
  if (size <= 0) return 0;
  const std::string_view text(buffer.data(), static_cast<size_t>(size));
  const size_t open = text.find('[');
  if (open == std::string_view::npos) return 0;
  return static_cast<uint32_t>(NumberAt(text.substr(open + 1)));
}

}  // namespace

uint32_t OwnNamespace(const char* name) {
  return NamespaceAt(AT_FDCWD, fmt::format("/proc/self/ns/{}", name));
}

bool IsLocalFileSystem(int64_t magic) {
  constexpr std::array<int64_t, 5> kLocal = {OVERLAYFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, kXfsMagic,
                                             BTRFS_SUPER_MAGIC, TMPFS_MAGIC};
  return std::find(kLocal.begin(), kLocal.end(), magic) != kLocal.end();
}

absl::StatusOr<Fd> OpenContainerRoot(const RootOwner& owner) {
  // The folder stays that process's: once it has ended, nothing in it can be opened.
  const Fd process(
      open(fmt::format("/proc/{}", owner.pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!process.valid() || StartTicks(process.get()) != owner.start_ns / kTickNs) {
    return absl::NotFoundError("the process has ended");
  }
  if (owner.user_ns != OwnNamespace("user")) {
    return absl::FailedPreconditionError("another user namespace");
  }
  Fd root(openat(process.get(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid() || NamespaceAt(process.get(), "ns/mnt") != owner.mnt_ns ||
      NamespaceAt(process.get(), "ns/user") != owner.user_ns) {
    return absl::NotFoundError("the process is elsewhere by now");
  }
  struct statfs about {};
  if (fstatfs(root.get(), &about) != 0 || !IsLocalFileSystem(about.f_type)) {
    return absl::FailedPreconditionError("the root's file system may not answer");
  }
  return root;
}

Fd OpenBelow(const Fd& root, const std::string& path, bool directory) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  if (directory) how.flags |= O_DIRECTORY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return Fd(static_cast<int>(
      syscall(SYS_openat2, root.get(), path.empty() ? "/" : path.c_str(), &how, sizeof(how))));
}

}  // namespace kentry
