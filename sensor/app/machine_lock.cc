// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/machine_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr char kMachineLock[] = "/run/kentry.lock";

}  // namespace

absl::StatusOr<Fd> LockMachine() {
  Fd lock(open(kMachineLock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return ErrnoError(errno, fmt::format("open {}", kMachineLock));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(
        "another kentry daemon runs on this machine; ask it with \"kentry status\"");
  }
  return lock;
}

}  // namespace kentry
