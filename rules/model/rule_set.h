// SPDX-License-Identifier: Apache-2.0
// A rule set as it was written, checked and ready to be compiled. Plain values; immutable once
// parsed, so that any thread may read it.
#ifndef KENTRY_RULES_MODEL_RULE_SET_H_
#define KENTRY_RULES_MODEL_RULE_SET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rules/model/expr.h"
#include "rules/model/source.h"
#include "sensor/event/field_table.h"

namespace kentry {

enum class RuleMode : uint8_t { kEnforce, kMonitor, kOff };
enum class RuleAction : uint8_t { kAlert, kLog, kDrop, kKill, kSignal, kDeny };
// What becomes of a call that a strict rule covers while nobody reads the records.
enum class OnStall : uint8_t { kAllowAndCount, kDeny };
enum class RuleSeverity : uint8_t { kInfo, kNotice, kWarning, kError, kCritical };

// "alert", "kill", …; "info", …; "enforce", …: as the language spells them.
std::string_view ActionName(RuleAction action);
std::string_view SeverityName(RuleSeverity severity);
std::string_view ModeName(RuleMode mode);
std::string_view OnStallName(OnStall on_stall);

// Whether the action is more than a report: kill, signal, deny.
bool Enforces(RuleAction action);

// One piece of a message: text, then the value of a field.
struct MessagePart {
  std::string text;
  FieldId field = FieldId::kInvalid;  // kInvalid: text only
};

struct RuleTag {
  std::string scheme;  // "mitre", "pci-dss", "nist-800-53", …
  std::string id;      // "T1059.004"
};

// At most `events` alerts in `per_ns`, counted apart for each value of `by`.
struct RuleLimit {
  uint32_t events = 0;
  uint64_t per_ns = 0;
  FieldId by = FieldId::kInvalid;  // kInvalid: all together
};

struct RuleMark {
  std::string name;
  uint64_t lifetime_ns = 0;  // 0 = until the process ends
  SourcePos at;
};

// The values of a test's event. Strings for kString, several for kStringList.
struct GivenField {
  FieldId field = FieldId::kInvalid;
  std::vector<Literal> values;
  bool cut = false;  // the value is not whole
};

struct RuleTest {
  enum class Expect : uint8_t { kMatch, kNoMatch, kUnknown };
  SourcePos at;
  std::string name;                                // "" = it has none
  std::vector<GivenField> given;                   // in the order of the field ids, each once
  std::vector<std::vector<GivenField>> ancestors;  // nearest first; process.* fields
  std::vector<std::string> marks;
  Expect expect = Expect::kMatch;
  std::optional<RuleAction> action;  // the action that is expected, when the test says one
};

inline constexpr uint32_t kGuardDefault = 50;
inline constexpr uint32_t kGuardMax = 1'000'000;
inline constexpr uint64_t kStallAfterDefaultNs = 10'000'000'000;

struct Rule {
  std::string name;
  SourcePos at;
  EventClass on = EventClass::kNone;
  std::string description;
  bool enabled = true;
  Expr when;
  SourcePos when_at;
  RuleAction action = RuleAction::kAlert;
  int signal = 0;                      // kSignal
  SourcePos then_at;                   // of `action`; the rule's place where it names none
  std::optional<RuleAction> fallback;  // where this kernel can't do `action`
  // Processes that an enforcing rule may act on in its first minute; one more, and it only says
  // what it would do. 0 = no bound.
  uint32_t guard = kGuardDefault;
  std::optional<SourcePos> strict;  // where `record: required` stands; nothing: it doesn't
  RuleSeverity severity = RuleSeverity::kWarning;
  std::vector<RuleTag> tags;
  std::vector<MessagePart> message;  // empty = the rule's description, or its name
  std::string false_positives;
  std::optional<RuleLimit> limit;
  std::optional<RuleMark> mark;
  std::vector<RuleTest> tests;
};

struct RuleSet {
  std::string name = "default";
  RuleMode mode = RuleMode::kMonitor;
  OnStall on_stall = OnStall::kAllowAndCount;
  uint64_t stall_after_ns = kStallAfterDefaultNs;
  std::string revision;  // 12 hex digits of the SHA-256 over all files' names and contents
  std::vector<SourceFile> files;
  std::vector<Rule> rules;  // the enabled and the disabled ones, in the order of their definition
};

}  // namespace kentry

#endif  // KENTRY_RULES_MODEL_RULE_SET_H_
