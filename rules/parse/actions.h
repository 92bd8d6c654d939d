// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_ACTIONS_H_
#define KENTRY_RULES_PARSE_ACTIONS_H_

#include <optional>

#include "rules/model/rule_set.h"
#include "rules/parse/rule_keys.h"

namespace kentry {

struct Action {
  RuleAction action = RuleAction::kAlert;
  int signal = 0;  // kSignal
};

// Each says what is wrong and returns nothing then. One thread.
// A value of then:.
std::optional<Action> ReadAction(const KeyedNode& value, Reporter& reporter);
// A value of guard:, for a rule with `action`; "off" is 0.
std::optional<uint32_t> ReadGuard(const KeyedNode& value, RuleAction action, Reporter& reporter);
// Where a value of record:, for a rule with `action`, makes it strict; nothing: it doesn't.
std::optional<SourcePos> ReadRecord(const KeyedNode& value, RuleAction action, Reporter& reporter);
// A value of fallback: to `action`.
std::optional<RuleAction> ReadFallback(const KeyedNode& value, RuleAction action,
                                       Reporter& reporter);
// The name of any action, for tests.
std::optional<RuleAction> ReadActionName(const KeyedNode& value, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_ACTIONS_H_
