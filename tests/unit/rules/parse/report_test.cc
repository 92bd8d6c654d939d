// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/report.h"

#include "nlohmann/json.hpp"
#include "rules/parse/source_text.h"
#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Report;
using ::testing::HasSubstr;
using ::testing::Not;

std::string FormatOne(const std::string& text, SourcePos at, bool color = false) {
  const std::vector<SourceFile> files = {{.name = "a.yaml", .text = text}};
  Diagnostics diagnostics;
  diagnostics.Error(at, "x", "something is wrong", "write it right");
  return FormatDiagnostics(files, diagnostics, color);
}

TEST(ReportTest, ShowsPlaceLineCaretAndHint) {
  EXPECT_EQ(FormatOne("a: b\nkey: vlaue\n", {.file = 0, .line = 2, .column = 6, .length = 5}),
            "a.yaml:2:6: error: something is wrong\n"
            "  key: vlaue\n"
            "       ^~~~~\n"
            "  hint: write it right\n"
            "1 error\n");
}

TEST(ReportTest, AFileAsAWholeHasNoLine) {
  EXPECT_EQ(FormatOne("a", Sources::File(0)),
            "a.yaml: error: something is wrong\n  hint: write it right\n1 error\n");
}

TEST(ReportTest, NothingWrongIsNoText) { EXPECT_EQ(Report(parse_testing::Parse("")), ""); }

TEST(ReportTest, LongLinesAreCutAroundThePlace) {
  const std::string text = FormatOne(std::string(5000, 'a') + "HERE" + std::string(5000, 'b'),
                                     {.file = 0, .line = 1, .column = 5001, .length = 4});
  EXPECT_THAT(text, HasSubstr("aaaHEREbbb"));
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    EXPECT_LE(text.find('\n', at) - at, 140u);
  }
}

TEST(ReportTest, HostileTextCantSteerTheTerminal) {
  const std::string text = FormatOne("a: \x1b[2J\xe2\x80\xae\xff\t\"x\"\x7f",
                                     {.file = 0, .line = 1, .column = 4, .length = 3});
  EXPECT_THAT(text, HasSubstr("a: \\x1b[2J\\u{202e}\\xff \"x\"\\x7f"));
  EXPECT_THAT(text, HasSubstr("\n     ^~~~~~\n"));
}

TEST(ReportTest, ColorsOnlyWhenAsked) {
  const SourcePos at = {.file = 0, .line = 1, .column = 1, .length = 1};
  EXPECT_THAT(FormatOne("a", at, true), HasSubstr("\x1b[1;31merror:\x1b[0m"));
  EXPECT_THAT(FormatOne("a", at, false), Not(HasSubstr("\x1b")));
}

TEST(ReportTest, OrderedByFileAndPlaceWithACount) {
  const auto result = parse_testing::ParseFiles(
      {"rules: [{name: r, on: process.exec, when: nope}]\nmode: on\n", "mode: no\n"});
  const std::string text = Report(result);
  EXPECT_LT(text.find("a.yaml:1:43"), text.find("a.yaml:2:7"));
  EXPECT_LT(text.find("a.yaml:2:7"), text.find("b.yaml:1:7"));
  EXPECT_THAT(text, HasSubstr("\n3 errors\n"));
}

TEST(ReportTest, TheFirstErrorIsNoWarningAndInOrder) {
  const std::vector<SourceFile> files = {{.name = "a\x1b.yaml", .text = "x\ny\nz\n"}};
  Diagnostics diagnostics;
  EXPECT_EQ(FirstError(files, diagnostics), "");
  diagnostics.Warning({.file = 0, .line = 1, .column = 1}, "", "doubtful");
  EXPECT_EQ(FirstError(files, diagnostics), "");
  diagnostics.Error({.file = 0, .line = 3, .column = 1}, "", "later");
  diagnostics.Error({.file = 0, .line = 2, .column = 4}, "", "sooner");
  EXPECT_EQ(FirstError(files, diagnostics), "a\\x1b.yaml:2:4: sooner");
}

TEST(ReportTest, JsonHasTheSame) {
  const auto result = parse_testing::Parse(
      "rules: [{name: r, on: process.exec, when: 'process.uid < 0 && process.name == "
      "\"\xc3\xa9\"'}]");
  const auto json =
      nlohmann::json::parse(DiagnosticsJson(result.readable->files, result.diagnostics));
  EXPECT_EQ(json["errors"], 0);
  EXPECT_EQ(json["warnings"], 1);
  EXPECT_EQ(json["diagnostics"][0]["kind"], "warning");
  EXPECT_EQ(json["diagnostics"][0]["file"], "a.yaml");
  EXPECT_EQ(json["diagnostics"][0]["column"], 44);
}

}  // namespace
}  // namespace kentry
