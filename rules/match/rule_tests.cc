// SPDX-License-Identifier: Apache-2.0
#include "rules/match/rule_tests.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "rules/match/evaluator.h"
#include "rules/match/event_fields.h"
#include "rules/model/expr_text.h"
#include "sensor/event/event.h"

namespace kentry {
namespace {

uint64_t NumberOf(const Literal& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  const absl::int128* number = std::get_if<absl::int128>(&value);
  return number == nullptr ? 0 : static_cast<uint64_t>(*number);
}

std::string_view TextOf(const Literal& value) {
  const std::string* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

// The value's bytes as an event holds them.
std::string TextOf(const GivenField& given) {
  std::string text;
  const bool list = GetField(given.field).type == FieldType::kStringList;
  for (const Literal& value : given.values) {
    text += TextOf(value);
    if (list) text += '\0';
  }
  return text;
}

bool IsText(FieldId id) {
  const FieldType type = GetField(id).type;
  return type == FieldType::kString || type == FieldType::kStringList;
}

// Two fields of the same id are one with the values of both.
std::vector<GivenField> WithMarks(const RuleTest& test) {
  std::vector<GivenField> given = test.given;
  if (test.marks.empty()) return given;
  const auto at =
      std::lower_bound(given.begin(), given.end(), FieldId::kProcessMarks,
                       [](const GivenField& field, FieldId id) { return field.field < id; });
  GivenField& marks = at != given.end() && at->field == FieldId::kProcessMarks
                          ? *at
                          : *given.insert(at, GivenField{.field = FieldId::kProcessMarks});
  for (const std::string& mark : test.marks) marks.values.emplace_back(mark);
  return given;
}

EventView BuildEvent(EventClass cls, const std::vector<GivenField>& given, EventBuilder* builder) {
  builder->Begin(cls);
  for (const GivenField& field : given) {
    const uint16_t flags = field.cut ? kFieldCut : 0;
    if (IsText(field.field)) {
      builder->AddText(field.field, TextOf(field), flags);
    } else if (!field.values.empty()) {
      builder->AddNumber(field.field, NumberOf(field.values.front()), flags);
    } else {
      builder->AddNumber(field.field, 0, flags);
    }
  }
  return builder->View();
}

class GivenAncestors : public AncestorSource {
 public:
  explicit GivenAncestors(const RuleTest& test) {
    for (const std::vector<GivenField>& given : test.ancestors) {
      std::map<FieldId, Value>& ancestor = ancestors_.emplace_back();
      for (const GivenField& field : given) {
        Value& value = ancestor[field.field];
        value.flags = field.cut ? kFieldCut : 0;
        if (IsText(field.field)) {
          value.text = TextOf(field);
        } else if (!field.values.empty()) {
          value.number = NumberOf(field.values.front());
        }
      }
    }
  }

  int Count() const override { return static_cast<int>(ancestors_.size()); }
  std::optional<FieldValue> Field(int generation, FieldId id) const override {
    const std::map<FieldId, Value>& ancestor = ancestors_[static_cast<size_t>(generation)];
    const auto found = ancestor.find(id);
    if (found == ancestor.end()) return std::nullopt;
    const Value& value = found->second;
    return FieldValue{.id = id, .flags = value.flags, .number = value.number, .text = value.text};
  }

 private:
  struct Value {
    uint16_t flags = 0;
    uint64_t number = 0;
    std::string text;
  };
  std::vector<std::map<FieldId, Value>> ancestors_;
};

// The comparisons of a condition, and negations of one: what a person would call its parts.
void CollectParts(const Expr& expr, std::vector<const Expr*>* parts) {
  const auto joins = [](const Expr& e) { return e.op == ExprOp::kAnd || e.op == ExprOp::kOr; };
  if (joins(expr) || (expr.op == ExprOp::kNot && joins(expr.args[0]))) {
    for (const Expr& arg : expr.args) CollectParts(arg, parts);
    return;
  }
  if (expr.op != ExprOp::kTrue && expr.op != ExprOp::kFalse) parts->push_back(&expr);
}

// A rule with its parts, each compiled as a rule of its own: number 0 is the whole condition.
class RuleRunner {
 public:
  explicit RuleRunner(const Rule& rule) : rule_(rule) {
    CollectParts(rule.when, &parts_);
    auto rules = std::make_shared<RuleSet>();
    rules->rules.push_back(Rule{.name = rule.name, .when = rule.when});
    for (const Expr* part : parts_) {
      rules->rules.push_back(Rule{.name = rule.name, .when = *part});
    }
    auto evaluator = Evaluator::Create(std::move(rules));
    if (evaluator.ok()) {
      evaluator_ = *std::move(evaluator);
    } else {
      error_ = std::string(evaluator.status().message());
    }
    for (const Expr* part : parts_) AddCoverage(*part);
  }

  TestResult Run(const RuleTest& test, size_t number);
  RuleCoverage TakeCoverage() {
    return {.rule = rule_.name,
            .at = rule_.at,
            .tests = rule_.tests.size(),
            .parts = std::move(coverage_)};
  }

 private:
  void AddCoverage(const Expr& part);

  const Rule& rule_;
  std::vector<const Expr*> parts_;
  std::vector<PartCoverage> coverage_;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t, std::string>, size_t> places_;  // in coverage_
  std::vector<size_t> coverage_of_;  // by part: its entry in coverage_
  std::unique_ptr<Evaluator> evaluator_;
  std::string error_;
  EventBuilder builder_;
  EventFields fields_;
};

// A macro that is used twice is one part: its text stands in one place.
void RuleRunner::AddCoverage(const Expr& part) {
  PartCoverage coverage{.at = part.at, .text = ExprText(part)};
  const auto [at, is_new] = places_.try_emplace(
      {part.at.file, part.at.line, part.at.column, coverage.text}, coverage_.size());
  coverage_of_.push_back(at->second);
  if (is_new) coverage_.push_back(std::move(coverage));
}

Truth Wanted(RuleTest::Expect expect) {
  switch (expect) {
    case RuleTest::Expect::kMatch:
      return Truth::kTrue;
    case RuleTest::Expect::kNoMatch:
      return Truth::kFalse;
    case RuleTest::Expect::kUnknown:
      return Truth::kUnknown;
  }
  return Truth::kTrue;
}

TestResult RuleRunner::Run(const RuleTest& test, size_t number) {
  TestResult result{.rule = rule_.name,
                    .at = test.at,
                    .name = test.name.empty() ? fmt::format("#{}", number) : test.name,
                    .expected = test.expect,
                    .expected_action = test.action,
                    .action = rule_.action,
                    .error = error_};
  if (evaluator_ == nullptr) return result;
  fields_.Assign(BuildEvent(rule_.on, WithMarks(test), &builder_));
  const GivenAncestors ancestors(test);
  evaluator_->BeginEvent(&fields_, &ancestors);
  result.got = evaluator_->Evaluate(0);
  result.passed =
      result.got == Wanted(test.expect) && (!test.action || *test.action == rule_.action);
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Truth truth = evaluator_->Evaluate(i + 1);
    PartCoverage& coverage = coverage_[coverage_of_[i]];
    coverage.ever_true |= truth == Truth::kTrue;
    coverage.ever_false |= truth == Truth::kFalse;
    if (!result.passed) result.parts.push_back({coverage.at, coverage.text, truth});
  }
  return result;
}

}  // namespace

TestReport RunRuleTests(const RuleSet& rules, std::string_view only_rule) {
  TestReport report;
  for (const Rule& rule : rules.rules) {
    if (!only_rule.empty() && rule.name != only_rule) continue;
    if (rule.tests.empty()) {
      report.untested.push_back(rule.name);
      continue;
    }
    RuleRunner runner(rule);
    for (size_t i = 0; i < rule.tests.size(); ++i) {
      report.tests.push_back(runner.Run(rule.tests[i], i + 1));
      ++(report.tests.back().passed ? report.passed : report.failed);
    }
    report.rules.push_back(runner.TakeCoverage());
  }
  return report;
}

}  // namespace kentry
