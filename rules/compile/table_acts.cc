// SPDX-License-Identifier: Apache-2.0
// Which clauses make the kernel do what.
#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <set>

#include "fmt/format.h"
#include "rules/compile/table_builder.h"

namespace kentry {
namespace {

void SetBit(ke_row* row, size_t i) { row->words[i / 64] |= uint64_t{1} << (i % 64); }

bool AsksForCapabilities(const Clause& clause) {
  return std::any_of(clause.conditions.begin(), clause.conditions.end(),
                     [](const KernelCondition& c) {
                       if (c.kind != KernelCondition::Kind::kTest) return false;
                       return c.test.word <= KE_WORD_CAP_AMBIENT ||
                              (c.test.word == KE_WORD_IMAGE && (c.test.mask & KE_F_FILE_CAPS) != 0);
                     });
}

}  // namespace

bool TableBuilder::BuildSignals(std::string* why) {
  std::map<int, std::string_view> signals;  // to the first rule that sends it
  for (const auto& clauses : out_.clauses_) {
    for (const Clause& clause : clauses) {
      const int signal = out_.effect(clause.rule).signal;
      if (signal != 0) signals.try_emplace(signal, out_.rules_->rules[clause.rule].name);
    }
  }
  if (signals.empty()) return true;
  signals.try_emplace(SIGKILL, "");  // has its place, whether or not a rule sends it
  if (signals.size() > KE_SIGNALS_MAX) {
    for (const auto& [signal, rule] : signals) {
      if (signal == SIGKILL) continue;
      *why += fmt::format("{}{} (\"{}\")", why->empty() ? "" : ", ", SignalText(signal), rule);
    }
    *why = fmt::format("the rules send {} different signals beside SIGKILL; at most {}: {}",
                       signals.size() - 1, KE_SIGNALS_MAX - 1, *why);
    return false;
  }
  ke_rule_config& config = out_.tables_.config;
  size_t used = 0;
  config.signals[used++] = SIGKILL;
  for (const auto& [signal, rule] : signals) {
    if (signal != SIGKILL) config.signals[used++] = static_cast<uint32_t>(signal);
  }
  return true;
}

void TableBuilder::BuildActs(ke_rule_class cls) {
  RuleTables& tables = out_.tables_;
  ke_row any{};
  ke_row deny{};
  std::array<ke_row, KE_SIGNALS_MAX> signals{};
  std::array<bool, KE_SIGNALS_MAX> sent{};
  bool acts = false;
  bool denies = false;
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  for (size_t i = 0; i < clauses.size(); ++i) {
    const RuleEffect& effect = out_.effect(clauses[i].rule);
    if (!Enforces(effect.action)) continue;
    acts = true;
    SetBit(&any, i);
    if (effect.action == RuleAction::kDeny) {
      denies = true;
      tables.exec_denies_by_caps |= cls == KE_RC_EXEC && AsksForCapabilities(clauses[i]);
      SetBit(&deny, i);
      continue;
    }
    const auto& numbers = tables.config.signals;
    const auto at = static_cast<size_t>(
        std::find(std::begin(numbers), std::end(numbers), static_cast<uint32_t>(effect.signal)) -
        std::begin(numbers));
    sent[at] = true;
    SetBit(&signals[at], i);
  }
  if (!acts) return;
  ke_acts& out = tables.config.acts[cls];
  out.any = AddRow(any);
  if (denies) out.deny = AddRow(deny);
  for (size_t i = 0; i < signals.size(); ++i) {
    if (sent[i]) out.signals[i] = AddRow(signals[i]);
  }
  // Changed while it is in force: nothing else may have the same row.
  out.quiet = static_cast<uint32_t>(tables.rows.size());
  tables.rows.push_back(out_.QuietRow(cls, {}));
}

// Whose records go first, and whose are not to be missing.
void TableBuilder::BuildSending(ke_rule_class cls) {
  RuleTables& tables = out_.tables_;
  ke_row urgent{};
  ke_row strict{};
  bool all_urgent = true;
  bool some_strict = false;
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  for (size_t i = 0; i < clauses.size(); ++i) {
    const bool is_strict = out_.rules_->rules[clauses[i].rule].strict.has_value();
    const RuleAction action = out_.effect(clauses[i].rule).action;
    const bool is_quiet = action == RuleAction::kLog || action == RuleAction::kDrop;
    if (is_strict) SetBit(&strict, i);
    if (is_strict || !is_quiet) SetBit(&urgent, i);
    all_urgent &= is_strict || !is_quiet;
    some_strict |= is_strict;
  }
  ke_acts& out = tables.config.acts[cls];
  if (some_strict) out.strict = AddRow(strict);
  if (clauses.empty() || (all_urgent && tables.config.strict == 0)) return;
  // Not shared, for an empty one is none too.
  out.urgent = static_cast<uint32_t>(tables.rows.size());
  tables.rows.push_back(urgent);
}

void TableBuilder::BuildStrict() {
  ke_rule_config& config = out_.tables_.config;
  const RuleSet& rules = *out_.rules_;
  config.stall_ns = rules.stall_after_ns;
  const bool any = std::any_of(rules.rules.begin(), rules.rules.end(),
                               [](const Rule& rule) { return rule.enabled && rule.strict; });
  if (!any) return;
  config.strict = KE_STRICT_ANY;
  if (rules.mode == RuleMode::kEnforce) config.strict |= KE_STRICT_ENFORCED;
  if (rules.on_stall == OnStall::kDeny) config.strict |= KE_STRICT_STALLED;
}

bool TableBuilder::BuildActs(std::string* why) {
  if (out_.rules_ == nullptr) return true;  // clauses that no rule spells
  if (!BuildSignals(why)) return false;
  BuildStrict();
  for (const ke_rule_class cls : kRuledClasses) {
    BuildActs(cls);
    BuildSending(cls);
  }
  return true;
}

}  // namespace kentry
