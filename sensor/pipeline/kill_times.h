// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_KILL_TIMES_H_
#define KENTRY_SENSOR_PIPELINE_KILL_TIMES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "sensor/process/process_table.h"

namespace kentry {

// Distribution of spans of time in a fixed number of buckets, eight to a power of two: what it says
// is at most an eighth too much. One thread.
class Spans {
 public:
  void Add(uint64_t ns);
  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }  // exact
  // The span that `percent` (1 to 100) of all do not exceed; 0 when there are none.
  uint64_t Percentile(uint64_t percent) const;

 private:
  static constexpr int kPartBits = 3;
  static constexpr size_t kBuckets = (64 - kPartBits + 1) << kPartBits;
  static size_t BucketOf(uint64_t ns);
  static uint64_t LargestOf(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
};

// How long processes lived on that rules had killed: from the hook that sent SIGKILL to the exit.
// Times are CLOCK_BOOTTIME, from the kernel's records. One thread: the pipeline's.
class KillTimes {
 public:
  // How long an exit is waited for.
  static constexpr uint64_t kPatienceNs = 10'000'000'000;
  static constexpr size_t kMaxWaiting = 4096;

  struct Kill {
    std::string rule;  // "" = it is gone, and its name with it
    uint64_t lived_ns = 0;
  };
  struct Counters {
    uint64_t unconfirmed = 0;   // no exit was read in kPatienceNs
    uint64_t not_followed = 0;  // kMaxWaiting others were waited for
  };

  // The process was sent SIGKILL; only the first one counts.
  void OnKill(const Process& process, uint64_t hook_ns, std::string_view rule);
  // The process is gone: its kill, if it was killed.
  std::optional<Kill> OnExit(const ke_exit& rec);
  // Gives up those that have been waited for too long.
  void Sweep(uint64_t now_ns);

  const Spans& spans() const { return spans_; }  // of the kills that an exit confirmed
  const Counters& counters() const { return counters_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  Spans spans_;
  Counters counters_;
  struct Waiting {
    uint64_t hook_ns = 0;
    std::string rule;
  };
  absl::flat_hash_map<ProcessKey, Waiting> waiting_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_KILL_TIMES_H_
