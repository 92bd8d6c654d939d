// SPDX-License-Identifier: Apache-2.0
// The conditions of a rule set in the form that the evaluator walks: one flat array of nodes, the
// constants prepared for their comparison.
#ifndef KENTRY_RULES_MATCH_PROGRAM_H_
#define KENTRY_RULES_MATCH_PROGRAM_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "rules/match/regex_index.h"
#include "rules/match/text_set.h"
#include "rules/model/rule_set.h"

namespace kentry {

struct MatchNode {
  static constexpr uint32_t kNoData = UINT32_MAX;

  ExprOp op = ExprOp::kTrue;
  ValueType type = ValueType::kBool;  // of the node's own value
  bool ancestor = false;
  FieldId field = FieldId::kInvalid;
  uint32_t index = 0;  // kIndex
  uint32_t args = 0;   // its arguments are nodes args … args + count - 1
  uint32_t count = 0;
  // Its constants, or kNoData when it has none. Comparisons of strings: index into texts; of
  // numbers, and kHasAll, kHasAny: into numbers; kMatches: into patterns; of bools: 0 or 1.
  // kLiteral: the same by its type, strings into literals.
  uint32_t data = kNoData;
};

// What a kMatches asks.
struct PatternUse {
  uint32_t group = 0;  // index into groups
  // The subject is the field itself: what the group matched is the answer. Else it says only that
  // no text of the field matches, and a text is tried on its own.
  bool whole_field = false;
  std::vector<uint32_t> ids;  // in the group
};

// Patterns on one field: of the event, of all ancestors, or (kInvalid) on nothing in particular.
struct FieldPatterns {
  FieldId field = FieldId::kInvalid;
  bool ancestor = false;
  RegexGroup regexes;
};

struct MatchProgram {
  std::vector<MatchNode> nodes;
  std::vector<uint32_t> roots;  // by rule
  std::vector<TextSet> texts;
  std::vector<std::string_view> literals;
  std::vector<std::vector<absl::int128>> numbers;  // each ascending
  std::vector<PatternUse> patterns;
  std::vector<FieldPatterns> groups;
};

// Compiles the conditions of all rules. The program holds views into `rules`. Errors as
// Evaluator::Create's.
absl::StatusOr<MatchProgram> CompileRules(const RuleSet& rules);

// The type of the values of a field, as conditions see them.
ValueType ValueTypeOf(FieldId id);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_PROGRAM_H_
