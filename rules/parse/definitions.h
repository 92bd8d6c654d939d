// SPDX-License-Identifier: Apache-2.0
// The lists and macros of a rule set.
#ifndef KENTRY_RULES_PARSE_DEFINITIONS_H_
#define KENTRY_RULES_PARSE_DEFINITIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/model/expr.h"
#include "rules/parse/expr_parser.h"
#include "rules/parse/source_text.h"
#include "rules/parse/yaml_tree.h"

namespace kentry {

// A list or macro as the files say it: one node, and one more for each extension.
struct NamedDraft {
  struct Part {
    const YamlNode* node = nullptr;
    std::string path;
  };
  SourcePos at;
  std::vector<Part> parts;
};
using NamedDrafts = std::map<std::string, NamedDraft, std::less<>>;

struct ListDef {
  SourcePos at;
  ValueType type = ValueType::kString;  // of each value: kString or kNumber
  std::vector<Literal> values;
  bool broken = false;  // an error was said; uses of it say nothing more
};

struct MacroDef {
  SourcePos at;
  std::string path;
  std::vector<Ast> conditions;  // any of them
  bool broken = false;
};

struct Definitions {
  std::map<std::string, ListDef, std::less<>> lists;
  std::map<std::string, MacroDef, std::less<>> macros;
  // A file could not be read: a name that is missing may stand in it.
  bool incomplete = false;

  // What `typed` could have been meant for: all names of lists and macros.
  std::vector<std::string_view> Names() const;
};

// Whether the language itself uses the name: words, constants, groups of fields.
bool IsTakenName(std::string_view name);
// Whether a list or macro may have this name; says so if not.
bool CheckDefinedName(const YamlNode& key, const std::string& path, Reporter& reporter);

// Parses items and conditions, puts lists into lists, finds cycles. Types of macros are not
// checked here. Refers to nothing of the drafts afterwards.
Definitions BuildDefinitions(const NamedDrafts& lists, const NamedDrafts& macros,
                             Reporter& reporter);

// A `when:` or macro text as a tree; says what is wrong with it.
std::optional<Ast> ParseConditionNode(const YamlNode& node, const std::string& path,
                                      Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_DEFINITIONS_H_
