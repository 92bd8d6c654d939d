// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_SET_BUILDER_H_
#define KENTRY_RULES_PARSE_SET_BUILDER_H_

#include <vector>

#include "rules/model/rule_set.h"
#include "rules/parse/source_text.h"
#include "rules/parse/yaml_tree.h"

namespace kentry {

// The rule set that the files' trees say, without its files and revision; rules that have an error
// are left out. `incomplete`: a file could not be read. One thread.
RuleSet BuildRuleSet(const std::vector<YamlNode>& roots, bool incomplete, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_SET_BUILDER_H_
