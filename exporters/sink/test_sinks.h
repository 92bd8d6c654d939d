// SPDX-License-Identifier: Apache-2.0
// Sinks for tests and measurements.
#ifndef KENTRY_EXPORTERS_SINK_TEST_SINKS_H_
#define KENTRY_EXPORTERS_SINK_TEST_SINKS_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "exporters/sink/sink.h"
#include "sensor/util/mutex.h"

namespace kentry {

// Keeps everything in memory.
class CaptureSink final : public Sink {
 public:
  absl::Status Write(std::string_view* rest) override;
  absl::Status Flush(absl::Duration timeout) override;
  // What was written so far. Any thread.
  std::string contents() const;

 private:
  mutable Mutex mu_;
  std::string contents_ ABSL_GUARDED_BY(mu_);
};

// Counts bytes and forgets them.
class DiscardSink final : public Sink {
 public:
  absl::Status Write(std::string_view* rest) override;
  absl::Status Flush(absl::Duration timeout) override;
  // Any thread.
  uint64_t bytes() const { return bytes_; }

 private:
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_SINK_TEST_SINKS_H_
