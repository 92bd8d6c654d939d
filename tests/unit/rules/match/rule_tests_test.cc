// SPDX-License-Identifier: Apache-2.0
#include "rules/match/rule_tests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;
using testing::ElementsAre;
using testing::HasSubstr;
using Expect = RuleTest::Expect;

Expr Placed(Expr expr, uint32_t line) {
  expr.at = {.file = 0, .line = line, .column = 11};
  return expr;
}

GivenField Given(FieldId id, std::vector<Literal> values, bool cut = false) {
  return {id, std::move(values), cut};
}

RuleTest Case(std::vector<GivenField> given, Expect expect, uint32_t line) {
  RuleTest test;
  test.at = {.file = 0, .line = line, .column = 9};
  test.given = std::move(given);
  test.expect = expect;
  return test;
}

// A rule on a shell in a container.
Rule ShellRule() {
  Rule rule = MakeRule(
      "shell", All({Placed(Texts(ExprOp::kIn, Field(kProcessBinary), {"/bin/sh", "/bin/bash"}), 5),
                    Placed(match_test::Not(Is(kContainerId, "")), 6)}));
  rule.on = EventClass::kProcessExec;
  return rule;
}

RuleSet Set(std::vector<Rule> rules) {
  RuleSet set;
  set.files.push_back({"shells.yaml", ""});
  set.rules = std::move(rules);
  return set;
}

TEST(RuleTestsTest, TestsPassAndCoverTheCondition) {
  Rule rule = ShellRule();
  const GivenField bash = Given(kProcessBinary, {"/bin/bash"});
  rule.tests = {Case({bash, Given(kContainerId, {"4f2a"})}, Expect::kMatch, 10),
                Case({bash}, Expect::kNoMatch, 11),
                Case({Given(kContainerId, {"4f2a"})}, Expect::kNoMatch, 12),
                Case({Given(kProcessBinary, {"in/sh"}, true), Given(kContainerId, {"4f2a"})},
                     Expect::kUnknown, 13)};
  const RuleSet set = Set({rule});
  const TestReport report = RunRuleTests(set);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.passed, 4u);
  ASSERT_EQ(report.rules.size(), 1u);
  ASSERT_EQ(report.rules[0].parts.size(), 2u);
  for (const PartCoverage& part : report.rules[0].parts) {
    EXPECT_TRUE(part.ever_true && part.ever_false) << part.text;
  }
  EXPECT_EQ(FormatTestReport(set, report, false), "4 tests of 1 rule: 4 passed, 0 failed\n");
}

TEST(RuleTestsTest, FailureShowsWhereAndWhatThePartsWere) {
  Rule rule = ShellRule();
  rule.tests = {Case({Given(kProcessBinary, {"/bin/sh"})}, Expect::kMatch, 10)};
  rule.tests[0].name = "on the host \x1b";
  const RuleSet set = Set({rule});
  const TestReport report = RunRuleTests(set);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(FormatTestReport(set, report, false),
            "shells.yaml:10:9: failed: rule shell, test on the host \\x1b: expected match, got no "
            "match\n"
            "  true     process.binary in [\"/bin/sh\", \"/bin/bash\"]\n"
            "  false    container.id != \"\"\n"
            "shells.yaml:5:11: not covered: rule shell: process.binary in [\"/bin/sh\", "
            "\"/bin/bash\"] is false in no test\n"
            "shells.yaml:6:11: not covered: rule shell: container.id != \"\" is true in no test\n"
            "1 test of 1 rule: 0 passed, 1 failed\n");
  EXPECT_THAT(FormatTestReport(set, report, true), HasSubstr("\x1b[31;1mfailed:\x1b[0m"));
}

TEST(RuleTestsTest, ExpectedActionIsTheRules) {
  Rule rule = MakeRule("r", Op(ExprOp::kTrue));
  rule.action = RuleAction::kKill;
  rule.tests = {Case({}, Expect::kMatch, 1), Case({}, Expect::kMatch, 2)};
  rule.tests[0].action = RuleAction::kKill;
  rule.tests[1].action = RuleAction::kAlert;
  const RuleSet set = Set({rule});
  const TestReport report = RunRuleTests(set);
  EXPECT_TRUE(report.tests[0].passed);
  EXPECT_FALSE(report.tests[1].passed);
  EXPECT_THAT(FormatTestReport(set, report, false),
              HasSubstr("test #2: expected action alert, the rule's is kill\n"));
}

TEST(RuleTestsTest, AncestorsMarksListsAndNumbersReachTheCondition) {
  const auto passes = [](Expr condition, RuleTest test) {
    Rule rule = MakeRule("r", std::move(condition));
    rule.tests = {std::move(test)};
    return RunRuleTests(Set({rule})).ok();
  };
  RuleTest test = Case({Given(kProcessArgs, {"sh", "-c"}), Given(kProcessUid, {absl::int128(7)}),
                        Given(kFileRead, {true})},
                       Expect::kMatch, 1);
  test.marks = {"seen"};
  test.ancestors = {
      {Given(kProcessBinary, {"/bin/sh"})},
      {Given(kProcessBinary, {"/usr/sbin/sshd"}), Given(kProcessUid, {absl::int128(0)})}};
  EXPECT_TRUE(passes(Texts(ExprOp::kHasElement, Field(kProcessArgs), {"-c"}), test));
  EXPECT_TRUE(passes(Compare(ExprOp::kEqual, Field(kProcessUid), 7), test));
  EXPECT_TRUE(passes(Field(kFileRead), test));
  EXPECT_TRUE(passes(Op(ExprOp::kMarked, {}, {"seen"}), test));
  EXPECT_FALSE(passes(Op(ExprOp::kMarked, {}, {"other"}), test));
  EXPECT_TRUE(passes(
      Op(ExprOp::kAnyAncestor, {Texts(ExprOp::kEndsWith, Field(kProcessBinary, true), {"sshd"})}),
      test));
  test.given.push_back(Given(kProcessMarks, {"other"}));
  std::swap(test.given[2], test.given[3]);
  EXPECT_TRUE(passes(Op(ExprOp::kMarked, {}, {"other"}), test));
  EXPECT_TRUE(passes(Op(ExprOp::kMarked, {}, {"seen"}), test));
  test.ancestors[1][0].cut = true;
  test.expect = Expect::kUnknown;
  EXPECT_TRUE(passes(
      Op(ExprOp::kAnyAncestor, {Texts(ExprOp::kEndsWith, Field(kProcessBinary, true), {"sshd"})}),
      test));
}

TEST(RuleTestsTest, MacroUsedTwiceIsOnePart) {
  const Expr macro = Placed(Field(kFileRead), 3);
  Rule rule = MakeRule("r", Any({All({macro, Field(kFileWrite)}), macro}));
  rule.tests = {Case({Given(kFileRead, {true})}, Expect::kMatch, 1)};
  const TestReport report = RunRuleTests(Set({rule}));
  ASSERT_EQ(report.rules[0].parts.size(), 2u);
  EXPECT_EQ(report.rules[0].parts[0].text, "file.read");
}

TEST(RuleTestsTest, OneRuleCanBeChosenAndUntestedOnesAreNamed) {
  Rule tested = MakeRule("tested", Op(ExprOp::kTrue));
  tested.tests = {Case({}, Expect::kMatch, 1)};
  const RuleSet set = Set({tested, MakeRule("bare", Op(ExprOp::kTrue))});
  TestReport report = RunRuleTests(set);
  EXPECT_THAT(report.untested, ElementsAre("bare"));
  EXPECT_THAT(FormatTestReport(set, report, false), HasSubstr("rules without tests: bare\n"));
  report = RunRuleTests(set, "tested");
  EXPECT_EQ(report.tests.size(), 1u);
  EXPECT_TRUE(report.untested.empty());
  EXPECT_TRUE(RunRuleTests(set, "nobody").tests.empty());
}

TEST(RuleTestsTest, RuleThatDoesNotCompileFailsWithTheReason) {
  Rule rule = MakeRule("r", Texts(ExprOp::kMatches, Field(kFilePath), {"a("}));
  rule.tests = {Case({}, Expect::kNoMatch, 1)};
  const RuleSet set = Set({rule});
  const TestReport report = RunRuleTests(set);
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(FormatTestReport(set, report, false), HasSubstr("missing )"));
}

TEST(RuleTestsTest, ReportIsJson) {
  Rule rule = ShellRule();
  rule.tests = {Case({Given(kProcessBinary, {"/bin/sh"})}, Expect::kMatch, 10)};
  rule.tests[0].name = "a \"b\"\n\xff";
  const RuleSet set = Set({rule, MakeRule("bare", Op(ExprOp::kTrue))});
  EXPECT_EQ(
      TestReportJson(set, RunRuleTests(set)),
      R"({"passed":0,"failed":1,"tests":[{"rule":"shell","name":"a \"b\"\u000a\\xff",)"
      R"("file":"shells.yaml","line":10,"column":9,"passed":false,"expected":"match",)"
      R"("got":"no match","action":"alert","parts":[{"file":"shells.yaml","line":5,"column":11,)"
      R"("text":"process.binary in [\"/bin/sh\", \"/bin/bash\"]","value":"true"},)"
      R"({"file":"shells.yaml","line":6,"column":11,"text":"container.id != \"\"",)"
      R"("value":"false"}]}],"rules":[{"rule":"shell","file":"shells.yaml","line":0,"column":0,"tests":1,)"
      R"("parts":[{"file":"shells.yaml","line":5,"column":11,)"
      R"("text":"process.binary in [\"/bin/sh\", \"/bin/bash\"]","ever_true":true,)"
      R"("ever_false":false},{"file":"shells.yaml","line":6,"column":11,)"
      R"("text":"container.id != \"\"","ever_true":false,"ever_false":true}]}],)"
      R"("untested":["bare"]})"
      "\n");
}

}  // namespace
}  // namespace kentry
