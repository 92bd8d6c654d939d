// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/terminal.h"

#include <cstdint>

namespace kentry {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace

TerminalEscape EscapeByte(char byte) {
  const auto bits = static_cast<uint8_t>(byte);
  return {.text = {'\\', 'x', kHexDigits[bits >> 4], kHexDigits[bits & 15]}, .size = 4};
}

TerminalEscape EscapeCodePoint(char32_t value) {
  TerminalEscape escape = {.text = {'\\', 'u', '{'}, .size = 3};
  for (int shift = value > 0xffff ? 20 : 12; shift >= 0; shift -= 4) {
    escape.text[escape.size++] = kHexDigits[(value >> shift) & 15];
  }
  escape.text[escape.size++] = '}';
  return escape;
}

std::string TerminalText(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  ForEachTerminalPiece(bytes, [&text](std::string_view piece, size_t) {
    text += piece;
    return true;
  });
  return text;
}

}  // namespace kentry
