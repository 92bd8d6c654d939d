// SPDX-License-Identifier: Apache-2.0
// What a rule makes the kernel do, and what keeps it from that.
#ifndef KENTRY_RULES_COMPILE_ENFORCE_H_
#define KENTRY_RULES_COMPILE_ENFORCE_H_

#include <string>

#include "rules/compile/clauses.h"
#include "rules/model/rule_set.h"

namespace kentry {

// The action that is in effect for a rule.
struct RuleEffect {
  RuleAction action = RuleAction::kAlert;  // the rule's own, or its fallback
  int signal = 0;                          // that is sent; 0 = none
  std::string why;                         // why the fallback; "" = it is the rule's own action
};

// The effect of an enabled rule. `plan` is nullptr for a class that user space judges alone. When
// the kernel can't do the rule's action and no fallback stands in, `diagnostics` gets the errors:
// all there are, each at its place.
RuleEffect DecideEffect(const Rule& rule, const RulePlan* plan, Diagnostics* diagnostics);

// The errors of an enabled rule with `record: required` that the kernel can't have; `plan` as
// above.
void CheckStrict(const Rule& rule, const RulePlan* plan, Diagnostics* diagnostics);

// The errors of both for all enabled rules, also of a set that can't be compiled.
void CheckEffects(const RuleSet& rules, const PatternEndsFunction& ends, Diagnostics* diagnostics);

// "SIGTERM", or "signal 35".
std::string SignalText(int signal);

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_ENFORCE_H_
