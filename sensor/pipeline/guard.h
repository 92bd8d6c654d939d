// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_GUARD_H_
#define KENTRY_SENSOR_PIPELINE_GUARD_H_

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "rules/model/rule_set.h"

namespace kentry {

// Notices a rule that acts on more processes than its author can have meant (Rule::guard), within a
// minute from its first action. Memory: at most the guard's number of processes a rule, for that
// minute. One thread.
class Guard {
 public:
  // Reads the guards of `rules`, which need not stay.
  explicit Guard(const RuleSet& rules);

  // The rule acted on this process. True when it has just become one too many; then, and ever
  // after, the rule is tripped and what it does is not counted.
  bool Count(uint32_t rule, uint64_t pid, uint64_t start_ns, uint64_t now_ns);
  const std::set<uint32_t>& tripped() const { return tripped_; }

 private:
  struct Minute {
    uint32_t most = 0;  // 0 = no bound
    std::optional<uint64_t> since_ns;
    std::set<std::pair<uint64_t, uint64_t>> processes;
  };
  std::vector<Minute> by_rule_;
  std::set<uint32_t> tripped_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_GUARD_H_
