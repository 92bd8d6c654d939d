// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/verdict_text.h"

namespace kentry {
namespace {

constexpr VerdictText kVerdicts[] = {
    {"denied", "DENIED", "", true},
    {"killed", "KILLED", "", true},
    {"signaled", "SIGNAL", "", false},
    {"failed", "FAILED", "", true},
    {"would_deny", "ALERT", " (would deny)", false},
    {"would_kill", "ALERT", " (would kill)", false},
    {"would_signal", "ALERT", " (would signal)", false},
    {"exempt", "ALERT", " (exempt)", false},
};
constexpr VerdictText kObserved = {"observed", "ALERT", "", false};

}  // namespace

const VerdictText& VerdictTextOf(std::string_view verdict) {
  for (const VerdictText& text : kVerdicts) {
    if (text.verdict == verdict) return text;
  }
  return kObserved;
}

bool LedTo(std::string_view action, std::string_view verdict) {
  if (verdict == "signaled" || verdict == "would_signal") return action == "signal";
  if (verdict == "killed" || verdict == "would_kill") return action == "kill" || action == "signal";
  if (verdict == "denied" || verdict == "would_deny") return action == "deny";
  return (verdict == "failed" || verdict == "exempt") &&
         (action == "kill" || action == "signal" || action == "deny");
}

}  // namespace kentry
