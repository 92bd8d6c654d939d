// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/set_builder.h"

#include <utility>

#include "rules/parse/analyse.h"
#include "rules/parse/collect.h"
#include "rules/parse/definitions.h"
#include "rules/parse/expr_check.h"
#include "rules/parse/rule_parser.h"

namespace kentry {

RuleSet BuildRuleSet(const std::vector<YamlNode>& roots, bool incomplete, Reporter& reporter) {
  Drafts drafts = CollectDrafts(roots, incomplete, reporter);
  Definitions definitions = BuildDefinitions(drafts.lists, drafts.macros, reporter);
  definitions.incomplete = incomplete;
  CheckMacros(&definitions, reporter);
  RuleSet set;
  set.name = drafts.name;
  set.mode = drafts.mode;
  set.on_stall = drafts.on_stall;
  set.stall_after_ns = drafts.stall_after_ns;
  ConditionBudget budget;
  for (const RuleDraft& draft : drafts.rules) {
    auto rule = ReadRule(draft, definitions, &budget, reporter);
    if (rule) set.rules.push_back(std::move(*rule));
  }
  // After an error a rule may be missing; what is said of the others would be premature.
  if (reporter.errors() == 0) WarnOfRules(set.rules, reporter);
  return set;
}

}  // namespace kentry
