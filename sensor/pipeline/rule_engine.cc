// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/rule_engine.h"

#include <sys/random.h>

#include <algorithm>

#include "fmt/format.h"
#include "rules/match/message.h"
#include "rules/match/prepare.h"
#include "rules/match/regex_hints.h"
#include "sensor/pipeline/verdict.h"

namespace kentry {
namespace {

std::array<uint64_t, 2> RandomSeed() {
  std::array<uint64_t, 2> seed{};
  // Without entropy strings collide predictably; there is some on every machine that has booted.
  (void)!getrandom(seed.data(), sizeof(seed), 0);
  return seed;
}

PatternEnds EndsOf(std::string_view pattern) {
  RegexHint hint = HintOf(pattern);
  return {.prefix = std::move(hint.prefix), .suffix = std::move(hint.suffix)};
}

void AddEntry(std::string* list, std::string_view entry) {
  *list += entry;
  *list += '\0';
}

}  // namespace

RuleEngine::RuleEngine(std::unique_ptr<CompiledRules> compiled,
                       std::unique_ptr<Evaluator> evaluator)
    : compiled_(std::move(compiled)),
      evaluator_(std::move(evaluator)),
      limiter_(compiled_->rules()),
      guard_(compiled_->rules()),
      counters_(compiled_->rules().rules.size()) {}

void RuleEngine::Check(const RuleSet& rules, Diagnostics* diagnostics) {
  CheckRegexes(rules, diagnostics);
  CheckEffects(rules, EndsOf, diagnostics);
}

std::unique_ptr<RuleEngine> RuleEngine::Create(std::shared_ptr<const RuleSet> rules,
                                               Diagnostics* diagnostics) {
  CheckRegexes(*rules, diagnostics);
  if (diagnostics->errors() != 0) {
    CheckEffects(*rules, EndsOf, diagnostics);
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<Evaluator>> evaluator = Evaluator::Create(rules);
  if (!evaluator.ok()) {
    diagnostics->Error({}, "", std::string(evaluator.status().message()));
    return nullptr;
  }
  std::unique_ptr<CompiledRules> compiled =
      CompiledRules::Compile(std::move(rules), EndsOf, RandomSeed(), diagnostics);
  if (compiled == nullptr) return nullptr;
  return std::unique_ptr<RuleEngine>(new RuleEngine(std::move(compiled), *std::move(evaluator)));
}

// Judges one rule of the event at hand, unless it has been.
void RuleEngine::Consider(uint32_t rule, bool exact) {
  if (!matches_.empty() && matches_.back().rule == rule) return;
  const Truth truth = exact ? Truth::kTrue : evaluator_->Evaluate(rule);
  if (truth == Truth::kFalse) return;
  const bool uncertain = truth == Truth::kUnknown;
  ++counters_[rule].hits;
  if (uncertain) ++counters_[rule].uncertain;
  matches_.push_back({.rule = rule, .uncertain = uncertain});
  const std::optional<RuleMark>& mark = compiled_->rules().rules[rule].mark;
  if (mark && !uncertain) marks_.push_back(&*mark);
}

void RuleEngine::Match(EventClass cls, const KernelView& kernel) {
  const auto filtered = KernelClass(cls);
  if (!filtered) {
    for (const uint32_t rule : compiled_->RulesOf(cls)) Consider(rule, false);
    return;
  }
  // Clauses of a rule are neighbours.
  const std::vector<Clause>& known = compiled_->clauses(*filtered);
  const std::vector<Rule>& rules = compiled_->rules().rules;
  for (size_t word = 0; word < kernel.clauses.size(); ++word) {
    for (uint64_t bits = kernel.clauses[word]; bits != 0; bits &= bits - 1) {
      const size_t i = word * 64 + static_cast<size_t>(__builtin_ctzll(bits));
      // Classes of changes share their clauses; what the kernel could not decide has all of them.
      if (i >= known.size() || rules[known[i].rule].on != cls) continue;
      Consider(known[i].rule, known[i].exact && !kernel.undecided);
    }
  }
}

bool RuleEngine::Missed(uint32_t verdict) const {
  if ((verdict & KE_VERDICT_UNDECIDED) == 0 || (verdict & KE_VERDICT_EXEMPT) != 0) return false;
  if (compiled_->rules().mode != RuleMode::kEnforce) return false;
  return std::any_of(matches_.begin(), matches_.end(), [this](const Found& found) {
    return Enforced(found) && !guard_.tripped().contains(found.rule);
  });
}

void RuleEngine::CountActions(const EventView& event) {
  runaways_.clear();
  if ((verdict_ & (KE_VERDICT_DENIED | KE_VERDICT_SIGNALED)) == 0) return;
  for (const Found& found : matches_) {
    if (!Enforced(found)) continue;
    const bool one_too_many =
        guard_.Count(found.rule, event.Number(FieldId::kProcessPid, 0),
                     event.Number(FieldId::kProcessStart, 0), event.header().boot_ns);
    if (one_too_many) runaways_.push_back(found.rule);
  }
}

RuleEngine::Result RuleEngine::Judge(const EventView& event, const KernelView& kernel,
                                     const AncestorSource* ancestors) {
  matches_.clear();
  marks_.clear();
  cls_ = event.cls();
  verdict_ = kernel.verdict;
  missed_ = false;
  const bool nobody_asks =
      KernelClass(cls_) ? kernel.clauses.empty() : compiled_->RulesOf(cls_).empty();
  if (nobody_asks && !Acted(verdict_)) return Result::kNone;
  fields_.Assign(event);
  evaluator_->BeginEvent(&fields_, ancestors);
  Match(cls_, kernel);
  CountActions(event);
  missed_ = Missed(verdict_);
  const bool acted = Acted(verdict_) || missed_;
  const std::vector<Rule>& rules = compiled_->rules().rules;
  const bool drop = std::any_of(matches_.begin(), matches_.end(), [&](const Found& found) {
    return rules[found.rule].action == RuleAction::kDrop && !found.uncertain;
  });
  if (drop && !acted) return Result::kDrop;
  std::erase_if(matches_, [&](const Found& found) {
    if (acted && Enforced(found)) return false;
    return rules[found.rule].action == RuleAction::kDrop ||
           !limiter_.Admit(found.rule, fields_, event.header().boot_ns);
  });
  if (matches_.empty() && !acted) return Result::kNone;
  Text();
  return Result::kAlert;
}

void RuleEngine::Text() {
  const std::vector<Rule>& rules = compiled_->rules().rules;
  std::stable_sort(matches_.begin(), matches_.end(), [&](const Found& a, const Found& b) {
    return rules[a.rule].severity > rules[b.rule].severity;
  });
  for (std::string* list : {&names_, &severities_, &actions_, &messages_, &tags_, &uncertain_}) {
    list->clear();
  }
  if (!matches_.empty()) severity_ = rules[matches_.front().rule].severity;
  for (const Found& match : matches_) {
    const Rule& rule = rules[match.rule];
    AddEntry(&names_, rule.name);
    AddEntry(&severities_, SeverityName(rule.severity));
    AddEntry(&actions_, ActionName(compiled_->effect(match.rule).action));
    RenderMessage(rule, fields_, &message_);
    // A list's entries end at a NUL; no value has one, but a template is from outside.
    std::erase(message_, '\0');
    AddEntry(&messages_, message_);
    if (match.uncertain) AddEntry(&uncertain_, rule.name);
    for (const RuleTag& tag : rule.tags) {
      const std::string text = fmt::format("{}:{}", tag.scheme, tag.id) + '\0';
      if (tags_.find(text) == std::string::npos) tags_ += text;
    }
  }
}

std::string_view RuleEngine::Killer() const {
  const auto found = std::find_if(matches_.begin(), matches_.end(), [this](const Found& match) {
    const RuleAction action = compiled_->effect(match.rule).action;
    return action == RuleAction::kKill || action == RuleAction::kSignal;
  });
  return found == matches_.end() ? ""
                                 : std::string_view(compiled_->rules().rules[found->rule].name);
}

void RuleEngine::Describe(EventBuilder* event) const {
  const RuleSet& rules = compiled_->rules();
  const auto add = [event](FieldId id, std::string_view text) {
    if (!text.empty()) event->AddText(id, text);
  };
  add(FieldId::kAlertRules, names_);
  if (!matches_.empty()) add(FieldId::kAlertSeverity, SeverityName(severity_));
  add(FieldId::kAlertSeverities, severities_);
  add(FieldId::kAlertActions, actions_);
  add(FieldId::kAlertMessages, messages_);
  add(FieldId::kAlertTags, tags_);
  add(FieldId::kAlertUncertain, uncertain_);
  add(FieldId::kAlertRuleSet, rules.name);
  add(FieldId::kAlertRevision, rules.revision);
  add(FieldId::kAlertMode, ModeName(rules.mode));
  AddVerdict(cls_, verdict_, missed_, event);
  const bool alert = std::any_of(matches_.begin(), matches_.end(), [&](const Found& found) {
    return compiled_->effect(found.rule).action != RuleAction::kLog;
  });
  if (alert) event->header().flags |= kEventAlert;
}

}  // namespace kentry
