// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_ACCOUNTING_H_
#define KENTRY_SENSOR_PIPELINE_ACCOUNTING_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "bpf/abi/maps.h"

namespace kentry {

// Sequence numbers of one CPU and record type that never came.
struct LostRange {
  uint32_t cpu = 0;
  uint16_t type = 0;
  uint64_t first = 0;  // both inclusive
  uint64_t last = 0;

  uint64_t count() const { return last - first + 1; }
};

// How far a reader has come.
struct Noted {
  uint64_t last = 0;  // highest number that came or was given up, with all below it
  uint64_t lost = 0;  // of them: given up
};

struct ClassTotals {
  uint64_t attempted = 0;  // runs of the hook, those that the kernel skipped not among them
  uint64_t missed = 0;     // runs that the kernel skipped
  uint64_t filtered = 0;
  uint64_t delivered = 0;
  uint64_t lost = 0;  // found and reported; `missed` among them
};

// Holds the kernel's counters against what came through the rings. Once the rings are drained,
//   attempted + missed = filtered + delivered + lost
// for each type. A gap in the numbers alone is no loss: a record may still be on its way on a CPU
// that was preempted. It is one when the kernel's own loss counter confirms it; the counter also
// finds what was lost behind the last record. One thread.
class Accounting {
 public:
  explicit Accounting(int cpus)
      : cpus_(static_cast<uint32_t>(cpus)), states_(cpus_ * KE_TYPE_MAX) {}

  // A record was read. Out-of-sequence ones are taken back from the gaps.
  void OnRecord(const ke_hdr& hdr);

  // A reader before this one noted `last` and `lost` for the class. `waiting`: records in the rings
  // now with a higher number, `counts` the kernel's counters before they were counted. The returned
  // numbers, right behind `last`, were taken by that reader, which then ended without noting it.
  uint64_t Resume(uint32_t cpu, uint16_t type, const Noted& noted, const ke_counts& counts,
                  uint64_t waiting);
  // For the next reader.
  Noted Note(uint32_t cpu, uint16_t type) const {
    const State& state = states_[cpu * KE_TYPE_MAX + type];
    return {state.gaps.empty() ? state.last : state.gaps.front().first - 1, state.lost};
  }

  using Report = absl::FunctionRef<void(const LostRange&)>;
  // `stats`: a copy of one CPU's counters taken before the rings were last drained. Calls `report`
  // for each range that is certain to be lost.
  void Reconcile(uint32_t cpu, const ke_cpu_stats& stats, Report report);

  // Counts what came of `type`, over all CPUs; attempted, filtered and missed are the kernel's to
  // tell and 0 here.
  ClassTotals Totals(ke_type type) const;
  uint64_t LostOnCpu(uint32_t cpu) const;
  uint64_t out_of_sequence() const { return out_of_sequence_; }

 private:
  struct Gap {
    uint64_t first = 0;
    uint64_t last = 0;
  };
  struct State {
    uint64_t last = 0;  // highest number seen or given up
    uint64_t delivered = 0;
    uint64_t lost = 0;
    std::vector<Gap> gaps;  // below `last`, in order, not yet certain
  };
  State& At(uint32_t cpu, uint32_t type) { return states_[cpu * KE_TYPE_MAX + type]; }
  void Reconcile(uint32_t cpu, uint16_t type, const ke_counts& counts, Report report);

  uint32_t cpus_;
  std::vector<State> states_;
  uint64_t out_of_sequence_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_ACCOUNTING_H_
