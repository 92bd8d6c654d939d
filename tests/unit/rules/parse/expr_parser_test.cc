// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/expr_parser.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::ErrorOn;
using ::testing::HasSubstr;

TEST(ExprParserTest, ErrorsSayWhatIsExpectedWhere) {
  const std::pair<const char*, const char*> kCases[] = {
      {"process.uid = 1", "5:19+1 \"=\" is no operator | write == to compare"},
      {"file.read & file.write", "\"&\" is no operator | write && for and"},
      {"file.read and file.write", "\"and\" is no operator | write &&"},
      {"file.read or file.write", "write ||"},
      {"not file.read", "write !"},
      {"file.ino + 1 == 2", "\"+\" is no operator: there is no arithmetic"},
      {"file.uid == 1 == 2", "comparisons can't be chained"},
      {"file.read &&", "the condition ends where a value is expected"},
      {"(file.read", "5:7+1 \"(\" is never closed"},
      {"file.read)", "\")\" closes nothing"},
      {"file.path in ['a'", "\"[\" is never closed"},
      {"file.path in [['a']]", "a list can't hold a list"},
      {"file.path == 'a", "5:20+1 the string has no end | close it with '"},
      {"file.path == 'a\\q'", "\"\\q\" is no escape"},
      {"file.path == '\\x4'", "\\x needs 2 hexadecimal digits"},
      {"file.path == '\\ud800'", "no character has this number"},
      {"file.path == '\\x00'", "the string holds a NUL byte"},
      {"file.ino == 1.5", "numbers are whole"},
      {"file.ino == 0x", "a number lacks its digits"},
      {"file.ino == 5parsecs", "\"parsecs\" is no unit"},
      {"file.ino == 18446744073709551616", "the number is too large"},
      {"file.ino == 9999999999d", "the number is too large"},
      {"file.path 'a'", "where the condition should end"},
      {"file.path == $a", "\"$\" is for items of lists only"},
      {"file.path == ü", "\"ü\" can't stand in a condition"},
      {"file.path.", "where a name is expected after \".\""},
      {"file.path.startsWith('a').b", "\"b\" is no part of a name here"},
      {"has(file.path", "where \")\" is expected after the arguments"},
  };
  for (const auto& [when, message] : kCases) {
    EXPECT_THAT(ErrorOn("file.open", when), HasSubstr(message)) << when;
  }
  EXPECT_THAT(
      parse_testing::Said(parse_testing::Parse("rules: [{name: r, on: file.open, when: ''}]")),
      testing::ElementsAre(HasSubstr("a condition is empty | write true")));
}

TEST(ExprParserTest, PartsAndNestingEndAtTheirLimits) {
  const auto nested = [](int levels, const char* open, const char* close) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += open;
    text += "file.read";
    for (int i = 0; i < levels; ++i) text += close;
    return text;
  };
  parse_testing::ConditionOn("file.open", nested(60, "(", ")"));
  EXPECT_THAT(ErrorOn("file.open", nested(65, "(", ")")), HasSubstr("nests deeper than 64 levels"));
  EXPECT_THAT(ErrorOn("file.open", nested(100000, "!", "")), HasSubstr("nests deeper than 64"));
  std::string wide = "file.read";
  for (int i = 0; i < 20000; ++i) wide += " && file.read";
  EXPECT_THAT(ErrorOn("file.open", wide), HasSubstr("more than 10000 parts"));
  EXPECT_THAT(ErrorOn("file.open", "file.path == '" + std::string(4097, 'x') + "'"),
              HasSubstr("the string has 4097 bytes; 4096 are the most"));
}

}  // namespace
}  // namespace kentry
