// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/enforce.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "rules/model/expr_text.h"

namespace kentry {
namespace {

// Why the kernel can't do something for a rule.
struct Obstacle {
  SourcePos at;
  std::string_view key;  // of the rule
  std::string why;
  std::string hint;
};

std::string ClassesOfTheKernel() {
  std::string names;
  for (const ClassDef& cls : Classes()) {
    if (!KernelClass(cls.id) || IsChangeClass(cls.id)) continue;
    names += names.empty() ? "" : ", ";
    names += IsFileClass(cls.id) ? "all of file.*" : cls.name;
  }
  return names;
}

Obstacle ClassObstacle(const Rule& rule, RuleAction action) {
  return {rule.then_at, "then",
          fmt::format("user space judges {}, when it is over", GetClass(rule.on).name),
          fmt::format("{} works on {}; or write fallback: alert", ActionName(action),
                      ClassesOfTheKernel())};
}

// A field of the condition that is not known while an exec can still be refused.
const FieldDef* LateField(const Expr& expr) {
  if (expr.op == ExprOp::kField && !expr.ancestor && (GetField(expr.field).ops & kLate) != 0) {
    return &GetField(expr.field);
  }
  for (const Expr& arg : expr.args) {
    if (const FieldDef* field = LateField(arg); field != nullptr) return field;
  }
  return nullptr;
}

// What a rule that denies execs asks for too early.
std::vector<Obstacle> LateObstacles(const RulePlan& plan) {
  std::vector<Obstacle> found;
  for (const Decision& decision : plan.decisions) {
    const FieldDef* field = LateField(*decision.expr);
    if (field == nullptr) continue;
    const bool can_kill =
        decision.where == DecidedIn::kProcess || decision.where == DecidedIn::kEvent;
    const std::string text = ExprText(*decision.expr);
    const std::string asks =
        text == field->name ? text : fmt::format("{} asks for {}, which", text, field->name);
    found.push_back({decision.expr->at, "when",
                     asks + " is not known while the exec can still be refused",
                     can_kill ? "write then: kill, or fallback: kill: that acts when it is known, "
                                "before the program runs"
                              : "leave the condition out, or write fallback: alert"});
  }
  return found;
}

// What of the condition user space decides. `instead`: what else the rule's author can do.
std::vector<Obstacle> ConditionObstacles(const Rule& rule, RuleAction action, const RulePlan& plan,
                                         std::string_view instead) {
  const bool before_exec = action == RuleAction::kDeny && rule.on == EventClass::kProcessExec;
  std::vector<Obstacle> found = before_exec ? LateObstacles(plan) : std::vector<Obstacle>();
  const bool exact = std::all_of(plan.clauses.begin(), plan.clauses.end(),
                                 [](const Clause& clause) { return clause.exact; });
  if (exact) return found;
  for (const Decision& decision : plan.decisions) {
    if (decision.where != DecidedIn::kPartly && decision.where != DecidedIn::kUserSpace) continue;
    if (before_exec && LateField(*decision.expr) != nullptr) continue;  // said above
    const bool partly = decision.where == DecidedIn::kPartly;
    found.push_back(
        {decision.expr->at, "when",
         fmt::format("{} is {} in user space{}{}", ExprText(*decision.expr),
                     partly ? "finished" : "decided", decision.why.empty() ? "" : ": ",
                     decision.why),
         fmt::format("write it with ==, in, startsWith or endsWith on a field that the kernel "
                     "compares (see docs/rules.md), or {}",
                     instead)});
  }
  if (found.empty()) {
    found.push_back(
        {rule.when_at, "when",
         fmt::format("it has more than {} alternatives: user space decides the rest",
                     kClausesPerRule),
         fmt::format("write alternatives on one field as \"in [...]\", make it two rules, "
                     "or {}",
                     instead)});
  }
  return found;
}

std::vector<Obstacle> ObstaclesTo(const Rule& rule, RuleAction action, const RulePlan* plan) {
  if (!Enforces(action)) return {};
  if (!KernelClass(rule.on)) return {ClassObstacle(rule, action)};
  return ConditionObstacles(rule, action, *plan, "write fallback: alert");
}

// Is the class asked for before it happens, each time, so that it can be refused without a record?
bool CanBeStrict(EventClass cls) { return IsFileClass(cls) || IsDeedClass(cls); }

// What keeps a rule from being strict: nothing that it covers is to happen without a record.
std::vector<Obstacle> ObstaclesToStrict(const Rule& rule, const RulePlan* plan) {
  if (CanBeStrict(rule.on)) {
    return ConditionObstacles(rule, RuleAction::kAlert, *plan, "remove record: required");
  }
  if (rule.on == EventClass::kProcessExec) {
    return {{*rule.strict, "record",
             "an exec is recorded when it has happened, and can't be refused any more",
             "write the rule on file.open, with file.exec: that is asked before the program runs"}};
  }
  return {{*rule.strict, "record",
           fmt::format("nothing refuses {}: it is told when it is over", GetClass(rule.on).name),
           "record: required works on all of file.*, on process.ptrace, process.signal and "
           "process.bpf"}};
}

RuleEffect EffectOf(const Rule& rule, RuleAction action) {
  RuleEffect effect{.action = action};
  if (action == RuleAction::kKill) effect.signal = SIGKILL;
  if (action == RuleAction::kSignal) effect.signal = rule.signal;
  return effect;
}

}  // namespace

std::string SignalText(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

RuleEffect DecideEffect(const Rule& rule, const RulePlan* plan, Diagnostics* diagnostics) {
  std::vector<Obstacle> obstacles = ObstaclesTo(rule, rule.action, plan);
  if (obstacles.empty()) return EffectOf(rule, rule.action);
  std::string what(ActionName(rule.action));
  if (rule.fallback) {
    const std::vector<Obstacle> others = ObstaclesTo(rule, *rule.fallback, plan);
    if (others.empty()) {
      RuleEffect effect = EffectOf(rule, *rule.fallback);
      effect.why = std::move(obstacles[0].why);
      return effect;
    }
    what += fmt::format(", nor {} as its fallback says", ActionName(*rule.fallback));
    obstacles = others;
  }
  for (Obstacle& obstacle : obstacles) {
    diagnostics->Error(obstacle.at, fmt::format("rules.{}.{}", rule.name, obstacle.key),
                       fmt::format("rule \"{}\" can't {}: {}", rule.name, what, obstacle.why),
                       std::move(obstacle.hint));
  }
  return EffectOf(rule, rule.action);
}

void CheckStrict(const Rule& rule, const RulePlan* plan, Diagnostics* diagnostics) {
  // An action without a fallback has had the same said of its condition.
  if (!rule.strict || (CanBeStrict(rule.on) && Enforces(rule.action) && !rule.fallback)) return;
  for (Obstacle& obstacle : ObstaclesToStrict(rule, plan)) {
    diagnostics->Error(
        obstacle.at, fmt::format("rules.{}.{}", rule.name, obstacle.key),
        fmt::format("rule \"{}\" can't have record: required: {}", rule.name, obstacle.why),
        std::move(obstacle.hint));
  }
}

void CheckEffects(const RuleSet& rules, const PatternEndsFunction& ends, Diagnostics* diagnostics) {
  const MarkList marks(rules);
  for (uint32_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    if (!rule.enabled || (!Enforces(rule.action) && !rule.strict)) continue;
    RulePlan plan;
    if (KernelClass(rule.on)) plan = PlanRule(rule, i, ends, marks);
    DecideEffect(rule, &plan, diagnostics);
    CheckStrict(rule, &plan, diagnostics);
  }
}

}  // namespace kentry
