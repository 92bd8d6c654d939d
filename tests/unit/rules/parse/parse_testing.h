// SPDX-License-Identifier: Apache-2.0
// What the tests of the rule parser share.
#ifndef KENTRY_TESTS_UNIT_RULES_PARSE_PARSE_TESTING_H_
#define KENTRY_TESTS_UNIT_RULES_PARSE_PARSE_TESTING_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/parse/load.h"
#include "rules/parse/report.h"

namespace kentry::parse_testing {

inline LoadResult Parse(std::string text) {
  std::vector<SourceFile> files;
  files.push_back({.name = "a.yaml", .text = std::move(text)});
  return ParseRules(std::move(files));
}

inline LoadResult ParseFiles(const std::vector<std::string>& texts) {
  std::vector<SourceFile> files;
  for (const std::string& text : texts) {
    files.push_back(
        {.name = fmt::format("{}.yaml", static_cast<char>('a' + files.size())), .text = text});
  }
  return ParseRules(std::move(files));
}

// "LINE:COLUMN+LENGTH message | hint" of each diagnostic, in the order found.
inline std::vector<std::string> Said(const LoadResult& result) {
  std::vector<std::string> lines;
  for (const Diagnostic& each : result.diagnostics.all()) {
    lines.push_back(fmt::format("{}:{}+{} {}{}{}", each.at.line, each.at.column, each.at.length,
                                each.message, each.hint.empty() ? "" : " | ", each.hint));
  }
  return lines;
}

inline std::string Report(const LoadResult& result) {
  return FormatDiagnostics(result.readable->files, result.diagnostics, false);
}

// A file with one rule that has this condition, as a block so that it is taken as it is.
inline std::string RuleOn(std::string_view cls, std::string_view when) {
  return fmt::format("rules:\n  - name: r\n    on: {}\n    when: |\n      {}\n", cls, when);
}

// The condition of the only rule; kFalse without a place when there are errors, which it tells.
inline Expr ConditionOn(std::string_view cls, std::string_view when) {
  const LoadResult result = Parse(RuleOn(cls, when));
  EXPECT_TRUE(result.rules != nullptr) << when << "\n" << Report(result);
  if (result.rules == nullptr || result.rules->rules.empty()) return {.op = ExprOp::kFalse};
  return result.rules->rules[0].when;
}

// The only thing said about a rule on `cls` with this condition.
inline std::string ErrorOn(std::string_view cls, std::string_view when) {
  const LoadResult result = Parse(RuleOn(cls, when));
  EXPECT_EQ(result.diagnostics.errors(), 1u) << when << "\n" << Report(result);
  return Said(result).empty() ? "" : Said(result)[0];
}

// A rule that is right, and then `keys`, each line indented by four.
inline std::string RuleWith(std::string_view keys) {
  return fmt::format("rules:\n  - name: r\n    on: process.exec\n    when: true\n{}\n", keys);
}

inline Rule TheRule(std::string_view keys) {
  const LoadResult result = Parse(RuleWith(keys));
  EXPECT_TRUE(result.rules != nullptr) << keys << "\n" << Report(result);
  return result.rules == nullptr ? Rule() : result.rules->rules[0];
}

inline std::string RuleError(std::string_view keys) {
  const LoadResult result = Parse(RuleWith(keys));
  EXPECT_EQ(result.diagnostics.errors(), 1u) << keys << "\n" << Report(result);
  return Said(result).empty() ? "" : Said(result)[0];
}

}  // namespace kentry::parse_testing

#endif  // KENTRY_TESTS_UNIT_RULES_PARSE_PARSE_TESTING_H_
