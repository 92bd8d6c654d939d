// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "rules/model/rule_set.h"

namespace kentry {

std::string_view ActionName(RuleAction action) {
  switch (action) {
    case RuleAction::kAlert:
      return "alert";
    case RuleAction::kLog:
      return "log";
    case RuleAction::kDrop:
      return "drop";
    case RuleAction::kKill:
      return "kill";
    case RuleAction::kSignal:
      return "signal";
    case RuleAction::kDeny:
      return "deny";
  }
  return "";
}

bool Enforces(RuleAction action) {
  return action == RuleAction::kKill || action == RuleAction::kSignal ||
         action == RuleAction::kDeny;
}

std::string_view SeverityName(RuleSeverity severity) {
  switch (severity) {
    case RuleSeverity::kInfo:
      return "info";
    case RuleSeverity::kNotice:
      return "notice";
    case RuleSeverity::kWarning:
      return "warning";
    case RuleSeverity::kError:
      return "error";
    case RuleSeverity::kCritical:
      return "critical";
  }
  return "";
}

std::string_view ModeName(RuleMode mode) {
  switch (mode) {
    case RuleMode::kEnforce:
      return "enforce";
    case RuleMode::kMonitor:
      return "monitor";
    case RuleMode::kOff:
      return "off";
  }
  return "";
}

std::string_view OnStallName(OnStall on_stall) {
  switch (on_stall) {
    case OnStall::kAllowAndCount:
      return "allow-and-count";
    case OnStall::kDeny:
      return "deny";
  }
  return "";
}

}  // namespace kentry
