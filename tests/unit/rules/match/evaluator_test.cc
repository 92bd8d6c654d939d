// SPDX-License-Identifier: Apache-2.0
#include "rules/match/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fmt/format.h"
#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;
using enum ExprOp;

// Truth's own names are ExprOp's too.
constexpr Truth kYes = Truth::kTrue;
constexpr Truth kNo = Truth::kFalse;
constexpr Truth kMaybe = Truth::kUnknown;

constexpr uint16_t kCut = kFieldCut;

// A condition on values that make it true, false and unknown.
struct OperatorCase {
  std::string name;
  Expr condition;
  Values is_true;
  Values is_false;
  Values is_unknown;
};

Expr ArgIs(ExprOp op, std::string text) {
  return Op(kAnyElement, {Field(kProcessArgs), Texts(op, Element(), {std::move(text)})});
}

std::vector<OperatorCase> NumberCases() {
  const Values unknown = {{kProcessUid, Number(5, kCut)}};
  const auto uid = [](uint64_t number) { return Values{{kProcessUid, Number(number)}}; };
  const Expr field = Field(kProcessUid);
  return {
      {"equal", Compare(kEqual, field, 5), uid(5), uid(6), unknown},
      {"less", Compare(kLess, field, 5), uid(4), uid(5), unknown},
      {"less or equal", Compare(kLessEqual, field, 5), uid(5), uid(6), unknown},
      {"greater", Compare(kGreater, field, 5), uid(6), uid(5), unknown},
      {"greater or equal", Compare(kGreaterEqual, field, 5), uid(5), uid(4), unknown},
      {"in", Op(kIn, {field}, {absl::int128(7), absl::int128(5)}), uid(7), uid(6), unknown},
      {"above int64", Compare(kGreater, field, INT64_MAX), uid(UINT64_MAX), uid(INT64_MAX),
       unknown},
      {"two fields",
       Op(kEqual, {Field(kProcessUid), Field(kProcessEuid)}),
       {{kProcessUid, Number(5)}, {kProcessEuid, Number(5)}},
       {{kProcessUid, Number(5)}, {kProcessEuid, Number(0)}},
       {{kProcessUid, Number(5)}, {kProcessEuid, Number(0, kCut)}}},
      {"signed",
       Compare(kLess, Field(kFailedError), 0),
       {{kFailedError, Number(static_cast<uint64_t>(-2))}},
       {{kFailedError, Number(2)}},
       {{kFailedError, Number(2, kCut)}}},
      {"size",
       Compare(kEqual, Size(Field(kProcessArgs)), 2),
       {{kProcessArgs, List({"a", ""})}},
       {{kProcessArgs, List({"a"})}},
       {{kProcessArgs, List({"a", "b"}, kCut)}}},
      {"size of a string",
       Compare(kGreater, Size(Field(kProcessName)), 2),
       {{kProcessName, Text("abc")}},
       {{kProcessName, Text("ab")}},
       {{kProcessName, Text("abc", kCut)}}},
      {"has all",
       Compare(kHasAll, Field(kProcessCapEffective), 6),
       {{kProcessCapEffective, Number(7)}},
       {{kProcessCapEffective, Number(5)}},
       {{kProcessCapEffective, Number(7, kCut)}}},
      {"has any",
       Compare(kHasAny, Field(kProcessCapEffective), 6),
       {{kProcessCapEffective, Number(12)}},
       {{kProcessCapEffective, Number(9)}},
       {{kProcessCapEffective, Number(12, kCut)}}},
      {"bool field",
       Field(kProcessMemfd),
       {{kProcessMemfd, Number(1)}},
       {},
       {{kProcessUnknown, Number(1)}}},
      {"bool equal",
       Op(kEqual, {Field(kProcessMemfd)}, {Literal(false)}),
       {},
       {{kProcessMemfd, Number(1)}},
       {{kProcessUnknown, Number(1)}}},
      {"has number", Op(kHas, {field}), uid(5), uid(0), unknown},
  };
}

std::vector<OperatorCase> TextCases() {
  const Values unknown = {{kProcessBinary, Text("/bin/sh", kCut)}};
  const auto binary = [](const char* text) { return Values{{kProcessBinary, Text(text)}}; };
  const auto args = [](const std::vector<std::string>& texts, uint16_t flags = 0) {
    return Values{{kProcessArgs, List(texts, flags)}};
  };
  const Expr field = Field(kProcessBinary);
  return {
      {"equal", Is(kProcessBinary, "/bin/sh"), binary("/bin/sh"), binary("/bin/sh2"), unknown},
      {"not equal", Not(Is(kProcessBinary, "/bin/sh")), binary("/bin/a"), binary("/bin/sh"),
       unknown},
      {"in", Texts(kIn, field, {"/a", "/b"}), binary("/b"), binary("/c"), unknown},
      {"starts", Texts(kStartsWith, field, {"/usr/", "/bin/"}), binary("/bin/x"), binary("/bi"),
       unknown},
      {"ends", Texts(kEndsWith, field, {"sh"}), binary("/bin/bash"), binary("h"), unknown},
      {"contains", Texts(kContains, field, {"nc"}), binary("/bin/ncat"), binary("/bin/n"), unknown},
      {"matches", Texts(kMatches, field, {"^/b.*h$", "x"}), binary("/bin/sh"), binary("/bin/s"),
       unknown},
      {"has", Op(kHas, {field}), binary("/"), {}, unknown},
      {"two fields",
       Op(kEqual, {Field(kProcessBinary), Field(kParentBinary)}),
       {{kProcessBinary, Text("/a")}, {kParentBinary, Text("/a")}},
       {{kProcessBinary, Text("/a")}, {kParentBinary, Text("/b")}},
       {{kProcessBinary, Text("/a")}, {kParentPid, Number(4)}}},
      {"has element", Texts(kHasElement, Field(kProcessArgs), {"-c"}), args({"sh", "-c"}),
       args({"sh", "-cx"}), args({"sh", "-c"}, kCut)},
      {"has one of", Texts(kHasElement, Field(kProcessArgs), {"-c", "-e"}), args({"-e"}), args({}),
       args({}, kCut)},
      {"has a field's text",
       Op(kHasElement, {Field(kProcessArgs), Field(kProcessName)}),
       {{kProcessName, Text("sh")}, {kProcessArgs, List({"a", "sh"})}},
       {{kProcessName, Text("sh")}, {kProcessArgs, List({"a"})}},
       {{kProcessName, Text("sh", kCut)}, {kProcessArgs, List({"a"})}}},
      {"any element", ArgIs(kStartsWith, "--x"), args({"a", "--xy"}), args({"a", "-x"}),
       args({"--xy"}, kCut)},
      {"any element matches", ArgIs(kMatches, "^-+x$"), args({"a", "--x"}), args({"x", "--xy"}),
       args({"--x"}, kCut)},
      {"element", Texts(kEqual, At(kProcessArgs, 1), {"-c"}), args({"sh", "-c"}),
       args({"-c", "sh"}), args({"sh", "-c"}, kCut)},
      {"element matches", Texts(kMatches, At(kProcessArgs, 1), {"^-c*$"}), args({"sh", "-cc"}),
       args({"-c", "sh"}), args({"sh", "-c"}, kCut)},
      {"marked",
       Op(kMarked, {}, {"seen", "other"}),
       {{kProcessMarks, List({"a", "seen"})}},
       {{kProcessMarks, List({"see"})}},
       {{kProcessUnknown, Number(1)}}},
  };
}

void CheckCases(const std::vector<OperatorCase>& cases) {
  for (const OperatorCase& test : cases) {
    EXPECT_EQ(Judge(test.condition, test.is_true), kYes) << test.name;
    EXPECT_EQ(Judge(test.condition, test.is_false), kNo) << test.name;
    EXPECT_EQ(Judge(test.condition, test.is_unknown), kMaybe) << test.name;
    EXPECT_EQ(Judge(Not(test.condition), test.is_true), kNo) << test.name;
    EXPECT_EQ(Judge(Not(test.condition), test.is_false), kYes) << test.name;
    EXPECT_EQ(Judge(Not(test.condition), test.is_unknown), kMaybe) << test.name;
  }
}

TEST(EvaluatorTest, OperatorsOnNumbers) { CheckCases(NumberCases()); }
TEST(EvaluatorTest, OperatorsOnTexts) { CheckCases(TextCases()); }

TEST(EvaluatorTest, ConstantsAndConnectives) {
  const Expr unknown = Is(kProcessBinary, "/a");
  const Values values = {{kProcessUnknown, Number(1)}};
  EXPECT_EQ(Judge(Op(ExprOp::kTrue), values), kYes);
  EXPECT_EQ(Judge(Op(ExprOp::kFalse), values), kNo);
  EXPECT_EQ(Judge(All({unknown, Op(ExprOp::kFalse)}), values), kNo);
  EXPECT_EQ(Judge(All({unknown, Op(ExprOp::kTrue)}), values), kMaybe);
  EXPECT_EQ(Judge(Any({unknown, Op(ExprOp::kTrue)}), values), kYes);
  EXPECT_EQ(Judge(Any({Op(ExprOp::kFalse), unknown}), values), kMaybe);
  EXPECT_EQ(Judge(Field(kProcessUnknown), values), kYes);
}

TEST(EvaluatorTest, AbsentFieldIsZero) {
  EXPECT_EQ(Judge(Is(kContainerId, ""), {}), kYes);
  EXPECT_EQ(Judge(Not(Is(kContainerId, "")), {}), kNo);
  EXPECT_EQ(Judge(Compare(kEqual, Field(kProcessUid), 0), {}), kYes);
  EXPECT_EQ(Judge(Compare(kEqual, Size(Field(kProcessArgs)), 0), {}), kYes);
  EXPECT_EQ(Judge(Texts(kEqual, At(kProcessArgs, 3), {""}), {}), kYes);
  EXPECT_EQ(Judge(Texts(kMatches, Field(kContainerId), {"^$"}), {}), kYes);
  EXPECT_EQ(Judge(Texts(kMatches, At(kProcessArgs, 3), {"^$"}), {}), kYes);
  EXPECT_EQ(Judge(Field(kFileRead), {}), kNo);
}

TEST(EvaluatorTest, ConditionOnPathHoldsForAliases) {
  const Values values = {{kFilePath, Text("/tmp/x")},
                         {kFileAliases, List({"/etc/passwd", "/etc/shadow"})}};
  const std::vector<Expr> conditions = {
      Is(kFilePath, "/etc/shadow"),
      Texts(kIn, Field(kFilePath), {"/a", "/etc/shadow"}),
      Texts(kStartsWith, Field(kFilePath), {"/etc/"}),
      Texts(kEndsWith, Field(kFilePath), {"passwd"}),
      Texts(kContains, Field(kFilePath), {"hado"}),
      Texts(kMatches, Field(kFilePath), {"^/etc/s"}),
  };
  const Values plain = {{kFilePath, Text("/tmp/x")}};
  const Values own = {{kFilePath, Text("/etc/shadow")}, {kFileAliases, List({"/tmp/x"})}};
  const Values cut = {{kFilePath, Text("tmp/x", kCut)}, {kFileAliases, List({"/y"})}};
  const Values cut_but_known = {{kFilePath, Text("tmp/x", kCut)},
                                {kFileAliases, List({"/etc/shadow", "/etc/passwd"})}};
  for (const Expr& condition : conditions) {
    EXPECT_EQ(Judge(condition, values), kYes) << static_cast<int>(condition.op);
    EXPECT_EQ(Judge(Not(condition), values), kNo) << static_cast<int>(condition.op);
    EXPECT_EQ(Judge(condition, plain), kNo) << static_cast<int>(condition.op);
    EXPECT_EQ(Judge(Not(condition), plain), kYes) << static_cast<int>(condition.op);
    EXPECT_EQ(Judge(condition, cut), kMaybe) << static_cast<int>(condition.op);
    EXPECT_EQ(Judge(condition, cut_but_known), kYes) << static_cast<int>(condition.op);
  }
  EXPECT_EQ(Judge(conditions[0], own), kYes);
  EXPECT_EQ(Judge(Is(kFilePath, "/tmp/x"), own), kYes);
}

TEST(EvaluatorTest, AliasesCountOnBothSidesOfTwoFields) {
  const Values values = {
      {kProcessBinary, Text("/a")}, {kFilePath, Text("/b")}, {kFileAliases, List({"/a"})}};
  EXPECT_EQ(Judge(Op(kEqual, {Field(kFilePath), Field(kProcessBinary)}), values), kYes);
  EXPECT_EQ(Judge(Op(kEqual, {Field(kProcessBinary), Field(kFilePath)}), values), kYes);
}

TEST(EvaluatorTest, CutAliasesLeaveAFalseOpen) {
  const Values values = {{kFilePath, Text("/b")}, {kFileAliases, List({"/a"}, kCut)}};
  EXPECT_EQ(Judge(Is(kFilePath, "/b"), values), kYes);
  EXPECT_EQ(Judge(Is(kFilePath, "/a"), values), kMaybe);
  EXPECT_EQ(Judge(Texts(kMatches, Field(kFilePath), {"a"}), values), kMaybe);
}

TEST(EvaluatorTest, AncestorsAreAskedOneByOne) {
  const Expr shell_of_root =
      Op(kAnyAncestor, {All({Texts(kEqual, Field(kProcessBinary, true), {"/bin/sh"}),
                             Compare(kEqual, Field(kProcessUid, true), 0)})});
  const Ancestors split({{{kProcessBinary, Text("/bin/sh")}, {kProcessUid, Number(5)}},
                         {{kProcessBinary, Text("/sbin/init")}, {kProcessUid, Number(0)}}});
  EXPECT_EQ(Judge(shell_of_root, {}, &split), kNo);
  const Ancestors both({{{kProcessBinary, Text("/a")}, {kProcessUid, Number(0)}},
                        {{kProcessBinary, Text("/bin/sh")}, {kProcessUid, Number(0)}}});
  EXPECT_EQ(Judge(shell_of_root, {}, &both), kYes);
  EXPECT_EQ(Judge(shell_of_root, {}, nullptr), kNo);
}

TEST(EvaluatorTest, AncestorThatIsNotKnownLeavesAFalseOpen) {
  const Expr is_sshd =
      Op(kAnyAncestor, {Texts(kEqual, Field(kProcessBinary, true), {"/usr/sbin/sshd"})});
  const Ancestors lost({{{kProcessUnknown, Number(1)}}, {{kProcessBinary, Text("/sbin/init")}}});
  EXPECT_EQ(Judge(is_sshd, {}, &lost), kMaybe);
  const Ancestors cut({{{kProcessBinary, Text("sbin/sshd", kCut)}}});
  EXPECT_EQ(Judge(is_sshd, {}, &cut), kMaybe);
  const Ancestors incomplete({{{kProcessBinary, Text("/bin/sh")}}}, false);
  EXPECT_EQ(Judge(is_sshd, {}, &incomplete), kMaybe);
  const Ancestors found(
      {{{kProcessUnknown, Number(1)}}, {{kProcessBinary, Text("/usr/sbin/sshd")}}}, false);
  EXPECT_EQ(Judge(is_sshd, {}, &found), kYes);
}

TEST(EvaluatorTest, PatternsOnAncestorsAndTheirArguments) {
  const Expr binary =
      Op(kAnyAncestor, {Texts(kMatches, Field(kProcessBinary, true), {"^/usr/.*d$"})});
  const Expr argument =
      Op(kAnyAncestor,
         {Op(kAnyElement, {Field(kProcessArgs, true), Texts(kMatches, Element(), {"^-D+$"})})});
  const Ancestors ancestors(
      {{{kProcessBinary, Text("/bin/sh")}},
       {{kProcessBinary, Text("/usr/sbin/sshd")}, {kProcessArgs, List({"sshd", "-DD"})}}});
  EXPECT_EQ(Judge(binary, {}, &ancestors), kYes);
  EXPECT_EQ(Judge(argument, {}, &ancestors), kYes);
  const Ancestors others({{{kProcessBinary, Text("/bin/sh")}, {kProcessArgs, List({"-x"})}}});
  EXPECT_EQ(Judge(binary, {}, &others), kNo);
  EXPECT_EQ(Judge(argument, {}, &others), kNo);
}

TEST(EvaluatorTest, NestedLoopsKeepTheirPlaces) {
  const Expr inner = Op(kAnyElement, {Field(kProcessEnv), Texts(kEqual, Element(), {"e"})});
  const Expr outer =
      Op(kAnyElement, {Field(kProcessArgs), All({inner, Texts(kEqual, Element(), {"a"})})});
  EXPECT_EQ(Judge(outer, {{kProcessArgs, List({"a"})}, {kProcessEnv, List({"d", "e"})}}), kYes);
  EXPECT_EQ(Judge(outer, {{kProcessArgs, List({"e"})}, {kProcessEnv, List({"d", "e"})}}), kNo);
}

TEST(EvaluatorTest, HostileBytesAreBytes) {
  const std::string bytes = "/tmp/\xff\x1b[2J\n\xe2\x80\xae";
  const Values values = {{kFilePath, Text(bytes)}};
  EXPECT_EQ(Judge(Is(kFilePath, bytes), values), kYes);
  EXPECT_EQ(Judge(Texts(kContains, Field(kFilePath), {"\xff\x1b"}), values), kYes);
  EXPECT_EQ(Judge(Texts(kMatches, Field(kFilePath), {"\\xff\\x1b.2J\n"}), values), kYes);
  EXPECT_EQ(Judge(Texts(kEndsWith, Field(kFilePath), {"\x80\xae"}), values), kYes);
  EXPECT_EQ(Judge(Texts(kMatches, Field(kFilePath), {"^/tmp/.$"}), values), kNo);
}

TEST(EvaluatorTest, LongAdversarialTextsStayCheap) {
  const std::string text(24 * 1024, 'a');
  std::string list;
  for (int i = 0; i < 12 * 1024; ++i) list += std::string("a") + '\0';
  Value args;
  args.text = list;
  const Values values = {{kProcessCwd, Text(text)}, {kProcessArgs, args}};
  EXPECT_EQ(Judge(Texts(kContains, Field(kProcessCwd), {text.substr(1, 12000) + "b"}), values),
            kNo);
  EXPECT_EQ(Judge(Texts(kMatches, Field(kProcessCwd), {"(a*)*(a*)*b$"}), values), kNo);
  EXPECT_EQ(Judge(ArgIs(kMatches, "^a+b$"), values), kNo);
  EXPECT_EQ(Judge(Texts(kEqual, At(kProcessArgs, 12 * 1024 - 1), {"a"}), values), kYes);
}

TEST(EvaluatorTest, PatternsOfAFieldRunOnceAnEventAndOnlyWhenAsked) {
  std::vector<Expr> conditions;
  for (int i = 0; i < 1000; ++i) {
    conditions.push_back(Texts(kMatches, Field(kFilePath), {fmt::format("^/[a-z]+/{}$", i)}));
  }
  conditions.push_back(Is(kFilePath, "/x"));
  const auto evaluator = MakeEvaluator(std::move(conditions));
  const Event event({{kFilePath, Text("/etc/512")}});
  evaluator->BeginEvent(&event.fields(), nullptr);
  EXPECT_EQ(evaluator->Evaluate(1000), kNo);
  EXPECT_EQ(evaluator->counters().pattern_sets, 0u);
  for (size_t i = 0; i < 1000; ++i) EXPECT_EQ(evaluator->Evaluate(i), ToTruth(i == 512)) << i;
  EXPECT_EQ(evaluator->counters().pattern_sets, 1u);
  const Event next({{kFilePath, Text("/etc/513")}});
  evaluator->BeginEvent(&next.fields(), nullptr);
  EXPECT_EQ(evaluator->Evaluate(512), kNo);
  EXPECT_EQ(evaluator->Evaluate(513), kYes);
  EXPECT_EQ(evaluator->counters().pattern_sets, 2u);
  EXPECT_EQ(evaluator->counters().sets_out_of_memory, 0u);
  EXPECT_EQ(evaluator->counters().evaluations, 1003u);
}

TEST(EvaluatorTest, RefusedPatternNamesItsRuleOrItself) {
  const auto evaluator = Evaluator::Create(MakeSet({Texts(kMatches, Field(kFilePath), {"a("})}));
  ASSERT_FALSE(evaluator.ok());
  EXPECT_THAT(std::string(evaluator.status().message()), testing::HasSubstr("a("));
}

TEST(EvaluatorTest, MalformedConditionsAreRefused) {
  Expr deep = Op(ExprOp::kTrue);
  for (int i = 0; i < 1000; ++i) deep = Not(std::move(deep));
  const std::vector<Expr> conditions = {Op(kNot),
                                        Op(kAnd),
                                        Op(kEqual),
                                        Op(kEqual, {Field(kProcessUid)}),
                                        Texts(kEqual, Field(kProcessUid), {"a"}),
                                        Compare(kEqual, Field(kProcessName), 1),
                                        Compare(kLess, Field(kFileRead), 1),
                                        Texts(kLess, Field(kProcessName), {"a"}),
                                        Op(kEqual, {Field(kProcessUid), Field(kProcessName)}),
                                        Op(kField),
                                        Texts(kHasElement, Field(kProcessName), {"a"}),
                                        Texts(kEqual, Field(kProcessArgs), {"a"}),
                                        Op(kHas),
                                        Op(kHasAll, {Field(kProcessUid)}),
                                        Op(kInPrefix, {Field(kProcessName)}),
                                        Op(kAnyElement, {Field(kProcessName), Op(ExprOp::kTrue)}),
                                        Op(kAnyAncestor),
                                        Op(kAnd, {Field(kProcessUid)}),
                                        Field(kProcessUid),
                                        Op(kLiteral),
                                        Op(kEqual, {Field(kProcessUid)}, {IpPrefix()}),
                                        deep};
  for (size_t i = 0; i < conditions.size(); ++i) {
    EXPECT_EQ(Evaluator::Create(MakeSet({conditions[i]})).status().code(),
              absl::StatusCode::kInvalidArgument)
        << i;
  }
}

TEST(EvaluatorTest, EmptyRuleSetIsFine) {
  EXPECT_TRUE(Evaluator::Create(std::make_shared<RuleSet>()).ok());
}

}  // namespace
}  // namespace kentry
