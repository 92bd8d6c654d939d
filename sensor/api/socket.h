// SPDX-License-Identifier: Apache-2.0
// The unix socket between the daemon and its clients, without what is spoken on it.
#ifndef KENTRY_SENSOR_API_SOCKET_H_
#define KENTRY_SENSOR_API_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kentry {

// A daemon's claim on a socket path: an exclusive lock on "<path>.lock" and a listening socket of
// mode 0600. Having it means that no other daemon uses this path. One thread at a time.
class ApiSocket {
 public:
  // Creates the path's directory (0755) when missing and listens there; clients that connect wait
  // until ApiServer serves them. A socket left behind by a dead daemon is replaced.
  // AlreadyExists: another daemon runs (its pid is in the message). FailedPrecondition: the path
  // is something else than a socket. InvalidArgument: the path is too long for a socket. Else the
  // status of the call that failed.
  static absl::StatusOr<ApiSocket> Claim(const std::string& path);

  ApiSocket(ApiSocket&& other) noexcept;
  ApiSocket& operator=(ApiSocket&& other) noexcept;
  // Removes the socket and gives the lock back. The lock file stays: removing it would let two
  // daemons lock two files of the same name.
  ~ApiSocket();

  // Non-blocking; valid as long as this object.
  int fd() const { return listen_fd_; }
  const std::string& path() const { return path_; }

 private:
  explicit ApiSocket(std::string path) : path_(std::move(path)) {}
  absl::Status Lock();
  absl::Status Listen();
  void Release();

  std::string path_;
  int lock_fd_ = -1;
  int listen_fd_ = -1;
  bool bound_ = false;
};

// Connects to a daemon's socket; the caller owns the returned non-blocking descriptor.
// Unavailable: no daemon answers. PermissionDenied: not for this user. DeadlineExceeded: the
// daemon's queue stayed full for `timeout`. InvalidArgument: the path is too long.
absl::StatusOr<int> ConnectToDaemon(const std::string& path, absl::Duration timeout);

}  // namespace kentry

#endif  // KENTRY_SENSOR_API_SOCKET_H_
