// SPDX-License-Identifier: Apache-2.0
// Text of rule files, which anybody may have written, made fit for a message.
#ifndef KENTRY_RULES_PARSE_SHOWN_H_
#define KENTRY_RULES_PARSE_SHOWN_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "sensor/util/terminal.h"

namespace kentry {

// "TEXT" in quotes, escaped, at most about `max` bytes of it.
std::string Shown(std::string_view text, size_t max = 64);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_SHOWN_H_
