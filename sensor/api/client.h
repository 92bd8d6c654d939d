// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_API_CLIENT_H_
#define KENTRY_SENSOR_API_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sensor/api/state.h"

namespace kentry {

// Asks a running daemon. Errors of all calls: Unavailable when no daemon answers,
// PermissionDenied when this user may not ask, DeadlineExceeded when it takes longer than the
// timeout; their messages are for the user as they are. One thread at a time.
class ApiClient {
 public:
  // `timeout` is for connecting and for each call.
  static absl::StatusOr<std::unique_ptr<ApiClient>> Connect(const std::string& socket_path,
                                                            absl::Duration timeout);
  ~ApiClient();

  absl::StatusOr<SensorStatus> Status();
  // As SensorState::Processes.
  absl::StatusOr<std::vector<ProcessRow>> Processes(bool with_exited);
  // As SensorState::ReloadRules; what is wrong with the rules comes as InvalidArgument.
  absl::StatusOr<std::string> ReloadRules();
  // As SensorState::SetPaused.
  absl::Status SetPaused(bool paused);
  // As SensorState::SetTrusted.
  absl::Status SetTrusted(const std::string& path, bool trusted);

  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

 private:
  struct Impl;
  explicit ApiClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_API_CLIENT_H_
