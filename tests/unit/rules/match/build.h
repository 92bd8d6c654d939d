// SPDX-License-Identifier: Apache-2.0
// Conditions, events and ancestors for tests, in few words.
#ifndef KENTRY_TESTS_UNIT_RULES_MATCH_BUILD_H_
#define KENTRY_TESTS_UNIT_RULES_MATCH_BUILD_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/match/evaluator.h"
#include "rules/match/event_fields.h"
#include "rules/match/program.h"
#include "rules/model/rule_set.h"
#include "sensor/event/event.h"

namespace kentry::match_test {

inline Expr Op(ExprOp op, std::vector<Expr> args = {}, std::vector<Literal> values = {}) {
  Expr expr;
  expr.op = op;
  expr.args = std::move(args);
  expr.values = std::move(values);
  return expr;
}

inline Expr Field(FieldId id, bool ancestor = false) {
  Expr expr = Op(ExprOp::kField);
  expr.field = id;
  expr.type = ValueTypeOf(id);
  expr.ancestor = ancestor;
  return expr;
}

inline Expr Typed(ValueType type, Expr expr) {
  expr.type = type;
  return expr;
}
inline Expr Element() { return Typed(ValueType::kString, Op(ExprOp::kElement)); }
inline Expr Size(Expr of) { return Typed(ValueType::kNumber, Op(ExprOp::kSize, {std::move(of)})); }
inline Expr At(FieldId list, uint32_t index) {
  Expr expr = Typed(ValueType::kString, Op(ExprOp::kIndex, {Field(list)}));
  expr.index = index;
  return expr;
}

inline Expr Not(Expr arg) { return Op(ExprOp::kNot, {std::move(arg)}); }
inline Expr All(std::vector<Expr> args) { return Op(ExprOp::kAnd, std::move(args)); }
inline Expr Any(std::vector<Expr> args) { return Op(ExprOp::kOr, std::move(args)); }
inline Expr Texts(ExprOp op, Expr subject, const std::vector<std::string>& texts) {
  return Op(op, {std::move(subject)}, {texts.begin(), texts.end()});
}
inline Expr Is(FieldId id, std::string text) {
  return Texts(ExprOp::kEqual, Field(id), {std::move(text)});
}
inline Expr Compare(ExprOp op, Expr subject, absl::int128 number) {
  return Op(op, {std::move(subject)}, {Literal(number)});
}

inline Rule MakeRule(std::string name, Expr when) {
  Rule rule;
  rule.name = std::move(name);
  rule.on = EventClass::kFileOpen;
  rule.when = std::move(when);
  return rule;
}

inline std::shared_ptr<const RuleSet> MakeSet(std::vector<Expr> conditions) {
  auto rules = std::make_shared<RuleSet>();
  for (size_t i = 0; i < conditions.size(); ++i) {
    rules->rules.push_back(MakeRule("rule-" + std::to_string(i), std::move(conditions[i])));
  }
  return rules;
}

struct Value {
  uint64_t number = 0;
  std::string text;
  uint16_t flags = 0;
};
using Values = std::map<FieldId, Value>;

inline Value Number(uint64_t number, uint16_t flags = 0) { return {number, "", flags}; }
inline Value Text(std::string_view text, uint16_t flags = 0) {
  return {0, std::string(text), flags};
}
inline Value List(const std::vector<std::string>& texts, uint16_t flags = 0) {
  Value value{0, "", flags};
  for (const std::string& text : texts) value.text += text + '\0';
  return value;
}

inline bool HoldsText(FieldId id) {
  const ValueType type = ValueTypeOf(id);
  return type == ValueType::kString || type == ValueType::kStringList;
}

// An event that stays where it is together with its fields.
class Event {
 public:
  explicit Event(const Values& values, EventClass cls = EventClass::kFileOpen) {
    builder_.Begin(cls);
    for (const auto& [id, value] : values) {
      if (HoldsText(id)) {
        builder_.AddText(id, value.text, value.flags);
      } else {
        builder_.AddNumber(id, value.number, value.flags);
      }
    }
    fields_.Assign(builder_.View());
  }
  const EventFields& fields() const { return fields_; }

 private:
  EventBuilder builder_;
  EventFields fields_;
};

class Ancestors : public AncestorSource {
 public:
  explicit Ancestors(std::vector<Values> values, bool complete = true)
      : values_(std::move(values)), complete_(complete) {}
  int Count() const override { return static_cast<int>(values_.size()); }
  bool Complete() const override { return complete_; }
  std::optional<FieldValue> Field(int generation, FieldId id) const override {
    const Values& values = values_[static_cast<size_t>(generation)];
    const auto found = values.find(id);
    if (found == values.end()) return std::nullopt;
    return FieldValue{id, found->second.flags, found->second.number, found->second.text};
  }
  const std::vector<Values>& values() const { return values_; }

 private:
  std::vector<Values> values_;
  bool complete_;
};

inline std::unique_ptr<Evaluator> MakeEvaluator(std::vector<Expr> conditions) {
  auto evaluator = Evaluator::Create(MakeSet(std::move(conditions)));
  EXPECT_TRUE(evaluator.ok()) << evaluator.status();
  return evaluator.ok() ? *std::move(evaluator) : nullptr;
}

// One condition on one event.
inline Truth Judge(Expr condition, const Values& values,
                   const AncestorSource* ancestors = nullptr) {
  const std::unique_ptr<Evaluator> evaluator = MakeEvaluator({std::move(condition)});
  const Event event(values);
  evaluator->BeginEvent(&event.fields(), ancestors);
  return evaluator->Evaluate(0);
}

}  // namespace kentry::match_test

#endif  // KENTRY_TESTS_UNIT_RULES_MATCH_BUILD_H_
