// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_SINK_SINK_H_
#define KENTRY_EXPORTERS_SINK_SINK_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kentry {

// Takes batches of encoded events. One thread, but for Cancel.
class Sink {
 public:
  virtual ~Sink() = default;

  // Writes from the front of *rest and takes off it what was written; OK means that nothing is
  // left. May block. After an error the caller comes back with what is left, so that no line is
  // doubled or torn:
  //   kFailedPrecondition  the other end is gone for good (closed pipe, hung-up terminal)
  //   kCancelled           Cancel was called
  //   anything else        worth another try later (disk full)
  virtual absl::Status Write(std::string_view* rest) = 0;
  // Returns when what was written is as safe as the sink can make it, or after `timeout`.
  virtual absl::Status Flush(absl::Duration timeout) = 0;
  // Ends a Write that runs and all later ones. Any thread.
  virtual void Cancel() {}
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_SINK_SINK_H_
