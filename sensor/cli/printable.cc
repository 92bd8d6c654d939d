// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/printable.h"

#include "sensor/util/terminal.h"

namespace kentry {

std::string Printable(std::string_view bytes) {
  std::string doubled;
  doubled.reserve(bytes.size());
  for (const char byte : bytes) doubled.append(byte == '\\' ? 2 : 1, byte);
  return TerminalText(doubled);
}

size_t TextColumns(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    columns += static_cast<size_t>(Columns(point.value));
    text.remove_prefix(point.size);
  }
  return columns;
}

std::string FitColumns(std::string text, size_t columns, bool ascii) {
  if (columns == 0 || TextColumns(text) <= columns) return text;
  size_t used = 0;
  size_t end = 0;
  while (end < text.size()) {
    const CodePoint point = DecodeUtf8(std::string_view(text).substr(end));
    used += static_cast<size_t>(Columns(point.value));
    if (used + 1 > columns) break;
    end += point.size;
  }
  text.resize(end);
  return text + (ascii ? "~" : "…");
}

}  // namespace kentry
