// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_RULE_PARSER_H_
#define KENTRY_RULES_PARSE_RULE_PARSER_H_

#include <optional>

#include "rules/model/rule_set.h"
#include "rules/parse/collect.h"
#include "rules/parse/expr_check.h"

namespace kentry {

// A rule from its draft; says what is wrong, all of it, and returns nothing then. One thread.
std::optional<Rule> ReadRule(const RuleDraft& draft, const Definitions& definitions,
                             ConditionBudget* budget, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_RULE_PARSER_H_
