// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_PRINTABLE_H_
#define KENTRY_SENSOR_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace kentry {

// As TerminalText, but a backslash is doubled, so that the result stands for one input only. Any
// thread.
std::string Printable(std::string_view bytes);

// Columns that printable text takes.
size_t TextColumns(std::string_view text);
// Cuts printable text to `columns`, the last of which is then "…" (or "~" for `ascii`).
// 0 = unlimited.
std::string FitColumns(std::string text, size_t columns, bool ascii);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_PRINTABLE_H_
