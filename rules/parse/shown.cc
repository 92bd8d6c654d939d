// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/shown.h"

#include "fmt/format.h"

namespace kentry {
namespace {

// Bytes of a UTF-8 sequence that starts with `first`; 0 = none starts so.
size_t SequenceSize(uint8_t first) {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

// Controls, and what reorders, joins or hides its neighbours on a terminal.
bool IsUnsafe(uint32_t value) {
  return value < 0x20 || (value >= 0x7f && value < 0xa0) || value == 0xad || value == 0x61c ||
         (value >= 0x200b && value <= 0x200f) || (value >= 0x2028 && value <= 0x202e) ||
         (value >= 0x2060 && value <= 0x206f) || value == 0xfeff ||
         (value >= 0xfff9 && value <= 0xfffb) || value >= 0xe0000;
}

}  // namespace

Rune FirstRune(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t size = SequenceSize(byte(0));
  if (size == 1) return {.value = byte(0), .size = 1, .valid = true};
  if (size == 0 || size > text.size()) return {.value = byte(0)};
  uint32_t value = byte(0) & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {.value = byte(0)};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (overlong || surrogate || value > 0x10ffff) return {.value = byte(0)};
  return {.value = value, .size = size, .valid = true};
}

std::string SafeText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = FirstRune(text);
    if (rune.valid && !IsUnsafe(rune.value)) {
      out += text.substr(0, rune.size);
    } else {
      for (const char c : text.substr(0, rune.size)) {
        out += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
      }
    }
    text.remove_prefix(rune.size);
  }
  return out;
}

std::string Shown(std::string_view text, size_t max) {
  if (text.size() <= max) return fmt::format("\"{}\"", SafeText(text));
  size_t end = 0;
  while (end < max) end += FirstRune(text.substr(end)).size;
  return fmt::format("\"{}…\"", SafeText(text.substr(0, end)));
}

}  // namespace kentry
