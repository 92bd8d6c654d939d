// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr int kBacklog = 16;

absl::StatusOr<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address = {};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        fmt::format("socket path \"{}\" has {} bytes; 1 to {} are possible", path, path.size(),
                    sizeof(address.sun_path) - 1));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* AsSockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

absl::Status CreateDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return absl::OkStatus();
  const std::string directory = path.substr(0, slash);
  if (mkdir(directory.c_str(), 0755) == 0) {
    // A tight umask would keep the socket's directory from being seen at all.
    if (chmod(directory.c_str(), 0755) == 0) return absl::OkStatus();
  } else if (errno == EEXIST) {
    return absl::OkStatus();
  }
  return ErrnoError(errno, fmt::format("can't create the socket's directory {}", directory));
}

// What the daemon that holds the lock wrote about itself.
std::string OwnerOf(int lock_fd) {
  char text[32] = {};
  const ssize_t got = pread(lock_fd, text, sizeof(text) - 1, 0);
  std::string digits(text, got > 0 ? static_cast<size_t>(got) : 0);
  digits.resize(std::min(digits.find_first_not_of("0123456789"), digits.size()));
  return digits.empty() ? "unknown" : digits;
}

absl::Status NoDaemon(const std::string& path) {
  return absl::UnavailableError(
      fmt::format("no kentry daemon answers on {}; start one with \"kentry run\"", path));
}

}  // namespace

absl::StatusOr<ApiSocket> ApiSocket::Claim(const std::string& path) {
  ApiSocket claim(path);
  RETURN_IF_ERROR(Address(path).status());
  RETURN_IF_ERROR(CreateDirectoryOf(path));
  RETURN_IF_ERROR(claim.Lock());
  RETURN_IF_ERROR(claim.Listen());
  return claim;
}

absl::Status ApiSocket::Lock() {
  const std::string name = path_ + ".lock";
  lock_fd_ = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_fd_ < 0) return ErrnoError(errno, fmt::format("can't open the lock file {}", name));
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError(errno, fmt::format("can't lock {}", name));
    return absl::AlreadyExistsError(fmt::format(
        "another kentry daemon (pid {}) runs on {}; stop it first, or see it with \"kentry "
        "status\"",
        OwnerOf(lock_fd_), path_));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(lock_fd_, 0) != 0 ||
      pwrite(lock_fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoError(errno, fmt::format("can't write {}", name));
  }
  return absl::OkStatus();
}

absl::Status ApiSocket::Listen() {
  ASSIGN_OR_RETURN(const sockaddr_un address, Address(path_));
  struct stat there = {};
  if (lstat(path_.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return absl::FailedPreconditionError(fmt::format(
          "{} is there and is not a socket; remove it or choose another path with --socket",
          path_));
    }
    // The lock says that no daemon of ours listens; another program might.
    const auto other = ConnectToDaemon(path_, absl::Seconds(1));
    if (other.ok()) close(*other);
    if (!absl::IsUnavailable(other.status())) {
      return absl::AlreadyExistsError(
          fmt::format("another program listens on {}; choose another path with --socket", path_));
    }
    if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
      return ErrnoError(errno, fmt::format("can't remove the old socket {}", path_));
    }
  }
  listen_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listen_fd_ < 0) return ErrnoError(errno, "can't create a unix socket");
  // bind() gives the new file the mode of the descriptor (less the umask), so that there is no
  // moment in which others may connect, and the umask of the other threads is left alone.
  if (fchmod(listen_fd_, 0600) != 0) return ErrnoError(errno, "can't set the socket's mode");
  if (bind(listen_fd_, AsSockaddr(address), sizeof(address)) != 0) {
    return ErrnoError(errno, fmt::format("can't bind {}", path_));
  }
  bound_ = true;
  if (listen(listen_fd_, kBacklog) != 0) {
    return ErrnoError(errno, fmt::format("can't listen on {}", path_));
  }
  return absl::OkStatus();
}

ApiSocket::ApiSocket(ApiSocket&& other) noexcept
    : path_(std::move(other.path_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      listen_fd_(std::exchange(other.listen_fd_, -1)),
      bound_(std::exchange(other.bound_, false)) {}

ApiSocket& ApiSocket::operator=(ApiSocket&& other) noexcept {
  if (this == &other) return *this;
  Release();
  path_ = std::move(other.path_);
  lock_fd_ = std::exchange(other.lock_fd_, -1);
  listen_fd_ = std::exchange(other.listen_fd_, -1);
  bound_ = std::exchange(other.bound_, false);
  return *this;
}

ApiSocket::~ApiSocket() { Release(); }

void ApiSocket::Release() {
  // In this order: while the lock is held nobody else can have put a socket there.
  if (bound_) unlink(path_.c_str());
  if (listen_fd_ >= 0) close(listen_fd_);
  if (lock_fd_ >= 0) close(lock_fd_);
  bound_ = false;
  listen_fd_ = lock_fd_ = -1;
}

absl::StatusOr<int> ConnectToDaemon(const std::string& path, absl::Duration timeout) {
  ASSIGN_OR_RETURN(const sockaddr_un address, Address(path));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoError(errno, "can't create a unix socket");
  absl::Cleanup close_fd = [fd] { close(fd); };
  // A unix socket's connect waits for room in the listener's queue as long as a send would.
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd, AsSockaddr(address), sizeof(address)) != 0) {
    switch (errno) {
      case ENOENT:
      case ENOTDIR:
      case ECONNREFUSED:
        return NoDaemon(path);
      case EACCES:
      case EPERM:
        return absl::PermissionDeniedError(
            fmt::format("this user may not talk to the kentry daemon on {}; try as root", path));
      case EAGAIN:
        return absl::DeadlineExceededError(
            fmt::format("the kentry daemon on {} did not answer in {}", path,
                        std::string(absl::FormatDuration(timeout))));
      default:
        return ErrnoError(errno, fmt::format("can't connect to {}", path));
    }
  }
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return ErrnoError(errno, "can't set up the connection");
  std::move(close_fd).Cancel();
  return fd;
}

}  // namespace kentry
