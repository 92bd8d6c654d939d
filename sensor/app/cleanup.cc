// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "fmt/format.h"
#include "sensor/api/socket.h"
#include "sensor/app/commands.h"
#include "sensor/cli/commands.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// Where a version of Kentry that pins its maps and links puts them.
constexpr char kPinDirectory[] = "/sys/fs/bpf/kentry";

}  // namespace

int CleanupCommand(const CleanupOptions& options) {
  // Claiming the socket shows that no daemon runs, and removes what a dead one left.
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Claim(options.socket_path);
  if (!socket.ok()) return ReportError(socket.status());
  std::error_code error;
  const auto removed = std::filesystem::remove_all(kPinDirectory, error);
  if (error) {
    return ReportError(ErrnoError(error.value(), fmt::format("remove {}", kPinDirectory)));
  }
  return PrintAnswer(fmt::format("{} pinned objects removed; socket and lock are free\n", removed));
}

}  // namespace kentry
