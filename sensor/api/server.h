// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_API_SERVER_H_
#define KENTRY_SENSOR_API_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "sensor/api/socket.h"
#include "sensor/api/state.h"

namespace kentry {

// Serves kentry.v1 (kentry.proto) on a claimed socket, to root and to the daemon's own user.
class ApiServer {
 public:
  // Serves until the object goes; `state` must outlive it. Errors: descriptors ran out.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(ApiSocket socket, SensorState* state);
  // Claims `socket_path` first; errors also as of ApiSocket::Claim.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const std::string& socket_path,
                                                          SensorState* state);

  // Ends calls that are under way after at most a second, then removes the socket. Does not
  // return before the last call into the state has.
  ~ApiServer();

  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

 private:
  struct Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_API_SERVER_H_
