// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace kentry {
namespace {

constexpr char kFile[] = "file";
constexpr char kOther[] = "other";

Fd PrivateTmpfs() {
  const Fd context(static_cast<int>(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context.valid() ||
      syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return Fd();
  }
  return Fd(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

bool MapsCode() {
  const auto page = static_cast<size_t>(getpagesize());
  void* at = mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at != MAP_FAILED && munmap(at, page) == 0;
}

// The kernel lets a process look into itself, and signal itself, and asks nobody.
bool IsOther(pid_t pid) { return getpid() != pid; }

// Any one that there is.
bool TouchesAMap() {
  bpf_attr attr{};
  if (syscall(SYS_bpf, BPF_MAP_GET_NEXT_ID, &attr, sizeof(attr)) != 0) return false;
  const uint32_t id = attr.next_id;
  attr = {};
  attr.map_id = id;
  attr.open_flags = BPF_F_RDONLY;
  return Fd(static_cast<int>(syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr)))).valid();
}

// The modules are asked before anybody looks for the type of file system.
bool TriesToMount() {
  return mount("none", "/", "kentry-has-no-such-type", 0, nullptr) != 0 && errno == ENODEV;
}

// And before the kernel says that these two flags don't go together (umount(2): EINVAL).
bool TriesToUnmount() {
  struct statx place {};
  if (statx(AT_FDCWD, "/proc", AT_NO_AUTOMOUNT, STATX_TYPE, &place) != 0 ||
      (place.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) {
    return false;
  }
  return umount2("/proc", MNT_EXPIRE | MNT_DETACH) != 0 && errno == EINVAL;
}

bool OpensAndCloses(const char* path) { return Fd(open(path, O_RDONLY | O_CLOEXEC)).valid(); }

}  // namespace

Canary::Canary() : folder_(PrivateTmpfs()) {}

bool Canary::Sing(ke_type type) {
  switch (type) {
    case KE_FILE_OPEN:
      return OpensAndCloses("/dev/null");
    case KE_FILE_MMAP_EXEC:
      return MapsCode();
    case KE_PTRACE:
      return IsOther(1) && OpensAndCloses("/proc/1/maps");
    case KE_SIGNAL:
      return IsOther(1) && kill(1, 0) == 0;
    case KE_BPF:
      return TouchesAMap();
    case KE_FILE_MOUNT:
      return TriesToMount();
    case KE_FILE_UMOUNT:
      return TriesToUnmount();
    default:
      return folder_.valid() && SingOfFile(type);
  }
}

bool Canary::SingOfFile(ke_type type) const {
  const int dir = folder_.get();
  const Fd file(openat(dir, kFile, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return false;
  (void)unlinkat(dir, kOther, 0);  // of a try that was cut short
  int result = -1;
  switch (type) {
    case KE_FILE_UNLINK:
      return unlinkat(dir, kFile, 0) == 0;
    case KE_FILE_RMDIR:
    case KE_FILE_MKDIR:
      return mkdirat(dir, kOther, 0700) == 0 && unlinkat(dir, kOther, AT_REMOVEDIR) == 0;
    case KE_FILE_RENAME:
      // Two names of one file: the hook is asked, and then nothing is left to do. A rename that is
      // one would disturb all walks of paths on the machine at that moment.
      if (linkat(dir, kFile, dir, kOther, 0) != 0) return false;
      result = renameat(dir, kFile, dir, kOther);
      break;
    case KE_FILE_LINK:
      result = linkat(dir, kFile, dir, kOther, 0);
      break;
    case KE_FILE_SYMLINK:
      result = symlinkat(kFile, dir, kOther);
      break;
    case KE_FILE_MKNOD:
      result = mknodat(dir, kOther, S_IFIFO | 0600, 0);
      break;
    case KE_FILE_CHMOD:
      return fchmod(file.get(), 0600) == 0;
    case KE_FILE_CHOWN:
      return fchown(file.get(), geteuid(), getegid()) == 0;
    case KE_FILE_TRUNCATED:
      return ftruncate(file.get(), 0) == 0;
    case KE_FILE_SETXATTR:
      return fsetxattr(file.get(), "trusted.kentry", "", 0, 0) == 0;
    default:
      return false;
  }
  return result == 0 && unlinkat(dir, kOther, 0) == 0;
}

}  // namespace kentry
