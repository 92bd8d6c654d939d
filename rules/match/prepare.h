// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_PREPARE_H_
#define KENTRY_RULES_MATCH_PREPARE_H_

#include "rules/model/rule_set.h"
#include "rules/model/source.h"

namespace kentry {

// Adds to `diagnostics` what is wrong with the regular expressions of the set. Errors: a pattern
// that RE2 refuses, with RE2's reason; patterns that together are too large. Warnings: a pattern
// that is a plain text, with what to write instead. A set without errors here can be compiled by
// Evaluator::Create. Any thread.
void CheckRegexes(const RuleSet& rules, Diagnostics* diagnostics);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_PREPARE_H_
