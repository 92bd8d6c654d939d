// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// What is wrong with a file can be put right while the sensor runs, so no error of it is final.
absl::Status WorthAnotherTry(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kFailedPrecondition) return status;
  return absl::UnavailableError(status.message());
}

}  // namespace

absl::StatusOr<Fd> FileSink::OpenFile(const std::string& path) {
  // O_NONBLOCK, so that a FIFO without a reader is refused below instead of hanging the open.
  Fd fd(open(path.c_str(),
             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
             S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    if (errno == ELOOP) {
      return absl::InvalidArgumentError(
          fmt::format("output file {} is a symbolic link: name its target", path));
    }
    return ErrnoError(errno, fmt::format("output file {} cannot be opened", path));
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode))) {
    return absl::InvalidArgumentError(fmt::format("output file {} is not a regular file", path));
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<FileSink>> FileSink::Open(std::string path) {
  ASSIGN_OR_RETURN(Fd fd, OpenFile(path));
  return std::unique_ptr<FileSink>(new FileSink(std::move(path), std::move(fd)));
}

absl::Status FileSink::Write(std::string_view* rest) {
  if (!in_batch_ && reopen_.exchange(false)) {
    absl::StatusOr<Fd> fresh = OpenFile(path_);
    if (!fresh.ok()) {
      reopen_ = true;
      return WorthAnotherTry(fresh.status());
    }
    fd_ = std::move(*fresh);
  }
  while (!rest->empty()) {
    if (cancelled_) return absl::CancelledError(fmt::format("writing to {} was ended", path_));
    const ssize_t written = write(fd_.get(), rest->data(), rest->size());
    if (written > 0) {
      in_batch_ = true;
      rest->remove_prefix(static_cast<size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      return WorthAnotherTry(
          ErrnoError(written == 0 ? ENOSPC : errno, fmt::format("writing to {}", path_)));
    }
  }
  in_batch_ = false;
  return absl::OkStatus();
}

absl::Status FileSink::Flush(absl::Duration /*timeout*/) {
  // A character device cannot be synchronised, nor need it be.
  if (fdatasync(fd_.get()) == 0 || errno == EINVAL || errno == EROFS) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("flushing {}", path_));
}

void FileSink::Cancel() { cancelled_ = true; }

}  // namespace kentry
