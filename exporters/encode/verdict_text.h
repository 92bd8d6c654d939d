// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_VERDICT_TEXT_H_
#define KENTRY_EXPORTERS_ENCODE_VERDICT_TEXT_H_

#include <string_view>

namespace kentry {

// How a line shows a verdict of alert.verdict.
struct VerdictText {
  std::string_view verdict;
  std::string_view what;  // in the column of what happened
  std::string_view tail;  // at the line's end
  bool red = false;
};

// Of a verdict that it doesn't know: as of "observed".
const VerdictText& VerdictTextOf(std::string_view verdict);

// Whether a rule with this action can have led to the verdict.
bool LedTo(std::string_view action, std::string_view verdict);

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_VERDICT_TEXT_H_
