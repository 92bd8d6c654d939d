// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/guard.h"

namespace kentry {
namespace {

constexpr uint64_t kMinuteNs = 60'000'000'000;

}  // namespace

Guard::Guard(const RuleSet& rules) {
  for (const Rule& rule : rules.rules) by_rule_.push_back({.most = rule.guard});
}

bool Guard::Count(uint32_t rule, uint64_t pid, uint64_t start_ns, uint64_t now_ns) {
  Minute& minute = by_rule_[rule];
  if (minute.most == 0) return false;
  if (!minute.since_ns) minute.since_ns = now_ns;
  if (now_ns > *minute.since_ns + kMinuteNs) {
    minute.most = 0;  // it has passed its first minute
    minute.processes.clear();
    return false;
  }
  minute.processes.insert({pid, start_ns});
  if (minute.processes.size() <= minute.most) return false;
  minute.most = 0;
  minute.processes.clear();
  tripped_.insert(rule);
  return true;
}

}  // namespace kentry
