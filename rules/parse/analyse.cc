// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/analyse.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/contradiction.h"
#include "rules/parse/expr_same.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

// The args of a kAnd (or, negated, of a kOr) as atoms; what is neither a comparison nor one's
// negation is compared as a whole.
std::vector<Atom> AtomsOf(const Expr& junction, bool negated) {
  std::vector<Atom> atoms;
  for (const Expr& arg : junction.args) {
    const bool inner_not = arg.op == ExprOp::kNot;
    atoms.push_back({.expr = inner_not ? arg.args.data() : &arg, .negated = inner_not != negated});
  }
  return atoms;
}

// A part of a condition that is always the same, though the condition isn't.
struct Finding {
  const Expr* part = nullptr;
  bool value = false;
};

std::optional<bool> Junction(const Expr& expr, std::span<const std::optional<bool>> parts) {
  const bool is_and = expr.op == ExprOp::kAnd;
  bool all_decided = true;
  for (const std::optional<bool>& part : parts) {
    if (part == !is_and) return !is_and;
    all_decided = all_decided && part.has_value();
  }
  if (all_decided) return is_and;
  if (Contradict(AtomsOf(expr, !is_and))) return !is_and;
  return std::nullopt;
}

// What `expr` always is, given what its parts are.
std::optional<bool> Decide(const Expr& expr, std::span<const std::optional<bool>> parts) {
  if (expr.op == ExprOp::kTrue) return true;
  if (expr.op == ExprOp::kFalse) return false;
  if (expr.op == ExprOp::kAnd || expr.op == ExprOp::kOr) return Junction(expr, parts);
  if (expr.op == ExprOp::kNot) return parts[0] ? std::optional(!*parts[0]) : std::nullopt;
  if (expr.op == ExprOp::kAnyElement || expr.op == ExprOp::kAnyAncestor) {
    // Of no element nothing holds: only "never" can be told.
    return parts.back() == false ? parts.back() : std::nullopt;
  }
  const Atom holds = {.expr = &expr, .negated = false};
  const Atom fails = {.expr = &expr, .negated = true};
  if (Contradict({&holds, 1})) return false;
  if (Contradict({&fails, 1})) return true;
  return std::nullopt;
}

// What `expr` always is; of one that can be either, the largest parts that can't go to `found`.
std::optional<bool> Scan(const Expr& expr, std::vector<Finding>* found) {
  const size_t before = found->size();
  std::vector<std::optional<bool>> parts;
  for (const Expr& arg : expr.args) {
    parts.push_back(arg.type == ValueType::kBool ? Scan(arg, found) : std::nullopt);
  }
  const auto value = Decide(expr, parts);
  if (value) {
    found->resize(before);
    return value;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i]) found->push_back({.part = &expr.args[i], .value = *parts[i]});
  }
  return std::nullopt;
}

bool AlwaysTrue(const Expr& condition) {
  std::vector<Finding> found;
  return Scan(condition, &found) == true;
}

// `when: true` is meant so; `when: always`, a macro, or 1 == 1 hardly.
bool IsLiterallyTrue(const Rule& rule) {
  constexpr std::string_view kTrue = "true";
  const SourcePos& at = rule.when.at;
  // In a block it stands one line below the sign.
  return rule.when.op == ExprOp::kTrue && at.length == kTrue.size() &&
         at.file == rule.when_at.file && at.line - rule.when_at.line <= 1;
}

void WarnOfCondition(const Rule& rule, Reporter& reporter) {
  const std::string path = fmt::format("rule {}", rule.name);
  if (IsLiterallyTrue(rule)) return;
  std::vector<Finding> found;
  if (const auto value = Scan(rule.when, &found)) {
    reporter.Warning(rule.when.at, path,
                     fmt::format("the condition of rule {} is always {}", Shown(rule.name), *value),
                     *value ? "write when: true if that is meant" : "the rule can't match");
  }
  for (const Finding& each : found) {
    reporter.Warning(each.part->at, path,
                     fmt::format("this part of the condition is always {}", each.value),
                     "remove it, or compare with something else");
  }
}

void MarksIn(const Expr& expr, std::vector<const Expr*>* uses) {
  if (expr.op == ExprOp::kMarked) uses->push_back(&expr);
  for (const Expr& arg : expr.args) MarksIn(arg, uses);
}

void WarnOfMarks(const std::vector<Rule>& rules, Reporter& reporter) {
  std::set<std::string_view> set;
  for (const Rule& rule : rules) {
    if (rule.mark) set.insert(rule.mark->name);
  }
  const auto names = [&set] { return std::vector<std::string_view>(set.begin(), set.end()); };
  for (const Rule& rule : rules) {
    std::vector<const Expr*> uses;
    MarksIn(rule.when, &uses);
    for (const Expr* const use : uses) {
      for (const Literal& literal : use->values) {
        const std::string& name = std::get<std::string>(literal);
        if (set.count(name) > 0) continue;
        reporter.Warning(
            use->at, fmt::format("rule {}", rule.name),
            fmt::format("no rule sets the mark {}{}", Shown(name), reporter.Nearest(name, names)),
            "a rule sets it with mark: NAME");
      }
    }
  }
}

// The drop rules seen so far, by what they drop.
class Drops {
 public:
  void Add(const Rule& rule) {
    if (AlwaysTrue(rule.when)) {
      all_.emplace(rule.on, &rule);
    } else {
      by_condition_.emplace(Key(rule.on, rule.when), &rule);
    }
  }

  // A rule that drops every event that `rule` is for, or nullptr.
  const Rule* Shadowing(const Rule& rule) const {
    if (const auto it = all_.find(rule.on); it != all_.end()) return it->second;
    if (const Rule* const drop = Same(rule.on, rule.when)) return drop;
    if (rule.when.op != ExprOp::kAnd) return nullptr;
    for (const Expr& arg : rule.when.args) {
      if (const Rule* const drop = Same(rule.on, arg)) return drop;
    }
    return nullptr;
  }

 private:
  static size_t Key(EventClass on, const Expr& condition) {
    return HashExpr(condition) ^ static_cast<size_t>(on);
  }
  const Rule* Same(EventClass on, const Expr& condition) const {
    const auto it = by_condition_.find(Key(on, condition));
    if (it == by_condition_.end()) return nullptr;
    const Rule& drop = *it->second;
    return drop.on == on && SameExpr(drop.when, condition) ? &drop : nullptr;
  }

  std::unordered_map<EventClass, const Rule*> all_;
  std::unordered_map<size_t, const Rule*> by_condition_;
};

void WarnOfShadows(const std::vector<Rule>& rules, Reporter& reporter) {
  Drops drops;
  for (const Rule& rule : rules) {
    if (!rule.enabled) continue;
    // What the kernel does is reported whatever is dropped.
    const Rule* const drop = Enforces(rule.action) ? nullptr : drops.Shadowing(rule);
    if (drop != nullptr) {
      reporter.Warning(
          rule.at, fmt::format("rule {}", rule.name),
          fmt::format("rule {} is shadowed: rule {} ({}) drops all its events", Shown(rule.name),
                      Shown(drop->name), reporter.sources().Name(drop->at)),
          "put it before that rule, or narrow that rule's condition");
    }
    if (rule.action == RuleAction::kDrop) drops.Add(rule);
  }
}

}  // namespace

void WarnOfRules(const std::vector<Rule>& rules, Reporter& reporter) {
  for (const Rule& rule : rules) WarnOfCondition(rule, reporter);
  WarnOfMarks(rules, reporter);
  WarnOfShadows(rules, reporter);
}

}  // namespace kentry
