// SPDX-License-Identifier: Apache-2.0
#include "rules/match/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using testing::HasSubstr;
using testing::Not;

Expr MatchesAt(const std::vector<std::string>& patterns, uint32_t line) {
  Expr expr = Texts(ExprOp::kMatches, Field(FieldId::kFilePath), patterns);
  expr.at = {.file = 0, .line = line, .column = 7};
  return expr;
}

Diagnostics Check(std::vector<Expr> conditions) {
  Diagnostics diagnostics;
  CheckRegexes(*MakeSet(std::move(conditions)), &diagnostics);
  return diagnostics;
}

TEST(PrepareTest, GoodPatternsAreSilent) {
  EXPECT_TRUE(Check({MatchesAt({"^/etc/.*\\.conf$", "a|b", "(?i)x"}, 1)}).all().empty());
}

TEST(PrepareTest, RefusedPatternsAreErrorsAtTheirPlaces) {
  const Diagnostics diagnostics =
      Check({MatchesAt({"a(", "x+"}, 3), match_test::Not(MatchesAt({"(?=a)"}, 5)),
             MatchesAt({"\\1"}, 8), MatchesAt({"a{1001}"}, 9)});
  ASSERT_EQ(diagnostics.errors(), 4u);
  const std::vector<Diagnostic>& all = diagnostics.all();
  EXPECT_EQ(all[0].at.line, 3u);
  EXPECT_EQ(all[0].at.column, 7u);
  EXPECT_EQ(all[0].path, "rules[rule-0].when");
  EXPECT_THAT(all[0].message, HasSubstr("\"a(\" is refused: missing )"));
  EXPECT_EQ(all[1].at.line, 5u);
  EXPECT_EQ(all[2].at.line, 8u);
  EXPECT_EQ(all[3].at.line, 9u);
}

TEST(PrepareTest, PatternThatNeedsTooMuchMemoryIsAnError) {
  const Diagnostics diagnostics = Check({MatchesAt({"((a{100}){100}){10}"}, 2)});
  ASSERT_EQ(diagnostics.errors(), 1u);
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("refused"));
}

TEST(PrepareTest, PatternsAreBoundedTogether) {
  std::vector<Expr> conditions;
  for (uint32_t i = 0; i < 300; ++i) {
    conditions.push_back(MatchesAt({"^[a-c]{900}" + std::to_string(i)}, i + 1));
  }
  const Diagnostics diagnostics = Check(conditions);
  EXPECT_EQ(diagnostics.errors(), 1u) << "said once";
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("instructions"));
  EXPECT_FALSE(Evaluator::Create(MakeSet(conditions)).ok());
}

TEST(PrepareTest, PlainTextIsAWarningThatNamesTheBetterWord) {
  const Diagnostics diagnostics = Check({MatchesAt({"a\\.b", "^/etc", "\\.so$", "^/a$"}, 1)});
  EXPECT_EQ(diagnostics.errors(), 0u);
  ASSERT_EQ(diagnostics.warnings(), 4u);
  EXPECT_EQ(diagnostics.all()[0].hint, "write contains(\"a.b\")");
  EXPECT_EQ(diagnostics.all()[1].hint, "write startsWith(\"/etc\")");
  EXPECT_EQ(diagnostics.all()[2].hint, "write endsWith(\".so\")");
  EXPECT_EQ(diagnostics.all()[3].hint, "write == \"/a\"");
}

TEST(PrepareTest, PatternOfAMacroIsTalkedAboutOnce) {
  EXPECT_EQ(Check({MatchesAt({"a("}, 3), MatchesAt({"a("}, 3)}).errors(), 1u);
}

TEST(PrepareTest, PatternsInsideLoopsAreSeen) {
  EXPECT_EQ(Check({Op(ExprOp::kAnyElement,
                      {Field(FieldId::kProcessArgs), Texts(ExprOp::kMatches, Element(), {"a("})})})
                .errors(),
            1u);
}

TEST(PrepareTest, ControlCharactersDoNotReachTheTerminal) {
  const Diagnostics diagnostics = Check({MatchesAt({"\x1b[2J("}, 1)});
  ASSERT_EQ(diagnostics.errors(), 1u);
  EXPECT_THAT(diagnostics.all()[0].message, Not(HasSubstr("\x1b")));
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace kentry
