// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/marks.h"

#include <algorithm>
#include <map>

#include "rules/compile/clauses.h"

namespace kentry {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
// A second is rounded up to a whole one at each end.
constexpr uint64_t kRounding = 2;

// A mark while the rules are read.
struct Use {
  MarkInfo mark;
  bool tested[2] = {false, false};  // for it, against it
  bool set = false;
  size_t tests() const { return static_cast<size_t>(tested[0]) + static_cast<size_t>(tested[1]); }
};
using Uses = std::map<std::string, Use>;

void TestsIn(const Expr& expr, bool negated, Uses* uses, std::vector<std::string>* order) {
  if (expr.op == ExprOp::kMarked) {
    for (const Literal& value : expr.values) {
      const auto& name = std::get<std::string>(value);
      Use& use = (*uses)[name];
      if (use.tests() == 0) order->push_back(name);
      use.tested[negated ? 1 : 0] = true;
    }
  }
  const bool turned = negated != (expr.op == ExprOp::kNot);
  for (const Expr& arg : expr.args) TestsIn(arg, turned, uses, order);
}

void Set(const RuleMark& by, bool in_kernel, MarkInfo* mark, bool first) {
  const uint64_t seconds =
      by.lifetime_ns == 0 ? 0 : (by.lifetime_ns + kNsPerSecond - 1) / kNsPerSecond + kRounding;
  mark->set_outside |= !in_kernel;
  mark->ends |= seconds != 0;
  const bool forever = seconds == 0 || (!first && mark->lifetime_s == 0);
  mark->lifetime_s = forever ? 0 : std::max(mark->lifetime_s, seconds);
}

}  // namespace

MarkTest DecideMark(const MarkInfo* mark, bool negated) {
  if (mark == nullptr) return MarkTest::kTooMany;
  if (negated) return mark->ends ? MarkTest::kEnds : MarkTest::kPartly;
  return mark->set_outside ? MarkTest::kSetOutside : MarkTest::kPartly;
}

std::string_view WhyNot(MarkTest test) {
  switch (test) {
    case MarkTest::kPartly:
      return "";
    case MarkTest::kTooMany:
      return "more marks than the kernel tests";
    case MarkTest::kSetOutside:
      return "a rule sets the mark on an event that user space judges";
    case MarkTest::kEnds:
      return "the mark has a lifetime";
  }
  return "";
}

MarkList::MarkList(const RuleSet& rules) {
  Uses uses;
  std::vector<std::string> order;
  for (const Rule& rule : rules.rules) {
    if (rule.enabled && KernelClass(rule.on)) TestsIn(rule.when, false, &uses, &order);
  }
  size_t tests = 0;
  while (tested_ < std::min<size_t>(order.size(), KE_MARKS_MAX) &&
         tests + uses[order[tested_]].tests() <= KE_MARK_TESTS_MAX) {
    tests += uses[order[tested_++]].tests();
  }
  for (const Rule& rule : rules.rules) {
    if (!rule.enabled || !rule.mark) continue;
    Use& use = uses[rule.mark->name];
    if (!use.set && use.tests() == 0) order.push_back(rule.mark->name);
    Set(*rule.mark, KernelClass(rule.on).has_value(), &use.mark, !use.set);
    use.set = true;
  }
  for (const std::string& name : order) {
    Use& use = uses[name];
    use.mark.name = name;
    if (marks_.size() < KE_MARKS_MAX) {
      marks_.push_back(use.mark);
    } else if (use.set) {
      left_out_.push_back(name);
    }
  }
}

size_t MarkList::Find(std::string_view name) const {
  const auto at = std::find_if(marks_.begin(), marks_.end(),
                               [name](const MarkInfo& mark) { return mark.name == name; });
  return static_cast<size_t>(at - marks_.begin());
}

const MarkInfo* MarkList::Tested(std::string_view name) const {
  const size_t at = Find(name);
  return at < tested_ ? &marks_[at] : nullptr;
}

}  // namespace kentry
