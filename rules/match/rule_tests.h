// SPDX-License-Identifier: Apache-2.0
// Runs the tests that stand in rule files.
#ifndef KENTRY_RULES_MATCH_RULE_TESTS_H_
#define KENTRY_RULES_MATCH_RULE_TESTS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/match/truth.h"
#include "rules/model/rule_set.h"

namespace kentry {

// What one part of a condition was in one test.
struct PartResult {
  SourcePos at;
  std::string text;  // the part, as Kentry understood it: lists and macros expanded, lists cut
  Truth truth = Truth::kFalse;
};

struct TestResult {
  std::string rule;
  SourcePos at;
  std::string name;  // the test's own, or "#2": its number in the rule, from 1
  bool passed = false;
  RuleTest::Expect expected = RuleTest::Expect::kMatch;
  Truth got = Truth::kFalse;
  std::optional<RuleAction> expected_action;  // when the test names one
  RuleAction action = RuleAction::kAlert;     // the rule's
  std::string error;                          // why it could not be run; "" = it ran
  std::vector<PartResult> parts;              // of a test that failed: all parts of the condition
};

// A part of a rule's condition (a comparison, or the negation of one), over all tests of the rule.
struct PartCoverage {
  SourcePos at;
  std::string text;
  bool ever_true = false;
  bool ever_false = false;
};

struct RuleCoverage {
  std::string rule;
  SourcePos at;
  size_t tests = 0;
  std::vector<PartCoverage> parts;
};

struct TestReport {
  std::vector<TestResult> tests;      // in the order of the rules and of the tests in them
  std::vector<RuleCoverage> rules;    // the rules that have tests
  std::vector<std::string> untested;  // names of the rules that have none
  size_t passed = 0;
  size_t failed = 0;

  bool ok() const { return failed == 0; }
};

// Runs the tests of all rules, the disabled ones too, or of the rule named `only_rule`. A rule that
// can't be compiled fails its tests with the reason. An unknown `only_rule` gives an empty report.
// Any thread.
TestReport RunRuleTests(const RuleSet& rules, std::string_view only_rule = "");

// The report for people: failures with their place and what the parts of the condition were, parts
// that no test makes true or false, rules without tests, a count. Texts from rule files are escaped
// so that they can't steer a terminal. `color`: with ANSI colours.
std::string FormatTestReport(const RuleSet& rules, const TestReport& report, bool color);

// The report as one JSON object, with a newline behind it.
std::string TestReportJson(const RuleSet& rules, const TestReport& report);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_RULE_TESTS_H_
