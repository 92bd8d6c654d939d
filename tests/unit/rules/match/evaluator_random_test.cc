// SPDX-License-Identifier: Apache-2.0
// The evaluator against the plainest reading of an expression, on random rule sets and events.
#include <re2/re2.h>

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "rules/match/evaluator.h"
#include "rules/model/expr_text.h"
#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;
using enum ExprOp;

// --- the plain reading ---------------------------------------------------------------------------

using Maybe = std::optional<bool>;  // nothing: unknown

Maybe Negate(Maybe a) { return a ? Maybe(!*a) : a; }
Maybe Either(Maybe a, Maybe b) {
  if (a == Maybe(true) || b == Maybe(true)) return true;
  if (!a || !b) return std::nullopt;
  return false;
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> texts;
  std::string text;
  for (const char c : list) {
    if (c == '\0') {
      texts.push_back(text);
      text.clear();
    } else {
      text += c;
    }
  }
  if (!text.empty()) texts.push_back(text);
  return texts;
}

class Plain {
 public:
  Plain(const Values& event, const Ancestors& ancestors) : event_(event), ancestors_(ancestors) {}

  Maybe Judge(const Expr& e) {
    switch (e.op) {
      case kTrue:
      case kFalse:
        return e.op == kTrue;
      case kAnd: {
        Maybe none = false;  // by de Morgan, so that it is not written like the other
        for (const Expr& arg : e.args) none = Either(none, Negate(Judge(arg)));
        return Negate(none);
      }
      case kOr: {
        Maybe any = false;
        for (const Expr& arg : e.args) any = Either(any, Judge(arg));
        return any;
      }
      case kNot:
        return Negate(Judge(e.args[0]));
      case kField:
        return Unknown(e) ? Maybe() : Maybe(Get(e).number != 0);
      case kAnyElement:
        return AnyElement(e);
      case kAnyAncestor:
        return AnyAncestor(e);
      case kMarked:
        return HasElement(e, Field(kProcessMarks));
      case kHasElement:
        return HasElement(e, e.args[0]);
      case kHas:
        if (Unknown(e.args[0])) return std::nullopt;
        if (IsNumber(e.args[0])) return NumberOf(e.args[0]) != 0;
        if (e.args[0].op == kField) return !Get(e.args[0]).text.empty();
        return TextsOf(e.args[0])[0] != "";
      default:
        return e.args[0].op == kField && ValueTypeOf(e.args[0].field) == ValueType::kBool
                   ? Bool(e)
                   : (IsNumber(e.args[0]) ? Numbers(e) : Strings(e));
    }
  }

 private:
  static bool IsNumber(const Expr& e) {
    return e.op == kSize || (e.op == kField && ValueTypeOf(e.field) != ValueType::kString &&
                             ValueTypeOf(e.field) != ValueType::kStringList);
  }

  Value Get(const Expr& e) const {
    const Values& values =
        e.ancestor ? ancestors_.values()[static_cast<size_t>(generation_)] : event_;
    const auto at = values.find(e.field);
    return at == values.end() ? Value() : at->second;
  }
  bool Says(const Values& values, FieldId id) const {
    return values.contains(id) && values.at(id).number != 0;
  }

  bool Unknown(const Expr& e) const {
    if (e.op == kElement || e.op == kLiteral) return false;
    if (e.op == kIndex || e.op == kSize) return Unknown(e.args[0]);
    if ((Get(e).flags & kFieldCut) != 0) return true;
    const std::string name(GetField(e.field).name);
    const auto starts = [&name](const char* with) { return name.rfind(with, 0) == 0; };
    const bool image = starts("process.") && name != "process.pid" && name != "process.start_ns" &&
                       name != "process.unknown";
    if (e.ancestor) {
      return image && Says(ancestors_.values()[static_cast<size_t>(generation_)], kProcessUnknown);
    }
    if (image && Says(event_, kProcessUnknown)) return true;
    const bool cgroup = starts("container.") || starts("pod.");
    if (cgroup && Says(event_, kCgroupUnknown)) return true;
    return name == "parent.binary" && Says(event_, kParentPid) && !event_.contains(kParentBinary);
  }

  absl::int128 NumberOf(const Expr& e) const {
    if (e.op == kSize) {
      const Expr& of = e.args[0];
      if (of.type == ValueType::kStringList) return Split(Get(of).text).size();
      return TextsOf(of)[0].size();
    }
    if (e.field == kFailedError) return static_cast<int64_t>(Get(e).number);
    return Get(e).number;
  }
  // Its own text first, then the aliases.
  std::vector<std::string> TextsOf(const Expr& e) const {
    if (e.op == kElement) return {element_};
    if (e.op == kIndex) {
      const std::vector<std::string> texts = Split(Get(e.args[0]).text);
      return {e.index < texts.size() ? texts[e.index] : ""};
    }
    std::vector<std::string> texts = {Get(e).text};
    if (e.field == kFilePath) {
      for (const std::string& alias : Split(Get(Field(kFileAliases)).text)) texts.push_back(alias);
    }
    return texts;
  }

  Maybe Bool(const Expr& e) const {
    if (Unknown(e.args[0])) return std::nullopt;
    return (Get(e.args[0]).number != 0) == std::get<bool>(e.values[0]);
  }

  Maybe Numbers(const Expr& e) const {
    if (Unknown(e.args[0]) || (e.args.size() > 1 && Unknown(e.args[1]))) return std::nullopt;
    const absl::int128 a = NumberOf(e.args[0]);
    std::vector<absl::int128> others;
    if (e.args.size() > 1) others.push_back(NumberOf(e.args[1]));
    for (const Literal& value : e.values) others.push_back(std::get<absl::int128>(value));
    bool any = false;
    for (const absl::int128 b : others) {
      any = any || (e.op == kLess           ? a < b
                    : e.op == kLessEqual    ? a <= b
                    : e.op == kGreater      ? a > b
                    : e.op == kGreaterEqual ? a >= b
                    : e.op == kHasAll       ? (a & b) == b
                    : e.op == kHasAny       ? (a & b) != 0
                                            : a == b);
    }
    return any;
  }

  static bool TextHolds(ExprOp op, const std::string& a, const std::string& b) {
    if (op == kStartsWith) return a.compare(0, b.size(), b) == 0;
    if (op == kEndsWith) return a.size() >= b.size() && a.substr(a.size() - b.size()) == b;
    if (op == kContains) return a.find(b) != std::string::npos;
    if (op == kMatches) return RE2::PartialMatch(a, RE2(b, RE2::Latin1));
    return a == b;
  }

  Maybe Strings(const Expr& e) const {
    std::vector<std::string> others;
    for (const Literal& value : e.values) others.push_back(std::get<std::string>(value));
    const bool two = e.args.size() > 1;
    if (two) others = TextsOf(e.args[1]);
    const std::vector<std::string> own = TextsOf(e.args[0]);
    Maybe any = false;
    for (size_t i = 0; i < own.size(); ++i) {
      for (size_t j = 0; j < others.size(); ++j) {
        const bool unknown =
            (i == 0 && Unknown(e.args[0])) || (two && j == 0 && Unknown(e.args[1]));
        any = Either(any, unknown ? Maybe() : Maybe(TextHolds(e.op, own[i], others[j])));
      }
    }
    // No text to compare with: false, were the value known.
    if (others.empty() && Unknown(e.args[0])) return std::nullopt;
    return any;
  }

  Maybe HasElement(const Expr& e, const Expr& list) const {
    if (Unknown(list)) return std::nullopt;
    bool any = false;
    for (const std::string& text : Split(Get(list).text)) {
      for (const Literal& value : e.values) any = any || text == std::get<std::string>(value);
    }
    return any;
  }

  Maybe AnyElement(const Expr& e) {
    if (Unknown(e.args[0])) return std::nullopt;
    Maybe any = false;
    const std::string outer = element_;
    for (const std::string& text : Split(Get(e.args[0]).text)) {
      element_ = text;
      any = Either(any, Judge(e.args[1]));
    }
    element_ = outer;
    return any;
  }

  Maybe AnyAncestor(const Expr& e) {
    Maybe any = false;
    if (!ancestors_.Complete()) any = std::nullopt;
    for (generation_ = 0; generation_ < ancestors_.Count(); ++generation_) {
      any = Either(any, Judge(e.args[0]));
    }
    generation_ = 0;
    return any;
  }

  const Values& event_;
  const Ancestors& ancestors_;
  std::string element_;
  int generation_ = 0;
};

// --- random conditions and events ----------------------------------------------------------------

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  Expr Condition(int depth) {
    const unsigned kind = Below(depth > 0 ? 9 : 6);
    switch (kind) {
      case 6:
        return Not(Condition(depth - 1));
      case 7:
      case 8: {
        std::vector<Expr> args;
        for (unsigned n = 1 + Below(4); n > 0; --n) args.push_back(Condition(depth - 1));
        return Op(kind == 7 ? kAnd : kOr, std::move(args));
      }
      default:
        return Leaf();
    }
  }

  Values Event() {
    Values values;
    for (const FieldId id :
         {kProcessBinary, kProcessName, kFilePath, kContainerId, kParentBinary}) {
      if (Below(4) > 0) values[id] = Text(String(), Cut());
    }
    for (const FieldId id : {kProcessArgs, kFileAliases, kProcessMarks}) {
      if (Below(2) > 0) values[id] = List(Strings(4), id == kFileAliases ? 0 : Cut());
    }
    for (const FieldId id : {kProcessUid, kProcessEuid, kProcessCapEffective, kFailedError,
                             kFileRead, kProcessMemfd, kParentPid}) {
      if (Below(3) > 0) values[id] = Number(SomeNumber(id), Cut());
    }
    if (Below(12) == 0) values[kProcessUnknown] = Number(1);
    if (Below(12) == 0) values[kCgroupUnknown] = Number(1);
    return values;
  }

  Ancestors Parents() {
    std::vector<Values> all(Below(4));
    for (Values& values : all) {
      if (Below(4) > 0) values[kProcessBinary] = Text(String(), Cut());
      if (Below(4) > 0) values[kProcessArgs] = List(Strings(3), Cut());
      if (Below(4) > 0) values[kProcessUid] = Number(SomeNumber(kProcessUid), Cut());
      if (Below(12) == 0) values[kProcessUnknown] = Number(1);
    }
    return Ancestors(std::move(all), Below(8) > 0);
  }

 private:
  unsigned Below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  uint16_t Cut() { return Below(12) == 0 ? kFieldCut : 0; }
  std::string String() {
    std::string text(Below(5), ' ');
    for (char& c : text) c = "ab/\xff"[Below(4)];
    return text;
  }
  std::vector<std::string> Strings(unsigned most) {
    std::vector<std::string> texts(Below(most + 1));
    for (std::string& text : texts) text = String();
    return texts;
  }
  uint64_t SomeNumber(FieldId id) {
    if (id == kFileRead || id == kProcessMemfd) return Below(2);
    constexpr uint64_t kEdges[] = {0, 1, 2, 3, UINT64_MAX, uint64_t{1} << 63};
    return kEdges[Below(6)];
  }

  Expr TextSubject(bool ancestor) {
    if (ancestor) return Field(kProcessBinary, true);
    constexpr FieldId kTexts[] = {kProcessBinary, kProcessName, kFilePath, kContainerId,
                                  kParentBinary};
    return Below(6) == 0 ? At(kProcessArgs, Below(3)) : Field(kTexts[Below(5)]);
  }

  Expr TextLeaf(Expr subject) {
    constexpr ExprOp kOps[] = {kEqual, kIn, kStartsWith, kEndsWith, kContains, kMatches};
    const ExprOp op = kOps[Below(6)];
    std::vector<std::string> texts;
    for (unsigned n = op == kEqual ? 1 : Below(5) == 0 ? 12 : 1 + Below(3); n > 0; --n) {
      constexpr const char* kPatterns[] = {"^a",    "b$",   "a.b",    "^$",
                                           "[^a]/", "a|/b", "\\xff+", "^.?$"};
      texts.push_back(op == kMatches ? kPatterns[Below(8)] : String());
    }
    return Texts(op, std::move(subject), texts);
  }

  Expr NumberLeaf(bool ancestor) {
    constexpr ExprOp kOps[] = {kEqual,        kLess,   kLessEqual, kGreater,
                               kGreaterEqual, kHasAll, kHasAny};
    constexpr FieldId kNumbers[] = {kProcessUid, kProcessCapEffective, kFailedError};
    const Expr subject = ancestor ? Field(kProcessUid, true)
                         : Below(5) == 0
                             ? Size(Below(2) == 0 ? Field(kProcessArgs) : Field(kProcessName))
                             : Field(kNumbers[Below(3)]);
    const absl::int128 number = static_cast<int>(Below(5)) - 1;
    if (Below(4) == 0) return Op(kIn, {subject}, {number, absl::int128(2), absl::int128(1) << 63});
    return Compare(kOps[Below(number < 0 ? 5 : 7)], subject, number);
  }

  Expr Leaf() {
    switch (Below(10)) {
      case 0:
        return NumberLeaf(false);
      case 1:
        return Below(2) == 0 ? Field(kFileRead)
                             : Op(kEqual, {Field(kProcessMemfd)}, {Literal(Below(2) == 0)});
      case 2: {
        Expr marked = Op(kMarked);
        for (const std::string& text : Strings(3)) marked.values.emplace_back(text);
        return marked;
      }
      case 3:
        return Texts(kHasElement, Field(kProcessArgs), Strings(3));
      case 4:
        return Op(kAnyElement,
                  {Field(kProcessArgs), All({TextLeaf(Element()), TextLeaf(Element())})});
      case 5:
        return Op(kAnyAncestor, {Any({TextLeaf(TextSubject(true)), NumberLeaf(true)})});
      case 6:
        return Op(kAnyAncestor,
                  {Op(kAnyElement, {Field(kProcessArgs, true), TextLeaf(Element())})});
      case 7:
        return Op(kEqual,
                  {Field(kFilePath), Field(Below(2) == 0 ? kProcessBinary : kParentBinary)});
      case 8:
        return Op(kHas, {Below(2) == 0 ? TextSubject(false) : Field(kProcessArgs)});
      default:
        return TextLeaf(TextSubject(false));
    }
  }

  std::mt19937 random_;
};

class EvaluatorRandomTest : public testing::TestWithParam<unsigned> {};

TEST_P(EvaluatorRandomTest, AgreesWithThePlainReading) {
  Random random(GetParam());
  int count[3] = {};
  for (int round = 0; round < 60; ++round) {
    std::vector<Expr> conditions;
    for (int i = 0; i < 25; ++i) conditions.push_back(random.Condition(3));
    const auto evaluator = MakeEvaluator(conditions);
    ASSERT_NE(evaluator, nullptr);
    for (int i = 0; i < 12; ++i) {
      const Values values = random.Event();
      const Ancestors ancestors = random.Parents();
      const match_test::Event event(values);
      evaluator->BeginEvent(&event.fields(), &ancestors);
      for (size_t rule = 0; rule < conditions.size(); ++rule) {
        const Maybe plain = Plain(values, ancestors).Judge(conditions[rule]);
        const Truth expected = plain ? ToTruth(*plain) : Truth::kUnknown;
        ASSERT_EQ(evaluator->Evaluate(rule), expected)
            << "round " << round << ", event " << i << ": " << ExprText(conditions[rule]);
        ++count[static_cast<int>(expected)];
      }
    }
  }
  for (const int outcomes : count) EXPECT_GT(outcomes, 1000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, EvaluatorRandomTest, testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace kentry
