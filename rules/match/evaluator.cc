// SPDX-License-Identifier: Apache-2.0
#include "rules/match/evaluator.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/match/program.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// A value of the event, or none that may be used.
struct Operand {
  bool unknown = false;
  uint64_t number = 0;
  std::string_view text;
};

struct Number {
  bool unknown = false;
  absl::int128 value = 0;
};

// Whether f(std::string_view) holds for a string of the list; stops at the first.
template <typename F>
bool AnyString(std::string_view list, F f) {
  while (!list.empty()) {
    const size_t end = list.find('\0');
    if (f(list.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    list.remove_prefix(end + 1);
  }
  return false;
}

// String `index` of the list; "" when it is shorter.
std::string_view StringAt(std::string_view list, uint32_t index) {
  std::string_view found;
  AnyString(list, [&](std::string_view text) {
    found = index == 0 ? text : std::string_view();
    return index-- == 0;
  });
  return found;
}

bool Holds(ExprOp op, absl::int128 a, absl::int128 b) {
  if (op == ExprOp::kLess) return a < b;
  if (op == ExprOp::kLessEqual) return a <= b;
  if (op == ExprOp::kGreater) return a > b;
  if (op == ExprOp::kGreaterEqual) return a >= b;
  return a == b;
}

}  // namespace

class Evaluator::Impl {
 public:
  Impl(std::shared_ptr<const RuleSet> rules, MatchProgram program)
      : rules_(std::move(rules)), program_(std::move(program)), ran_(program_.groups.size()) {}

  void BeginEvent(const EventFields* event, const AncestorSource* ancestors) {
    event_ = event;
    ancestors_ = ancestors;
    ++event_number_;
  }
  Truth Evaluate(size_t rule_index) {
    ++counters_.evaluations;
    return Eval(program_.nodes[program_.roots[rule_index]]);
  }
  const RuleSet& rules() const { return *rules_; }
  const Counters& counters() const { return counters_; }

 private:
  const MatchNode& Arg(const MatchNode& node, uint32_t i) const {
    return program_.nodes[node.args + i];
  }

  Truth Eval(const MatchNode& node);
  Truth EvalAll(const MatchNode& node);
  Truth EvalAny(const MatchNode& node);
  Truth Has(const MatchNode& subject) const;
  Truth Compare(const MatchNode& node);
  Truth CompareBools(const MatchNode& node);
  Truth CompareNumbers(const MatchNode& node) const;
  Truth CompareTexts(const MatchNode& node) const;
  Truth HasElement(const MatchNode& node) const;
  Truth Mask(const MatchNode& node) const;
  Truth Matches(const MatchNode& node);
  Truth AnyElement(const MatchNode& node);
  Truth AnyAncestor(const MatchNode& node);

  // The value of a kField; absent: zero.
  Operand Fetch(const MatchNode& field) const;
  Operand FetchText(const MatchNode& node) const;
  Number FetchNumber(const MatchNode& node) const;
  // Whether f(std::string_view) holds for the text, or, for file.path, for it or for an alias.
  template <typename F>
  Truth OverTexts(const MatchNode& subject, F f) const;
  // Runs the patterns of a group over all texts of its field, unless that is done for this event.
  void RunGroup(size_t index);
  void RunOver(RegexGroup& regexes, FieldId field, std::string_view value);

  std::shared_ptr<const RuleSet> rules_;  // the program points into it
  MatchProgram program_;
  Counters counters_;

  const EventFields* event_ = nullptr;
  const AncestorSource* ancestors_ = nullptr;
  uint64_t event_number_ = 0;
  std::vector<uint64_t> ran_;  // by group: the event that it ran for
  std::string_view element_;   // where AnyElement is
  int generation_ = 0;         // where AnyAncestor is
  bool ancestor_unknown_ = false;
};

Truth Evaluator::Impl::Eval(const MatchNode& node) {
  switch (node.op) {
    case ExprOp::kTrue:
      return Truth::kTrue;
    case ExprOp::kFalse:
      return Truth::kFalse;
    case ExprOp::kLiteral:
      return ToTruth(node.data != 0);
    case ExprOp::kField: {
      const Operand operand = Fetch(node);
      return operand.unknown ? Truth::kUnknown : ToTruth(operand.number != 0);
    }
    case ExprOp::kAnd:
      return EvalAll(node);
    case ExprOp::kOr:
      return EvalAny(node);
    case ExprOp::kNot:
      return Not(Eval(Arg(node, 0)));
    case ExprOp::kEqual:
    case ExprOp::kLess:
    case ExprOp::kLessEqual:
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual:
    case ExprOp::kIn:
      return Compare(node);
    case ExprOp::kStartsWith:
    case ExprOp::kEndsWith:
    case ExprOp::kContains:
      return CompareTexts(node);
    case ExprOp::kHasElement:
    case ExprOp::kMarked:
      return HasElement(node);
    case ExprOp::kMatches:
      return Matches(node);
    case ExprOp::kHas:
      return Has(Arg(node, 0));
    case ExprOp::kHasAll:
    case ExprOp::kHasAny:
      return Mask(node);
    case ExprOp::kAnyElement:
      return AnyElement(node);
    case ExprOp::kAnyAncestor:
      return AnyAncestor(node);
    case ExprOp::kElement:
    case ExprOp::kIndex:
    case ExprOp::kSize:
    case ExprOp::kInPrefix:
      break;  // values, and what the compiler refuses
  }
  return Truth::kUnknown;
}

Truth Evaluator::Impl::EvalAll(const MatchNode& node) {
  Truth all = Truth::kTrue;
  for (uint32_t i = 0; i < node.count && all != Truth::kFalse; ++i) {
    all = And(all, Eval(Arg(node, i)));
  }
  return all;
}

Truth Evaluator::Impl::EvalAny(const MatchNode& node) {
  Truth any = Truth::kFalse;
  for (uint32_t i = 0; i < node.count && any != Truth::kTrue; ++i) {
    any = Or(any, Eval(Arg(node, i)));
  }
  return any;
}

Operand Evaluator::Impl::Fetch(const MatchNode& field) const {
  if (field.ancestor) {
    if (ancestor_unknown_ && IsImageField(field.field)) return {.unknown = true};
    const std::optional<FieldValue> value = ancestors_->Field(generation_, field.field);
    if (!value) return {};
    return {(value->flags & kFieldCut) != 0, value->number, value->text};
  }
  if (event_->IsUnknown(field.field)) return {.unknown = true};
  const FieldValue* value = event_->Get(field.field);
  if (value == nullptr) return {};
  return {false, value->number, value->text};
}

Operand Evaluator::Impl::FetchText(const MatchNode& node) const {
  if (node.op == ExprOp::kField) return Fetch(node);
  if (node.op == ExprOp::kElement) return {.text = element_};
  if (node.op == ExprOp::kLiteral) return {.text = program_.literals[node.data]};
  Operand list = Fetch(Arg(node, 0));  // kIndex
  list.text = StringAt(list.text, node.index);
  return list;
}

Number Evaluator::Impl::FetchNumber(const MatchNode& node) const {
  if (node.op == ExprOp::kLiteral) return {false, program_.numbers[node.data].front()};
  if (node.op == ExprOp::kSize) {
    const MatchNode& of = Arg(node, 0);
    const Operand operand = FetchText(of);
    size_t size = operand.text.size();
    if (of.type == ValueType::kStringList) {
      size = 0;
      ForEachString(operand.text, [&size](std::string_view) { ++size; });
    }
    return {operand.unknown, size};
  }
  const Operand operand = Fetch(node);
  if (GetField(node.field).type == FieldType::kInt) {
    return {operand.unknown, static_cast<int64_t>(operand.number)};
  }
  return {operand.unknown, operand.number};
}

template <typename F>
Truth Evaluator::Impl::OverTexts(const MatchNode& subject, F f) const {
  const Operand operand = FetchText(subject);
  const Truth truth = operand.unknown ? Truth::kUnknown : ToTruth(f(operand.text));
  if (subject.field != FieldId::kFilePath || subject.ancestor || truth == Truth::kTrue) {
    return truth;
  }
  if (event_->IsUnknown(FieldId::kFileAliases)) return Truth::kUnknown;
  const FieldValue* aliases = event_->Get(FieldId::kFileAliases);
  return aliases == nullptr ? truth : Or(truth, ToTruth(AnyString(aliases->text, f)));
}

Truth Evaluator::Impl::Has(const MatchNode& subject) const {
  if (subject.type == ValueType::kString || subject.type == ValueType::kStringList) {
    const Operand operand = FetchText(subject);
    return operand.unknown ? Truth::kUnknown : ToTruth(!operand.text.empty());
  }
  const Operand operand = Fetch(subject);
  return operand.unknown ? Truth::kUnknown : ToTruth(operand.number != 0);
}

Truth Evaluator::Impl::Compare(const MatchNode& node) {
  switch (Arg(node, 0).type) {
    case ValueType::kBool:
      return CompareBools(node);
    case ValueType::kNumber:
      return CompareNumbers(node);
    case ValueType::kString:
      return CompareTexts(node);
    case ValueType::kStringList:
    case ValueType::kIp:
      break;  // the compiler refuses them
  }
  return Truth::kUnknown;
}

Truth Evaluator::Impl::CompareBools(const MatchNode& node) {
  const Truth a = Eval(Arg(node, 0));
  const Truth b = node.count == 2 ? Eval(Arg(node, 1)) : ToTruth(node.data != 0);
  if (a == Truth::kUnknown || b == Truth::kUnknown) return Truth::kUnknown;
  return ToTruth(a == b);
}

Truth Evaluator::Impl::CompareNumbers(const MatchNode& node) const {
  const Number a = FetchNumber(Arg(node, 0));
  if (a.unknown) return Truth::kUnknown;
  if (node.count == 2) {
    const Number b = FetchNumber(Arg(node, 1));
    return b.unknown ? Truth::kUnknown : ToTruth(Holds(node.op, a.value, b.value));
  }
  const std::vector<absl::int128>& numbers = program_.numbers[node.data];
  if (node.op == ExprOp::kIn) {
    return ToTruth(std::binary_search(numbers.begin(), numbers.end(), a.value));
  }
  return ToTruth(Holds(node.op, a.value, numbers.front()));
}

Truth Evaluator::Impl::CompareTexts(const MatchNode& node) const {
  if (node.count == 1) {
    const TextSet& texts = program_.texts[node.data];
    return OverTexts(Arg(node, 0), [&](std::string_view text) { return texts.Matches(text); });
  }
  // Either side may be file.path with its aliases.
  const MatchNode& other = Arg(node, 1);
  const Truth found = OverTexts(Arg(node, 0), [&](std::string_view a) {
    return OverTexts(other, [a](std::string_view b) { return a == b; }) == Truth::kTrue;
  });
  return Or(found, OverTexts(other, [](std::string_view) { return false; }));
}

Truth Evaluator::Impl::HasElement(const MatchNode& node) const {
  if (node.op == ExprOp::kMarked) {
    if (event_->IsUnknown(FieldId::kProcessMarks)) return Truth::kUnknown;
    const FieldValue* marks = event_->Get(FieldId::kProcessMarks);
    const TextSet& names = program_.texts[node.data];
    return ToTruth(marks != nullptr && AnyString(marks->text, [&](std::string_view mark) {
                     return names.Matches(mark);
                   }));
  }
  const Operand list = Fetch(Arg(node, 0));
  if (list.unknown) return Truth::kUnknown;
  if (node.count == 1) {
    const TextSet& texts = program_.texts[node.data];
    return ToTruth(
        AnyString(list.text, [&](std::string_view text) { return texts.Matches(text); }));
  }
  const auto in_list = [&list](std::string_view wanted) {
    return AnyString(list.text, [wanted](std::string_view text) { return text == wanted; });
  };
  return OverTexts(Arg(node, 1), in_list);
}

Truth Evaluator::Impl::Mask(const MatchNode& node) const {
  const Number number = FetchNumber(Arg(node, 0));
  if (number.unknown) return Truth::kUnknown;
  const absl::int128 mask = program_.numbers[node.data].front();
  const absl::int128 bits = number.value & mask;
  return ToTruth(node.op == ExprOp::kHasAll ? bits == mask : bits != 0);
}

Truth Evaluator::Impl::AnyElement(const MatchNode& node) {
  const Operand list = Fetch(Arg(node, 0));
  if (list.unknown) return Truth::kUnknown;
  const std::string_view outer = element_;
  Truth any = Truth::kFalse;
  AnyString(list.text, [&](std::string_view text) {
    element_ = text;
    any = Or(any, Eval(Arg(node, 1)));
    return any == Truth::kTrue;
  });
  element_ = outer;
  return any;
}

Truth Evaluator::Impl::AnyAncestor(const MatchNode& node) {
  if (ancestors_ == nullptr) return Truth::kFalse;
  const int outer = generation_;
  const bool outer_unknown = ancestor_unknown_;
  Truth any = ancestors_->Complete() ? Truth::kFalse : Truth::kUnknown;
  const int count = ancestors_->Count();
  for (generation_ = 0; generation_ < count && any != Truth::kTrue; ++generation_) {
    const std::optional<FieldValue> unknown =
        ancestors_->Field(generation_, FieldId::kProcessUnknown);
    ancestor_unknown_ = unknown && unknown->number != 0;
    any = Or(any, Eval(Arg(node, 0)));
  }
  generation_ = outer;
  ancestor_unknown_ = outer_unknown;
  return any;
}

Truth Evaluator::Impl::Matches(const MatchNode& node) {
  const PatternUse& use = program_.patterns[node.data];
  const MatchNode& subject = Arg(node, 0);
  FieldPatterns& group = program_.groups[use.group];
  if (use.whole_field) {
    RunGroup(use.group);
    const bool any = std::any_of(use.ids.begin(), use.ids.end(),
                                 [&group](uint32_t id) { return group.regexes.Matched(id); });
    // What of the field is not known was left out of the run.
    return any ? Truth::kTrue : OverTexts(subject, [](std::string_view) { return false; });
  }
  const Operand operand = FetchText(subject);
  if (operand.unknown) return Truth::kUnknown;
  // A text that is absent is empty; the group has run over those only that are there.
  const bool grouped = group.field != FieldId::kInvalid && !operand.text.empty();
  if (grouped) RunGroup(use.group);
  return ToTruth(std::any_of(use.ids.begin(), use.ids.end(), [&](uint32_t id) {
    return (!grouped || group.regexes.Matched(id)) && group.regexes.MatchesOne(id, operand.text);
  }));
}

void Evaluator::Impl::RunGroup(size_t index) {
  if (ran_[index] == event_number_) return;
  ran_[index] = event_number_;
  FieldPatterns& group = program_.groups[index];
  group.regexes.Clear();
  if (group.ancestor) {
    for (int i = 0; ancestors_ != nullptr && i < ancestors_->Count(); ++i) {
      const std::optional<FieldValue> value = ancestors_->Field(i, group.field);
      RunOver(group.regexes, group.field, value ? value->text : std::string_view());
    }
    return;
  }
  if (!event_->IsUnknown(group.field)) {
    const FieldValue* value = event_->Get(group.field);
    RunOver(group.regexes, group.field, value == nullptr ? std::string_view() : value->text);
  }
  if (group.field != FieldId::kFilePath) return;
  const FieldValue* aliases = event_->Get(FieldId::kFileAliases);
  if (aliases == nullptr || event_->IsUnknown(FieldId::kFileAliases)) return;
  RunOver(group.regexes, FieldId::kFileAliases, aliases->text);
}

void Evaluator::Impl::RunOver(RegexGroup& regexes, FieldId field, std::string_view value) {
  const auto run = [&](std::string_view text) {
    ++counters_.pattern_sets;
    counters_.sets_out_of_memory += static_cast<uint64_t>(regexes.Run(text));
  };
  if (ValueTypeOf(field) == ValueType::kString) {
    run(value);
  } else {
    ForEachString(value, run);
  }
}

Evaluator::Evaluator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Evaluator::~Evaluator() = default;

absl::StatusOr<std::unique_ptr<Evaluator>> Evaluator::Create(std::shared_ptr<const RuleSet> rules) {
  ASSIGN_OR_RETURN(MatchProgram program, CompileRules(*rules));
  auto impl = std::make_unique<Impl>(std::move(rules), std::move(program));
  return std::unique_ptr<Evaluator>(new Evaluator(std::move(impl)));
}

void Evaluator::BeginEvent(const EventFields* event, const AncestorSource* ancestors) {
  impl_->BeginEvent(event, ancestors);
}
Truth Evaluator::Evaluate(size_t rule_index) { return impl_->Evaluate(rule_index); }
const RuleSet& Evaluator::rules() const { return impl_->rules(); }
const Evaluator::Counters& Evaluator::counters() const { return impl_->counters(); }

}  // namespace kentry
