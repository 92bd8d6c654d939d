// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/accounting.h"

#include <algorithm>

namespace kentry {

void Accounting::OnRecord(const ke_hdr& hdr) {
  if (hdr.cpu >= cpus_ || hdr.type >= KE_TYPE_MAX) return;
  State& state = At(hdr.cpu, hdr.type);
  ++state.delivered;
  if (hdr.seq == state.last + 1) {
    state.last = hdr.seq;
    return;
  }
  if (hdr.seq > state.last) {
    state.gaps.push_back({state.last + 1, hdr.seq - 1});
    state.last = hdr.seq;
    return;
  }
  ++out_of_sequence_;
  const auto gap = std::find_if(state.gaps.begin(), state.gaps.end(), [&](const Gap& g) {
    return g.first <= hdr.seq && hdr.seq <= g.last;
  });
  if (gap == state.gaps.end()) return;
  const Gap above{hdr.seq + 1, gap->last};
  gap->last = hdr.seq - 1;
  const auto next = gap->first > gap->last ? state.gaps.erase(gap) : gap + 1;
  if (above.first <= above.last) state.gaps.insert(next, above);
}

uint64_t Accounting::Resume(uint32_t cpu, uint16_t type, const Noted& noted,
                            const ke_counts& counts, uint64_t waiting) {
  State& state = At(cpu, type);
  const uint64_t untold = counts.lost - noted.lost;
  const uint64_t open = counts.seq - noted.last;
  const uint64_t taken = open > waiting + untold ? open - waiting - untold : 0;
  state.last = noted.last + taken;
  state.lost = noted.lost;
  state.delivered = state.last - state.lost;
  return taken;
}

void Accounting::Reconcile(uint32_t cpu, uint16_t type, const ke_counts& counts, Report report) {
  State& state = At(cpu, type);
  if (counts.lost == state.lost) return;
  uint64_t missing = 0;
  for (const Gap& gap : state.gaps) missing += gap.last - gap.first + 1;
  const auto give_up = [&](uint64_t first, uint64_t last) {
    state.lost += last - first + 1;
    report({.cpu = cpu, .type = type, .first = first, .last = last});
  };
  if (counts.lost - state.lost >= missing) {
    for (const Gap& gap : state.gaps) give_up(gap.first, gap.last);
    state.gaps.clear();
  }
  const uint64_t unexplained = counts.lost - state.lost;
  if (unexplained > 0 && state.gaps.empty() && counts.seq - state.last == unexplained) {
    give_up(state.last + 1, counts.seq);
    state.last = counts.seq;
  }
}

void Accounting::Reconcile(uint32_t cpu, const ke_cpu_stats& stats, Report report) {
  for (uint16_t type = 0; type < KE_TYPE_MAX; ++type) {
    Reconcile(cpu, type, stats.classes[type], report);
  }
}

ClassTotals Accounting::Totals(ke_type type) const {
  ClassTotals totals;
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    const State& state = states_[cpu * KE_TYPE_MAX + type];
    totals.delivered += state.delivered;
    totals.lost += state.lost;
  }
  return totals;
}

uint64_t Accounting::LostOnCpu(uint32_t cpu) const {
  uint64_t lost = 0;
  for (uint32_t type = 0; type < KE_TYPE_MAX; ++type) {
    lost += states_[cpu * KE_TYPE_MAX + type].lost;
  }
  return lost;
}

}  // namespace kentry
