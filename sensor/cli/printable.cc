// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/printable.h"

#include "exporters/encode/utf8.h"
#include "fmt/format.h"

namespace kentry {

std::string Printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const CodePoint point = DecodeUtf8(bytes);
    const std::string_view raw = bytes.substr(0, point.size);
    if (!point.valid || point.value < 0x20 || point.value == 0x7f) {
      for (const char byte : raw) {
        text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    } else if (IsUnprintable(point.value)) {
      text += fmt::format("\\u{{{:04x}}}", static_cast<uint32_t>(point.value));
    } else if (point.value == '\\') {
      text += "\\\\";
    } else {
      text += raw;
    }
    bytes.remove_prefix(point.size);
  }
  return text;
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
