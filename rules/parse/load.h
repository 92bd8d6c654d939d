// SPDX-License-Identifier: Apache-2.0
// Rule files to a rule set. All errors of all files come at once.
#ifndef KENTRY_RULES_PARSE_LOAD_H_
#define KENTRY_RULES_PARSE_LOAD_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rules/model/rule_set.h"
#include "rules/model/source.h"

namespace kentry {

struct LoadResult {
  // The rule set, or null when `diagnostics` has an error.
  std::shared_ptr<const RuleSet> rules;
  // Never null: all files, and those rules that have no error; for checks that go on after an
  // error and for printing diagnostics. The same object as `rules` when that is there.
  std::shared_ptr<const RuleSet> readable;
  Diagnostics diagnostics;
};

// Reads files, and of directories the files *.yaml and *.yml, sorted by name, without hidden ones
// and without descending. What can't be read is an error among the diagnostics. Any thread; blocks
// on the file system, never on a pipe or device.
// `first`: texts that come before them.
LoadResult LoadRuleFiles(std::span<const std::string> paths, std::vector<SourceFile> first = {});

// The same for texts. Touches no file system; takes time and memory that are bounded (limits.h).
LoadResult ParseRules(std::vector<SourceFile> files);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_LOAD_H_
