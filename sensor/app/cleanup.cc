// SPDX-License-Identifier: Apache-2.0
#include "fmt/format.h"
#include "sensor/api/socket.h"
#include "sensor/app/commands.h"
#include "sensor/app/machine_lock.h"
#include "sensor/cli/commands.h"
#include "sensor/kernel/pinned.h"

namespace kentry {
int CleanupCommand(const CleanupOptions& options) {
  // Claiming the socket shows that no daemon runs, and removes what a dead one left.
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Claim(options.socket_path);
  if (!socket.ok()) return ReportError(socket.status());
  // A daemon on another socket holds this.
  const absl::StatusOr<Fd> lock = LockMachine();
  if (!lock.ok()) return ReportError(lock.status());
  const absl::StatusOr<uint64_t> removed = RemoveAllPins();
  if (!removed.ok()) return ReportError(removed.status());
  return PrintAnswer(
      fmt::format("{} pinned objects removed; socket and lock are free\n", *removed));
}

}  // namespace kentry
