// SPDX-License-Identifier: Apache-2.0
#include "rules/model/expr_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;
using enum ExprOp;

TEST(ExprTextTest, ConditionsReadLikeTheLanguage) {
  const Expr uid = Field(kProcessUid);
  const std::vector<std::pair<Expr, std::string>> cases = {
      {Op(kTrue), "true"},
      {Op(kFalse), "false"},
      {Compare(kEqual, uid, 5), "process.uid == 5"},
      {match_test::Not(Compare(kEqual, uid, 5)), "process.uid != 5"},
      {Compare(kLess, uid, -5), "process.uid < -5"},
      {Compare(kLessEqual, uid, 5), "process.uid <= 5"},
      {Compare(kGreater, uid, 5), "process.uid > 5"},
      {Compare(kGreaterEqual, uid, 5), "process.uid >= 5"},
      {Op(kEqual, {Field(kProcessUid), Field(kProcessEuid)}), "process.uid == process.euid"},
      {Op(kEqual, {Field(kFileRead)}, {Literal(true)}), "file.read == true"},
      {Compare(kHasAll, Field(kProcessCapEffective), 3), "process.cap_effective.hasAll(3)"},
      {Compare(kHasAny, Field(kProcessCapEffective), 3), "process.cap_effective.hasAny(3)"},
      {Texts(kIn, Field(kFilePath), {"a", "b", "c", "d", "e", "f"}),
       R"(file.path in ["a", "b", "c", "d", ... 2 more])"},
      {Texts(kStartsWith, Field(kFilePath), {"a"}), R"(file.path.startsWith("a"))"},
      {Texts(kEndsWith, Field(kFilePath), {"a", "b"}), R"(file.path.endsWith(["a", "b"]))"},
      {Texts(kContains, Field(kFilePath), {"a"}), R"(file.path.contains("a"))"},
      {Texts(kMatches, At(kProcessArgs, 1), {"a"}), R"(process.args[1].matches("a"))"},
      {Compare(kGreater, Size(Field(kProcessArgs)), 2), "size(process.args) > 2"},
      {Op(kHas, {Field(kProcessTty)}), "has(process.tty)"},
      {Texts(kHasElement, Field(kProcessArgs), {"-c"}), R"("-c" in process.args)"},
      {Op(kHasElement, {Field(kProcessArgs), Field(kProcessName)}), "process.name in process.args"},
      {Op(kMarked, {}, {"m"}), R"("m" in process.marks)"},
      {Op(kAnyElement, {Field(kProcessArgs), Texts(kEqual, Element(), {"x"})}),
       R"(process.args.exists(a, a == "x"))"},
      {Op(kAnyAncestor, {Texts(kEqual, Field(kProcessName, true), {"x"})}),
       R"(ancestors.exists(a, a.name == "x"))"},
      {match_test::Not(Any({Field(kFileRead), All({Field(kFileWrite), Op(kTrue)})})),
       "!(file.read || (file.write && true))"},
      {match_test::Not(Field(kFileRead)), "!file.read"},
  };
  for (const auto& [expr, text] : cases) EXPECT_EQ(ExprText(expr), text);
}

TEST(ExprTextTest, LongConditionsAreCut) {
  const Expr leaf = Texts(kEqual, Field(kFilePath), {std::string(500, 'x')});
  const std::string text = ExprText(Any(std::vector<Expr>(100, leaf)));
  EXPECT_LT(text.size(), 2 * kMaxExprText);
  EXPECT_THAT(text, testing::EndsWith("..."));
}

TEST(ExprTextTest, TerminalGetsNoControlCharacters) {
  EXPECT_THAT(ExprText(Texts(kEqual, Field(kFilePath), {"a\x1b[2J\xff\u202e"})),
              testing::HasSubstr(R"("a\x1b[2J\xff\u{202e}")"));
}

TEST(ExprTextTest, JsonIsAlwaysUtf8) {
  EXPECT_EQ(JsonString("a\"\\\n\x7f"), "\"a\\\"\\\\\\u000a\\u007f\"");
  EXPECT_EQ(JsonString("\xc3\xbc\xff\xf0\x9f\x98\x80"), "\"\xc3\xbc\\\\xff\xf0\x9f\x98\x80\"");
}

}  // namespace
}  // namespace kentry
