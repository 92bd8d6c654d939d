// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/shown.h"

#include "fmt/format.h"

namespace kentry {

std::string Shown(std::string_view text, size_t max) {
  if (text.size() <= max) return fmt::format("\"{}\"", TerminalText(text));
  size_t end = 0;
  while (end < max) end += DecodeUtf8(text.substr(end)).size;
  return fmt::format("\"{}…\"", TerminalText(text.substr(0, end)));
}

}  // namespace kentry
