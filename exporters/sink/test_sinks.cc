// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/test_sinks.h"

namespace kentry {

absl::Status CaptureSink::Write(std::string_view* rest) {
  MutexLock lock(&mu_);
  contents_.append(*rest);
  *rest = {};
  return absl::OkStatus();
}

absl::Status CaptureSink::Flush(absl::Duration /*timeout*/) { return absl::OkStatus(); }

std::string CaptureSink::contents() const {
  MutexLock lock(&mu_);
  return contents_;
}

absl::Status DiscardSink::Write(std::string_view* rest) {
  bytes_ += rest->size();
  *rest = {};
  return absl::OkStatus();
}

absl::Status DiscardSink::Flush(absl::Duration /*timeout*/) { return absl::OkStatus(); }

}  // namespace kentry
