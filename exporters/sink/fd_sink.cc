// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/fd_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// O_NONBLOCK belongs to the open file, which the shell and others share: setting it on our
// standard output would break them. Opening the same pipe or terminal again gives one of our own.
Fd OpenNonBlocking(int fd, mode_t mode) {
  if (!S_ISFIFO(mode) && !S_ISCHR(mode)) return Fd();
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  return Fd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FdSink>> FdSink::Create(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, fmt::format("output descriptor {}", fd));
  Fd cancel(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancel.valid()) return ErrnoError(errno, "eventfd");
  std::unique_ptr<FdSink> sink(
      new FdSink(fd, OpenNonBlocking(fd, info.st_mode), std::move(cancel)));
  sink->is_socket_ = S_ISSOCK(info.st_mode);
  sink->is_file_ = S_ISREG(info.st_mode);
  return sink;
}

long FdSink::WriteSome(std::string_view bytes) const {
  if (is_socket_) return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (own_.valid()) return write(own_.get(), bytes.data(), bytes.size());
  // A pipe or terminal that could not be opened again (another user's): what poll promises is room
  // for PIPE_BUF bytes.
  const size_t size = is_file_ ? bytes.size() : std::min<size_t>(bytes.size(), PIPE_BUF);
  return write(fd_, bytes.data(), size);
}

bool FdSink::IsGone(int error) const {
  // A terminal that was hung up answers EIO.
  return error == EPIPE || error == EBADF || error == ECONNRESET || error == ENXIO ||
         (error == EIO && !is_file_);
}

absl::Status FdSink::Write(std::string_view* rest) {
  while (!rest->empty()) {
    pollfd fds[] = {{.fd = own_.valid() ? own_.get() : fd_, .events = POLLOUT, .revents = 0},
                    {.fd = cancel_.get(), .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, "waiting for the output");
    }
    if (fds[1].revents != 0) return absl::CancelledError("writing to the output was ended");
    const long written = WriteSome(*rest);
    if (written > 0) {
      rest->remove_prefix(static_cast<size_t>(written));
    } else if (written < 0 && IsGone(errno)) {
      return absl::FailedPreconditionError("the reader of the output is gone");
    } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
      return ErrnoError(errno, "writing to the output");
    }
  }
  return absl::OkStatus();
}

absl::Status FdSink::Flush(absl::Duration /*timeout*/) { return absl::OkStatus(); }

void FdSink::Cancel() {
  const uint64_t one = 1;
  // Can fail only when the counter is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t written = write(cancel_.get(), &one, sizeof(one));
}

}  // namespace kentry
