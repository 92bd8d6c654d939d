// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_UTIL_UTF8_H_
#define KENTRY_SENSOR_UTIL_UTF8_H_

#include <cstddef>
#include <string_view>

namespace kentry {

struct CodePoint {
  char32_t value = 0;  // meaningless unless valid
  size_t size = 0;     // bytes; for invalid input the maximal subpart of a sequence, at least 1
  bool valid = false;
};

// Decodes the first code point of `text`, which must not be empty. Overlong forms, surrogates and
// values above U+10FFFF are invalid (Unicode 15, table 3-7).
CodePoint DecodeUtf8(std::string_view text);
bool IsValidUtf8(std::string_view text);

// Code points that move a terminal's cursor, reorder or hide what stands around them, or end a line
// for some reader: C0, DEL, C1, bidi controls, zero-width and format characters, line and paragraph
// separators, byte order mark, tags, non-characters.
bool IsUnprintable(char32_t value);
// The part of these that JSON output writes as \u escapes: C0, DEL, C1, bidi controls, line and
// paragraph separators.
bool IsJsonEscaped(char32_t value);
// Columns of a printable code point on a terminal: 2 for East Asian wide and emoji blocks, 0 for
// the common combining marks, else 1. By block, not by the locale's tables.
int Columns(char32_t value);

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_UTF8_H_
