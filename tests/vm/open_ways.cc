// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/open_ways.h"

#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "sensor/util/fd.h"
#include "tests/vm/child.h"

namespace kentry::vm {

Secret::Secret() : folder_(NewFolder()) {
  mkdir((folder_ + "/vault").c_str(), 0755);
  const Fd fd(open(path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(write(fd.get(), "secret\n", 7), 7);
  struct stat file {};
  fstat(fd.get(), &file);
  ino_ = file.st_ino;
  dev_ = static_cast<uint64_t>(major(file.st_dev)) << 20 | minor(file.st_dev);
}

int OpenAndClose(const std::string& path, int flags) {
  const Fd fd(open(path.c_str(), flags | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

namespace {

int OpenByHandle(const std::string& path) {
  alignas(file_handle) char buffer[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  Must(name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0), "name_to_handle_at");
  const Fd root(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd fd(open_by_handle_at(root.get(), handle, O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

// The 32-bit call: int 0x80, with the path below 4 GiB.
int OpenBy32BitCall(const std::string& path) {
#if defined(__x86_64__)
  void* low =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  std::memcpy(low, path.c_str(), path.size() + 1);
  long result = 0;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(5), "b"(low), "c"(O_RDONLY), "d"(0)
               : "r8", "r9", "r10", "r11", "memory");
  return static_cast<int>(result) < 0 ? -static_cast<int>(result) : 0;
#else
  return OpenAndClose(path);
#endif
}

// How a ring gets at its work.
struct RingKind {
  uint32_t setup = 0;      // IORING_SETUP_*
  uint8_t submission = 0;  // IOSQE_*
};

int OpenByRing(const std::string& path, const RingKind& kind) {
  io_uring_params params{};
  params.flags = kind.setup;
  params.sq_thread_idle = 1000;  // ms
  const Fd ring(static_cast<int>(syscall(SYS_io_uring_setup, 4, &params)));
  if (!ring.valid()) return errno;
  // One mapping for both queues: IORING_FEAT_SINGLE_MMAP, 5.4.
  const size_t bytes =
      std::max<size_t>(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                       params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  auto* queue = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_POPULATE, ring.get(), IORING_OFF_SQ_RING));
  auto* entries = static_cast<io_uring_sqe*>(mmap(nullptr, params.sq_entries * sizeof(io_uring_sqe),
                                                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                                                  ring.get(), IORING_OFF_SQES));
  if (queue == MAP_FAILED || entries == MAP_FAILED) return errno;
  std::memset(entries, 0, sizeof(*entries));
  entries[0].opcode = IORING_OP_OPENAT;
  entries[0].flags = kind.submission;
  entries[0].fd = AT_FDCWD;
  entries[0].addr = reinterpret_cast<uint64_t>(path.c_str());
  entries[0].open_flags = O_RDONLY | O_CLOEXEC;
  *reinterpret_cast<uint32_t*>(queue + params.sq_off.array) = 0;
  __atomic_store_n(reinterpret_cast<uint32_t*>(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  // With IORING_SETUP_SQPOLL the kernel's thread takes the entry by itself, unless it went to
  // sleep.
  const uint32_t wake = (kind.setup & IORING_SETUP_SQPOLL) != 0 ? IORING_ENTER_SQ_WAKEUP : 0;
  if (syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS | wake, nullptr, 0) !=
      1) {
    return errno;
  }
  const int result = reinterpret_cast<io_uring_cqe*>(queue + params.cq_off.cqes)[0].res;
  return result < 0 ? -result : 0;
}

void PrivateMounts() {
  Must(unshare(CLONE_NEWNS), "unshare");
  Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
}

int BindOfDirectory(const Secret& secret) {
  PrivateMounts();
  const std::string at = secret.folder() + "/other";
  Must(mkdir(at.c_str(), 0755), "mkdir");
  Must(mount(secret.vault().c_str(), at.c_str(), nullptr, MS_BIND, nullptr), "bind");
  return OpenAndClose(at + "/secret");
}

int BindOfFile(const Secret& secret) {
  PrivateMounts();
  const std::string at = secret.folder() + "/other-file";
  Must(close(creat(at.c_str(), 0644)), "creat");
  Must(mount(secret.path().c_str(), at.c_str(), nullptr, MS_BIND, nullptr), "bind");
  return OpenAndClose(at);
}

int Chroot(const Secret& secret) {
  Must(chroot(secret.vault().c_str()), "chroot");
  return OpenAndClose("/secret");
}

int HardLink(const Secret& secret) {
  const std::string other = secret.folder() + "/harmless";
  Must(link(secret.path().c_str(), other.c_str()), "link");
  const int result = OpenAndClose(other);
  Must(unlink(other.c_str()), "unlink");
  return result;
}

const Way kWays[] = {
    {"plain", [](const Secret& s) { return OpenAndClose(s.path()); }},
    {"for writing", [](const Secret& s) { return OpenAndClose(s.path(), O_WRONLY); }},
    {"directory descriptor",
     [](const Secret& s) {
       const Fd dir(open(s.vault().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
       const Fd fd(openat(dir.get(), "secret", O_RDONLY | O_CLOEXEC));
       return fd.valid() ? 0 : errno;
     }},
    {"relative",
     [](const Secret& s) {
       Must(chdir(s.vault().c_str()), "chdir");
       return OpenAndClose("secret");
     }},
    {"dots", [](const Secret& s) { return OpenAndClose(s.vault() + "/../vault/./secret"); }},
    {"symbolic link",
     [](const Secret& s) {
       const std::string at = s.folder() + "/link";
       Must(symlink(s.path().c_str(), at.c_str()), "symlink");
       return OpenAndClose(at);
     }},
    {"linked directory",
     [](const Secret& s) {
       const std::string at = s.folder() + "/dirlink";
       Must(symlink("vault", at.c_str()), "symlink");
       return OpenAndClose(at + "/secret");
     }},
    {"hard link", HardLink},
    {"bind mount of the directory", BindOfDirectory},
    {"bind mount of the file", BindOfFile},
    {"/proc/self/root", [](const Secret& s) { return OpenAndClose("/proc/self/root" + s.path()); }},
    {"/proc/self/cwd",
     [](const Secret& s) {
       Must(chdir(s.vault().c_str()), "chdir");
       return OpenAndClose("/proc/self/cwd/secret");
     }},
    {"O_PATH reopened",
     [](const Secret& s) {
       const Fd fd(open(s.path().c_str(), O_PATH | O_CLOEXEC));
       return OpenAndClose(fmt::format("/proc/self/fd/{}", fd.get()));
     }},
    {"file handle", [](const Secret& s) { return OpenByHandle(s.path()); }},
    {"chroot", Chroot},
    {"32-bit call", [](const Secret& s) { return OpenBy32BitCall(s.path()); }},
    {"openat2",
     [](const Secret& s) {
       open_how how{};
       how.flags = O_RDONLY | O_CLOEXEC;
       how.resolve = RESOLVE_NO_SYMLINKS;
       const Fd fd(
           static_cast<int>(syscall(SYS_openat2, AT_FDCWD, s.path().c_str(), &how, sizeof(how))));
       return fd.valid() ? 0 : errno;
     }},
    {"io_uring", [](const Secret& s) { return OpenByRing(s.path(), {}); }},
    {"io_uring's worker",
     [](const Secret& s) { return OpenByRing(s.path(), {.submission = IOSQE_ASYNC}); }},
    {"io_uring's polling thread",
     [](const Secret& s) { return OpenByRing(s.path(), {.setup = IORING_SETUP_SQPOLL}); }},
    {"io_uring's polling thread and worker",
     [](const Secret& s) {
       return OpenByRing(s.path(), {.setup = IORING_SETUP_SQPOLL, .submission = IOSQE_ASYNC});
     }},
};

}  // namespace

std::span<const Way> WaysToOpen() { return kWays; }

}  // namespace kentry::vm
