// SPDX-License-Identifier: Apache-2.0
// A YAML file as a tree whose nodes know where they stand.
#ifndef KENTRY_RULES_PARSE_YAML_TREE_H_
#define KENTRY_RULES_PARSE_YAML_TREE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/parse/source_text.h"

namespace kentry {

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  bool plain = false;  // a scalar without quotes that is no block
  uint32_t file = 0;
  uint32_t offset = 0;          // in the file
  std::string text;             // kScalar
  std::vector<YamlNode> items;  // kSequence; kMap: key, value, key, value, …; keys are scalars

  bool IsScalar() const { return kind == Kind::kScalar; }
  bool IsSequence() const { return kind == Kind::kSequence; }
  bool IsMap() const { return kind == Kind::kMap; }
  // The value of `key`, or nullptr; for maps.
  const YamlNode* Find(std::string_view key) const;
};

// Where the node stands; a scalar is underlined up to the end of its line.
SourcePos PosOf(const Sources& sources, const YamlNode& node);
// "text", "a list", "a mapping", "nothing".
std::string_view KindName(const YamlNode& node);

// Reads file number `file`, which must be one mapping or empty (then the node is kNull).
// What the language refuses of YAML is an error: anchors, aliases, tags, duplicate keys, several
// documents, NUL and other control bytes, invalid UTF-8, too many nodes (`*nodes_left` of all
// files, which is reduced) or levels. False: the text is no YAML, there is no tree. True: there is
// one, perhaps without what was refused.
bool ReadYaml(uint32_t file, Reporter& reporter, size_t* nodes_left, YamlNode* root);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_YAML_TREE_H_
