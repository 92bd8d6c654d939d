// SPDX-License-Identifier: Apache-2.0
// From the trees of all files to one draft of each rule, list and macro: definitions, extensions,
// overrides and what is disabled.
#ifndef KENTRY_RULES_PARSE_COLLECT_H_
#define KENTRY_RULES_PARSE_COLLECT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/model/rule_set.h"
#include "rules/parse/definitions.h"
#include "rules/parse/rule_keys.h"
#include "rules/parse/yaml_tree.h"

namespace kentry {

// A rule's keys but its name, as the files say them. Of a key there are several when an extension
// adds to it (when, tags, tests).
struct RuleDraft {
  struct Part {
    std::string_view key;  // one of RuleKeys()
    const YamlNode* node = nullptr;
    std::string base;  // keys that lead to the rule: "rules[3]"
  };
  std::string name;
  SourcePos at;
  std::string path;
  bool disabled = false;  // by disable:
  std::vector<Part> parts;
};

struct Drafts {
  std::string name = "default";
  RuleMode mode = RuleMode::kMonitor;
  OnStall on_stall = OnStall::kAllowAndCount;
  uint64_t stall_after_ns = kStallAfterDefaultNs;
  NamedDrafts lists;
  NamedDrafts macros;
  std::vector<RuleDraft> rules;  // in the order of their definition
};

// The keys that a rule may have besides name.
std::span<const std::string_view> RuleKeys();

// Puts the files' trees together, in their order. The trees must outlive the drafts. `incomplete`:
// a file is missing, so that unknown names are no errors.
Drafts CollectDrafts(const std::vector<YamlNode>& roots, bool incomplete, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_COLLECT_H_
