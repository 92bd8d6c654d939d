// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/actions.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "rules/parse/constants.h"
#include "rules/parse/lexer.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr std::array kActions = {RuleAction::kAlert, RuleAction::kLog,    RuleAction::kDrop,
                                 RuleAction::kKill,  RuleAction::kSignal, RuleAction::kDeny};
constexpr int kMaxSignal = 64;
constexpr std::array<std::string_view, 1> kSignalKeys = {"signal"};
constexpr std::string_view kSignalHint = "write then: {signal: TERM} or then: {signal: 15}";

std::optional<int> SignalOf(std::string_view text) {
  if (const auto number = NumberOf(text)) {
    const bool good =
        number->unit == NumberUnit::kNone && number->number >= 1 && number->number <= kMaxSignal;
    return good ? std::optional(static_cast<int>(number->number)) : std::nullopt;
  }
  return FindSignal(text);
}

std::optional<Action> ReadSignal(const KeyedNode& value, Reporter& reporter) {
  RefuseUnknownKeys(value, kSignalKeys, reporter);
  const KeyedNode signal = Member(value, "signal");
  if (signal.node == nullptr) return std::nullopt;
  const auto number = signal.node->IsScalar() ? SignalOf(signal.node->text) : std::nullopt;
  if (number) return Action{.action = RuleAction::kSignal, .signal = *number};
  reporter.Error(PosOf(reporter.sources(), *signal.node), signal.path,
                 fmt::format("{} is no signal: neither 1 to {} nor the name of one",
                             Shown(signal.node->text), kMaxSignal),
                 std::string(kSignalHint));
  return std::nullopt;
}

}  // namespace

std::optional<RuleAction> ReadActionName(const KeyedNode& value, Reporter& reporter) {
  std::array<std::string_view, kActions.size()> names;
  std::transform(kActions.begin(), kActions.end(), names.begin(), ActionName);
  const auto choice = ReadChoice(value, names, reporter);
  return choice ? std::optional(kActions[*choice]) : std::nullopt;
}

std::optional<Action> ReadAction(const KeyedNode& value, Reporter& reporter) {
  if (value.node->IsMap()) {
    const size_t before = reporter.errors();
    auto action = ReadSignal(value, reporter);
    if (!action && reporter.errors() == before) {
      reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                     "the mapping names no signal", std::string(kSignalHint));
    }
    return action;
  }
  const auto action = ReadActionName(value, reporter);
  if (!action) return std::nullopt;
  if (*action == RuleAction::kSignal) {
    reporter.Error(PosOf(reporter.sources(), *value.node), value.path, "which signal?",
                   std::string(kSignalHint));
    return std::nullopt;
  }
  return Action{.action = *action};
}

std::optional<uint32_t> ReadGuard(const KeyedNode& value, RuleAction action, Reporter& reporter) {
  if (!Enforces(action)) {
    reporter.Error(
        PosOf(reporter.sources(), *value.node), value.path,
        fmt::format("then: {} does nothing to processes and needs no guard", ActionName(action)),
        "remove guard:");
    return std::nullopt;
  }
  if (value.node->IsScalar() && value.node->text == "off") return 0;
  const auto processes = ReadCount(value, 1, kGuardMax, reporter);
  if (!processes) return std::nullopt;
  return static_cast<uint32_t>(*processes);
}

std::optional<SourcePos> ReadRecord(const KeyedNode& value, RuleAction action, Reporter& reporter) {
  constexpr std::array<std::string_view, 2> kChoices = {"required", "optional"};
  const auto choice = ReadChoice(value, kChoices, reporter);
  if (!choice || *choice != 0) return std::nullopt;
  const SourcePos at = PosOf(reporter.sources(), *value.node);
  if (action != RuleAction::kDrop) return at;
  reporter.Error(at, value.path, "then: drop keeps no record of the event",
                 "write then: log, or remove record:");
  return std::nullopt;
}

std::optional<RuleAction> ReadFallback(const KeyedNode& value, RuleAction action,
                                       Reporter& reporter) {
  const auto fallback = ReadActionName(value, reporter);
  if (!fallback) return std::nullopt;
  const SourcePos at = PosOf(reporter.sources(), *value.node);
  if (!Enforces(action)) {
    reporter.Error(
        at, value.path,
        fmt::format("then: {} works on every kernel and needs no fallback", ActionName(action)),
        "remove fallback:");
    return std::nullopt;
  }
  const bool possible = *fallback == RuleAction::kAlert || *fallback == RuleAction::kLog ||
                        *fallback == RuleAction::kKill;
  if (!possible || *fallback == action) {
    reporter.Error(
        at, value.path,
        fmt::format("{} can't stand in for {}", ActionName(*fallback), ActionName(action)),
        action == RuleAction::kKill ? "write alert or log" : "write alert, log or kill");
    return std::nullopt;
  }
  return fallback;
}

}  // namespace kentry
