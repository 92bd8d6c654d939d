// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_SINK_FILE_SINK_H_
#define KENTRY_EXPORTERS_SINK_FILE_SINK_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "exporters/sink/sink.h"
#include "sensor/util/fd.h"

namespace kentry {

// Appends to a file, which is created with mode 0600. Writing to a regular file cannot be
// interrupted: Cancel takes effect between two writes.
class FileSink final : public Sink {
 public:
  // Opens the file. Error: it cannot be opened, its last path component is a symbolic link (a
  // daemon with all rights must not be led to a file of another's choice), or it is neither a
  // regular file nor a character device.
  static absl::StatusOr<std::unique_ptr<FileSink>> Open(std::string path);
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  absl::Status Write(std::string_view* rest) override;
  // Has the kernel write the file's data to the device; `timeout` is not observed.
  absl::Status Flush(absl::Duration timeout) override;
  void Cancel() override;

  // The next Write that starts a batch opens the path anew, for log rotation. When that fails, the
  // Write returns why, and the next one tries again. Any thread, also a signal handler.
  void Reopen() { reopen_ = true; }

 private:
  FileSink(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static absl::StatusOr<Fd> OpenFile(const std::string& path);

  const std::string path_;
  Fd fd_;
  bool in_batch_ = false;  // part of a batch was written: the rest belongs to the same file
  std::atomic<bool> reopen_ = false;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_SINK_FILE_SINK_H_
