// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "rules/match/rule_tests.h"
#include "rules/model/expr_text.h"
#include "sensor/util/terminal.h"

namespace kentry {
namespace {

constexpr size_t kMaxUntestedNames = 20;

std::string_view ExpectName(RuleTest::Expect expect) {
  switch (expect) {
    case RuleTest::Expect::kMatch:
      return "match";
    case RuleTest::Expect::kNoMatch:
      return "no match";
    case RuleTest::Expect::kUnknown:
      return "unknown";
  }
  return "?";
}

// What a test may expect, for what came out.
std::string_view OutcomeName(Truth truth) {
  switch (truth) {
    case Truth::kTrue:
      return "match";
    case Truth::kFalse:
      return "no match";
    case Truth::kUnknown:
      return "unknown";
  }
  return "?";
}

std::string_view FileName(const RuleSet& rules, const SourcePos& at) {
  return at.file < rules.files.size() ? std::string_view(rules.files[at.file].name) : "?";
}

std::string Place(const RuleSet& rules, const SourcePos& at) {
  return fmt::format("{}:{}:{}", TerminalText(FileName(rules, at)), at.line, at.column);
}

class Paint {
 public:
  explicit Paint(bool color) : color_(color) {}
  std::string Bad(std::string_view text) const { return In("31;1", text); }
  std::string Warn(std::string_view text) const { return In("33", text); }
  std::string Good(std::string_view text) const { return In("32", text); }

 private:
  std::string In(std::string_view code, std::string_view text) const {
    return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  bool color_;
};

std::string Failure(const RuleSet& rules, const TestResult& test, const Paint& paint) {
  std::string out = fmt::format("{}: {} rule {}, test {}: ", Place(rules, test.at),
                                paint.Bad("failed:"), test.rule, TerminalText(test.name));
  if (!test.error.empty()) return out + TerminalText(test.error) + "\n";
  const bool matches = ExpectName(test.expected) == OutcomeName(test.got);
  if (matches && test.expected_action) {
    out += fmt::format("expected action {}, the rule's is {}\n", ActionName(*test.expected_action),
                       ActionName(test.action));
  } else {
    out += fmt::format("expected {}, got {}\n", ExpectName(test.expected), OutcomeName(test.got));
  }
  for (const PartResult& part : test.parts) {
    out += fmt::format("  {:<7}  {}\n", TruthName(part.truth), part.text);
  }
  return out;
}

// "" when the tests cover the part.
std::string_view Missing(const PartCoverage& part) {
  if (part.ever_true && part.ever_false) return "";
  if (part.ever_true) return "is false in no test";
  return part.ever_false ? "is true in no test" : "is neither true nor false in any test";
}

std::string NotCovered(const RuleSet& rules, const TestReport& report, const Paint& paint) {
  std::string out;
  for (const RuleCoverage& rule : report.rules) {
    for (const PartCoverage& part : rule.parts) {
      if (Missing(part).empty()) continue;
      out += fmt::format("{}: {} rule {}: {} {}\n", Place(rules, part.at),
                         paint.Warn("not covered:"), rule.rule, part.text, Missing(part));
    }
  }
  return out;
}

std::string Untested(const TestReport& report, const Paint& paint) {
  if (report.untested.empty()) return "";
  std::string names;
  for (size_t i = 0; i < report.untested.size() && i < kMaxUntestedNames; ++i) {
    names += (i == 0 ? "" : ", ") + report.untested[i];
  }
  if (report.untested.size() > kMaxUntestedNames) {
    names += fmt::format(" and {} more", report.untested.size() - kMaxUntestedNames);
  }
  return fmt::format("{} {}\n", paint.Warn("rules without tests:"), names);
}

std::string Count(size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string PositionJson(const RuleSet& rules, const SourcePos& at) {
  return fmt::format(R"("file":{},"line":{},"column":{})", JsonString(FileName(rules, at)), at.line,
                     at.column);
}

std::string TestJson(const RuleSet& rules, const TestResult& test) {
  std::string out =
      fmt::format(R"({{"rule":{},"name":{},{},"passed":{},"expected":"{}","got":"{}")",
                  JsonString(test.rule), JsonString(test.name), PositionJson(rules, test.at),
                  test.passed, ExpectName(test.expected), OutcomeName(test.got));
  if (test.expected_action) {
    out += fmt::format(R"(,"expected_action":"{}")", ActionName(*test.expected_action));
  }
  out += fmt::format(R"(,"action":"{}")", ActionName(test.action));
  if (!test.error.empty()) out += fmt::format(R"(,"error":{})", JsonString(test.error));
  out += R"(,"parts":[)";
  for (size_t i = 0; i < test.parts.size(); ++i) {
    const PartResult& part = test.parts[i];
    out += fmt::format(R"({}{{{},"text":{},"value":"{}"}})", i == 0 ? "" : ",",
                       PositionJson(rules, part.at), JsonString(part.text), TruthName(part.truth));
  }
  return out + "]}";
}

std::string CoverageJson(const RuleSet& rules, const RuleCoverage& rule) {
  std::string out = fmt::format(R"({{"rule":{},{},"tests":{},"parts":[)", JsonString(rule.rule),
                                PositionJson(rules, rule.at), rule.tests);
  for (size_t i = 0; i < rule.parts.size(); ++i) {
    const PartCoverage& part = rule.parts[i];
    out += fmt::format(R"({}{{{},"text":{},"ever_true":{},"ever_false":{}}})", i == 0 ? "" : ",",
                       PositionJson(rules, part.at), JsonString(part.text), part.ever_true,
                       part.ever_false);
  }
  return out + "]}";
}

}  // namespace

std::string FormatTestReport(const RuleSet& rules, const TestReport& report, bool color) {
  const Paint paint(color);
  std::string out;
  for (const TestResult& test : report.tests) {
    if (!test.passed) out += Failure(rules, test, paint);
  }
  out += NotCovered(rules, report, paint);
  out += Untested(report, paint);
  const std::string failed = fmt::format("{} failed", report.failed);
  return out + fmt::format("{} of {}: {}, {}\n", Count(report.tests.size(), "test"),
                           Count(report.rules.size(), "rule"),
                           paint.Good(fmt::format("{} passed", report.passed)),
                           report.failed == 0 ? failed : paint.Bad(failed));
}

std::string TestReportJson(const RuleSet& rules, const TestReport& report) {
  std::string out =
      fmt::format(R"({{"passed":{},"failed":{},"tests":[)", report.passed, report.failed);
  for (size_t i = 0; i < report.tests.size(); ++i) {
    out += (i == 0 ? "" : ",") + TestJson(rules, report.tests[i]);
  }
  out += R"(],"rules":[)";
  for (size_t i = 0; i < report.rules.size(); ++i) {
    out += (i == 0 ? "" : ",") + CoverageJson(rules, report.rules[i]);
  }
  out += R"(],"untested":[)";
  for (size_t i = 0; i < report.untested.size(); ++i) {
    out += (i == 0 ? "" : ",") + JsonString(report.untested[i]);
  }
  return out + "]}\n";
}

}  // namespace kentry
