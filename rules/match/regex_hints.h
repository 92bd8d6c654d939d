// SPDX-License-Identifier: Apache-2.0
// What a regular expression demands of the ends of a text: the part that the kernel can decide.
#ifndef KENTRY_RULES_MATCH_REGEX_HINTS_H_
#define KENTRY_RULES_MATCH_REGEX_HINTS_H_

#include <string>
#include <string_view>

namespace kentry {

struct RegexHint {
  std::string prefix;  // every text that matches begins with it; "" = nothing is known
  std::string suffix;  // every text that matches ends with it; "" = nothing is known
  // The pattern matches `prefix` and nothing else (then `suffix` is the same text).
  bool exact = false;
};

// Never promises too much; may promise less than is true: only literal characters next to ^ and $
// count, and a pattern with flags or with alternatives outside of groups has no hint. Any thread.
RegexHint HintOf(std::string_view pattern);

// A pattern without anything but literal characters and the anchors ^ and $ at its ends.
struct LiteralRegex {
  bool literal = false;  // false: it is more than that, and the rest is meaningless
  std::string text;
  bool at_start = false;
  bool at_end = false;
};

// Any thread.
LiteralRegex LiteralOf(std::string_view pattern);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_REGEX_HINTS_H_
