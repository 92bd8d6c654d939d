// SPDX-License-Identifier: Apache-2.0
// Frameworks whose items rules may be tagged with, and the form of each framework's ids.
#ifndef KENTRY_RULES_PARSE_TAGS_H_
#define KENTRY_RULES_PARSE_TAGS_H_

#include <span>
#include <string_view>

namespace kentry {

struct TagScheme {
  std::string_view name;     // "mitre"
  std::string_view form;     // what an id looks like; see tags.cc
  std::string_view other;    // a second form, or ""
  std::string_view example;  // for messages
};

std::span<const TagScheme> TagSchemes();
// The scheme's row, or nullptr.
const TagScheme* FindTagScheme(std::string_view name);
// Whether `id` has the scheme's form. Time grows with the id's length only. Any thread.
bool IsTag(const TagScheme& scheme, std::string_view id);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_TAGS_H_
