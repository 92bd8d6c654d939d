// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/kill_times.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kentry {

size_t Spans::BucketOf(uint64_t ns) {
  const int bits = std::bit_width(ns);
  if (bits <= kPartBits) return ns;
  const int shift = bits - kPartBits - 1;
  return (static_cast<size_t>(shift) << kPartBits) + (ns >> shift);
}

uint64_t Spans::LargestOf(size_t bucket) {
  constexpr size_t kParts = size_t{1} << kPartBits;
  if (bucket < 2 * kParts) return bucket;
  const size_t shift = (bucket >> kPartBits) - 1;
  const uint64_t part = kParts + bucket % kParts;
  return (part << shift) + ((uint64_t{1} << shift) - 1);
}

void Spans::Add(uint64_t ns) {
  ++buckets_[BucketOf(ns)];
  ++count_;
  max_ns_ = std::max(max_ns_, ns);
}

uint64_t Spans::Percentile(uint64_t percent) const {
  // The smallest bucket with so many at or below it, rounded up.
  const uint64_t wanted = count_ / 100 * percent + (count_ % 100 * percent + 99) / 100;
  uint64_t below = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    below += buckets_[bucket];
    if (below >= wanted && below != 0) return std::min(LargestOf(bucket), max_ns_);
  }
  return 0;
}

void KillTimes::OnKill(const Process& process, uint64_t hook_ns, std::string_view rule) {
  if (process.exit_told) {  // records came out of order
    spans_.Add(process.exited_ns - std::min(hook_ns, process.exited_ns));
  } else if (waiting_.size() < kMaxWaiting) {
    waiting_.try_emplace(process.key(), Waiting{.hook_ns = hook_ns, .rule = std::string(rule)});
  } else if (!waiting_.contains(process.key())) {
    ++counters_.not_followed;
  }
}

std::optional<KillTimes::Kill> KillTimes::OnExit(const ke_exit& rec) {
  const auto found = waiting_.find({rec.tgid, rec.start_ns});
  if (found == waiting_.end()) return std::nullopt;
  Waiting& waiting = found->second;
  const uint64_t exit_ns = rec.hdr.ktime_ns;
  Kill kill{.rule = std::move(waiting.rule),
            .lived_ns = exit_ns - std::min(waiting.hook_ns, exit_ns)};
  waiting_.erase(found);
  spans_.Add(kill.lived_ns);
  return kill;
}

void KillTimes::Sweep(uint64_t now_ns) {
  counters_.unconfirmed += absl::erase_if(waiting_, [now_ns](const auto& entry) {
    return entry.second.hook_ns + kPatienceNs <= now_ns;
  });
}

}  // namespace kentry
