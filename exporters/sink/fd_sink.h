// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_SINK_FD_SINK_H_
#define KENTRY_EXPORTERS_SINK_FD_SINK_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "exporters/sink/sink.h"
#include "sensor/util/fd.h"

namespace kentry {

// Writes to standard output: a terminal, a pipe, a socket or a file. Blocks while a pipe is full or
// a terminal is stopped, until Cancel. SIGPIPE must be blocked or ignored in the writing thread.
class FdSink final : public Sink {
 public:
  // `fd` must be open for writing and outlive the sink, which does not close it.
  static absl::StatusOr<std::unique_ptr<FdSink>> Create(int fd);
  FdSink(const FdSink&) = delete;
  FdSink& operator=(const FdSink&) = delete;

  absl::Status Write(std::string_view* rest) override;
  absl::Status Flush(absl::Duration timeout) override;
  void Cancel() override;

 private:
  FdSink(int fd, Fd own, Fd cancel) : fd_(fd), own_(std::move(own)), cancel_(std::move(cancel)) {}
  // One write of what fits without blocking for long; -1 with errno as write(2).
  long WriteSome(std::string_view bytes) const;
  // Whether a write that failed with this errno can never succeed again.
  bool IsGone(int error) const;

  const int fd_;
  const Fd own_;     // non-blocking second opening of fd_'s file, where there can be one
  const Fd cancel_;  // eventfd, readable once Cancel was called
  bool is_socket_ = false;
  bool is_file_ = false;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_SINK_FD_SINK_H_
