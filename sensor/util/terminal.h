// SPDX-License-Identifier: Apache-2.0
// The one way in which bytes from outside become text for a terminal.
#ifndef KENTRY_SENSOR_UTIL_TERMINAL_H_
#define KENTRY_SENSOR_UTIL_TERMINAL_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "sensor/util/utf8.h"

namespace kentry {

// What a terminal is shown for something that it must not get as it is.
struct TerminalEscape {
  std::string_view view() const { return {text, size}; }
  char text[12] = {};
  size_t size = 0;  // also its columns
};
TerminalEscape EscapeByte(char byte);            // \xNN
TerminalEscape EscapeCodePoint(char32_t value);  // \u{NNNN}

// Calls f(piece, columns) for each piece of what a terminal is shown for `bytes`: a code point that
// is printable as it is, an escape for any other (\xNN for ASCII and for each byte of what is no
// UTF-8), until f says false. Any thread.
template <typename F>
void ForEachTerminalPiece(std::string_view bytes, F f) {
  while (!bytes.empty()) {
    const CodePoint point = DecodeUtf8(bytes);
    const std::string_view raw = bytes.substr(0, point.size);
    bytes.remove_prefix(point.size);
    if (point.valid && !IsUnprintable(point.value)) {
      if (!f(raw, static_cast<size_t>(Columns(point.value)))) return;
    } else if (point.valid && point.value >= 0x80) {
      const TerminalEscape escape = EscapeCodePoint(point.value);
      if (!f(escape.view(), escape.size)) return;
    } else {
      for (const char byte : raw) {
        const TerminalEscape escape = EscapeByte(byte);
        if (!f(escape.view(), escape.size)) return;
      }
    }
  }
}

// All pieces together: text that can't move, color, reorder or break a terminal's line. A backslash
// stays single: meant for people. Any thread.
std::string TerminalText(std::string_view bytes);

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_TERMINAL_H_
