// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/rule_keys.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/lexer.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr size_t kMaxSlugBytes = 64;
constexpr uint64_t kSecond = 1000000000;
constexpr uint64_t kYear = 365 * 86400 * kSecond;

std::string_view LastKey(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

bool IsSlug(std::string_view text) {
  if (text.empty() || text.size() > kMaxSlugBytes || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

void WrongKind(const KeyedNode& value, std::string_view what, Reporter& reporter,
               std::string hint) {
  reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                 fmt::format("{} must be {}, not {}", TerminalText(LastKey(value.path)), what,
                             KindName(*value.node)),
                 std::move(hint));
}

KeyedNode Member(const KeyedNode& map, std::string_view key) {
  const std::string dot = map.path.empty() ? "" : ".";
  return {.node = map.node->Find(key), .path = fmt::format("{}{}{}", map.path, dot, key)};
}

void RefuseUnknownKeys(const KeyedNode& map, std::span<const std::string_view> known,
                       Reporter& reporter) {
  for (size_t i = 0; i + 1 < map.node->items.size(); i += 2) {
    const YamlNode& key = map.node->items[i];
    if (std::find(known.begin(), known.end(), key.text) != known.end()) continue;
    const auto names = [known] {
      return std::vector<std::string_view>(known.begin(), known.end());
    };
    reporter.Error(
        PosOf(reporter.sources(), key), map.path,
        fmt::format("unknown key {}{}", Shown(key.text), reporter.Nearest(key.text, names)),
        fmt::format("keys here are {}", fmt::join(known, ", ")));
  }
}

std::optional<std::string> ReadText(const KeyedNode& value, size_t max, Reporter& reporter) {
  if (!value.node->IsScalar()) {
    WrongKind(value, "text", reporter);
    return std::nullopt;
  }
  const std::string& text = value.node->text;
  if (text.size() > max || text.find('\0') != std::string::npos) {
    reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                   text.size() > max
                       ? fmt::format("{} has {} bytes; {} are the most",
                                     TerminalText(LastKey(value.path)), text.size(), max)
                       : fmt::format("{} holds a NUL byte", TerminalText(LastKey(value.path))));
    return std::nullopt;
  }
  return text;
}

std::optional<bool> ReadBool(const KeyedNode& value, Reporter& reporter) {
  if (value.node->IsScalar() && value.node->text == "true") return true;
  if (value.node->IsScalar() && value.node->text == "false") return false;
  if (!value.node->IsScalar()) {
    WrongKind(value, "true or false", reporter);
  } else {
    reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                   fmt::format("{} is neither true nor false", Shown(value.node->text)),
                   "write true or false");
  }
  return std::nullopt;
}

std::optional<uint64_t> ReadCount(const KeyedNode& value, uint64_t min, uint64_t max,
                                  Reporter& reporter) {
  if (!value.node->IsScalar()) {
    WrongKind(value, "a number", reporter);
    return std::nullopt;
  }
  const auto number = NumberOf(value.node->text);
  if (number && number->unit == NumberUnit::kNone && number->number >= absl::int128(min) &&
      number->number <= absl::int128(max)) {
    return static_cast<uint64_t>(number->number);
  }
  reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                 fmt::format("{} is no number from {} to {}", Shown(value.node->text), min, max));
  return std::nullopt;
}

std::optional<uint64_t> ReadDuration(const KeyedNode& value, Reporter& reporter) {
  if (!value.node->IsScalar()) {
    WrongKind(value, "a duration", reporter, "write 30s, 10m or 1h");
    return std::nullopt;
  }
  const auto number = NumberOf(value.node->text);
  if (number && number->unit == NumberUnit::kDuration && number->number >= absl::int128(kSecond) &&
      number->number <= absl::int128(kYear)) {
    return static_cast<uint64_t>(number->number);
  }
  reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                 fmt::format("{} is no duration from 1s to 365d", Shown(value.node->text)),
                 "write 30s, 10m or 1h");
  return std::nullopt;
}

std::optional<size_t> ReadChoice(const KeyedNode& value, std::span<const std::string_view> choices,
                                 Reporter& reporter) {
  const std::string hint = fmt::format("write one of {}", fmt::join(choices, ", "));
  if (!value.node->IsScalar()) {
    WrongKind(value, "text", reporter, hint);
    return std::nullopt;
  }
  const auto found = std::find(choices.begin(), choices.end(), value.node->text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  const auto names = [choices] {
    return std::vector<std::string_view>(choices.begin(), choices.end());
  };
  reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                 fmt::format("unknown {} {}{}", TerminalText(LastKey(value.path)),
                             Shown(value.node->text), reporter.Nearest(value.node->text, names)),
                 hint);
  return std::nullopt;
}

std::optional<std::string> ReadSlug(const KeyedNode& value, Reporter& reporter) {
  if (!value.node->IsScalar()) {
    WrongKind(value, "text", reporter);
    return std::nullopt;
  }
  if (IsSlug(value.node->text)) return value.node->text;
  reporter.Error(PosOf(reporter.sources(), *value.node), value.path,
                 fmt::format("{} can't be a name", Shown(value.node->text)),
                 fmt::format("names are a-z, 0-9 and \"-\", which is not first, at most {} bytes",
                             kMaxSlugBytes));
  return std::nullopt;
}

std::optional<RuleMode> ReadMode(const KeyedNode& value, Reporter& reporter) {
  constexpr std::array kModes = {RuleMode::kEnforce, RuleMode::kMonitor, RuleMode::kOff};
  std::array<std::string_view, kModes.size()> names;
  std::transform(kModes.begin(), kModes.end(), names.begin(), ModeName);
  const auto choice = ReadChoice(value, names, reporter);
  return choice ? std::optional(kModes[*choice]) : std::nullopt;
}

std::optional<OnStall> ReadOnStall(const KeyedNode& value, Reporter& reporter) {
  constexpr std::array kChoices = {OnStall::kAllowAndCount, OnStall::kDeny};
  std::array<std::string_view, kChoices.size()> names;
  std::transform(kChoices.begin(), kChoices.end(), names.begin(), OnStallName);
  const auto choice = ReadChoice(value, names, reporter);
  return choice ? std::optional(kChoices[*choice]) : std::nullopt;
}

std::optional<RuleSeverity> ReadSeverity(const KeyedNode& value, Reporter& reporter) {
  constexpr std::array kSeverities = {RuleSeverity::kInfo, RuleSeverity::kNotice,
                                      RuleSeverity::kWarning, RuleSeverity::kError,
                                      RuleSeverity::kCritical};
  std::array<std::string_view, kSeverities.size()> names;
  std::transform(kSeverities.begin(), kSeverities.end(), names.begin(), SeverityName);
  const auto choice = ReadChoice(value, names, reporter);
  return choice ? std::optional(kSeverities[*choice]) : std::nullopt;
}

}  // namespace kentry
