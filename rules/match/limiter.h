// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_LIMITER_H_
#define KENTRY_RULES_MATCH_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rules/match/event_fields.h"
#include "rules/model/rule_set.h"

namespace kentry {

// Holds back alerts of rules with a `limit:`. The first event of a key opens a window of `per`; in
// it, `events` alerts go out and the rest is counted. Memory is bounded: at most kMaxKeys windows a
// rule; when one more is needed the oldest is closed early (its key may then alert again). Events
// without the field `by` are one key. Admit allocates only to open a window. One thread.
class Limiter {
 public:
  static constexpr size_t kMaxKeys = 4096;

  // What was held back of one rule in windows that have ended.
  struct Suppressed {
    size_t rule = 0;        // index in the rule set
    uint64_t count = 0;     // alerts, at least 1
    uint64_t keys = 0;      // windows that they belong to
    std::string key;        // value of the field `by` when keys is 1, as messages show it
    uint64_t since_ns = 0;  // the earliest of the windows opened
  };
  struct Counters {
    uint64_t suppressed = 0;  // alerts held back
    uint64_t evicted = 0;     // windows closed early
  };

  // Reads the limits of `rules`, which need not stay.
  explicit Limiter(const RuleSet& rules);
  ~Limiter();
  Limiter(Limiter&&) noexcept;
  Limiter& operator=(Limiter&&) noexcept;

  // Whether an alert of this rule for this event may go out at `now_ns` (nanoseconds since boot; it
  // may step back a little from event to event). True for a rule without limit.
  bool Admit(size_t rule, const EventFields& event, uint64_t now_ns);

  // Closes the windows that have ended by `now_ns` and appends what was held back in them, one
  // entry a rule. Cheap when nothing has ended.
  void TakeSuppressed(uint64_t now_ns, std::vector<Suppressed>* out);
  // The same for all windows, ended or not: before the rule set goes.
  void TakeAll(std::vector<Suppressed>* out);

  const Counters& counters() const { return counters_; }
  // Alerts of this rule held back since the start.
  uint64_t suppressed(size_t rule) const;

 private:
  class Windows;
  void TakeEnded(uint64_t now_ns, bool all, std::vector<Suppressed>* out);

  std::vector<std::unique_ptr<Windows>> by_rule_;  // nullptr: no limit
  std::string key_;                                // of the event at hand
  Counters counters_;
};

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_LIMITER_H_
