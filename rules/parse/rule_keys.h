// SPDX-License-Identifier: Apache-2.0
// Values of keys from YAML nodes. Each function says what is wrong and returns nothing then.
#ifndef KENTRY_RULES_PARSE_RULE_KEYS_H_
#define KENTRY_RULES_PARSE_RULE_KEYS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "rules/model/rule_set.h"
#include "rules/parse/source_text.h"
#include "rules/parse/yaml_tree.h"

namespace kentry {

// A node and the keys that lead to it.
struct KeyedNode {
  const YamlNode* node = nullptr;
  std::string path;
};

// Text of at most `max` bytes without NUL.
std::optional<std::string> ReadText(const KeyedNode& value, size_t max, Reporter& reporter);
std::optional<bool> ReadBool(const KeyedNode& value, Reporter& reporter);
// A number without unit from `min` to `max`.
std::optional<uint64_t> ReadCount(const KeyedNode& value, uint64_t min, uint64_t max,
                                  Reporter& reporter);
// Nanoseconds, from 1 s to 365 days.
std::optional<uint64_t> ReadDuration(const KeyedNode& value, Reporter& reporter);
// Index of the text in `choices`.
std::optional<size_t> ReadChoice(const KeyedNode& value, std::span<const std::string_view> choices,
                                 Reporter& reporter);
// A name of a rule, rule set or mark: a-z, 0-9 and "-", at most 64 bytes.
std::optional<std::string> ReadSlug(const KeyedNode& value, Reporter& reporter);

// Reports that `value` is of the wrong kind: "PATH must be WHAT, not a list".
void WrongKind(const KeyedNode& value, std::string_view what, Reporter& reporter,
               std::string hint = "");
// Reports each key of a map that is not in `known`, with the nearest one.
void RefuseUnknownKeys(const KeyedNode& map, std::span<const std::string_view> known,
                       Reporter& reporter);
// The member of a map, with its path; its node is nullptr when it isn't there.
KeyedNode Member(const KeyedNode& map, std::string_view key);

std::optional<RuleMode> ReadMode(const KeyedNode& value, Reporter& reporter);
std::optional<OnStall> ReadOnStall(const KeyedNode& value, Reporter& reporter);
std::optional<RuleSeverity> ReadSeverity(const KeyedNode& value, Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_RULE_KEYS_H_
