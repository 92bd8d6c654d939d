// SPDX-License-Identifier: Apache-2.0
// Warnings about rules that are right but can't do what they were written for.
#ifndef KENTRY_RULES_PARSE_ANALYSE_H_
#define KENTRY_RULES_PARSE_ANALYSE_H_

#include <vector>

#include "rules/model/rule_set.h"
#include "rules/parse/source_text.h"

namespace kentry {

// Warns of conditions, or parts of them, that are always true or always false, of marks that no
// rule sets, and of rules behind a drop rule that takes all their events. Constants, repetitions
// and contradictions on one value are seen; values that are unknown are left aside. Time grows with
// the size of the conditions. One thread.
void WarnOfRules(const std::vector<Rule>& rules, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_ANALYSE_H_
