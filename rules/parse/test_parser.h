// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_TEST_PARSER_H_
#define KENTRY_RULES_PARSE_TEST_PARSER_H_

#include <vector>

#include "rules/model/rule_set.h"
#include "rules/parse/rule_keys.h"

namespace kentry {

// Reads a rule's `tests:` for events of class `on` and appends them. Whether all are right. One
// thread.
bool ReadTests(const KeyedNode& list, EventClass on, Reporter& reporter,
               std::vector<RuleTest>* tests);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_TEST_PARSER_H_
