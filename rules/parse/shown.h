// SPDX-License-Identifier: Apache-2.0
// Text of rule files, which anybody may have written, made fit for a message.
#ifndef KENTRY_RULES_PARSE_SHOWN_H_
#define KENTRY_RULES_PARSE_SHOWN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kentry {

struct Rune {
  uint32_t value = 0;
  size_t size = 1;  // bytes; 1 when not valid
  bool valid = false;
};
// The first character of `text`, which is not empty.
Rune FirstRune(std::string_view text);

// `text` with everything that is not UTF-8, controls the terminal or reorders a line as \xNN
// (bytes). Backslashes stay single: meant for people.
std::string SafeText(std::string_view text);

// "TEXT" in quotes, escaped, at most about `max` bytes of it.
std::string Shown(std::string_view text, size_t max = 64);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_SHOWN_H_
