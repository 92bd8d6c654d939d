// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/source_text.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

// Where an error inside of `when` is said to be. `text` has the wrong name "nope" once.
void ExpectAtNope(const std::string& text) {
  const LoadResult result = parse_testing::Parse(text);
  ASSERT_EQ(result.diagnostics.errors(), 1u) << text << parse_testing::Report(result);
  const SourcePos at = result.diagnostics.all()[0].at;
  const size_t offset = text.find("nope");
  const size_t line = 1 + static_cast<size_t>(std::count(
                              text.begin(), text.begin() + static_cast<ptrdiff_t>(offset), '\n'));
  const size_t start = text.rfind('\n', offset) + 1;
  EXPECT_EQ(at.line, line) << text;
  EXPECT_EQ(at.column, offset - start + 1) << text;
  EXPECT_EQ(at.length, 4u) << text;
}

std::string Rule(std::string_view when) {
  return fmt::format("# ü\nrules:\n  - name: r\n    on: process.exec\n    when: {}\n", when);
}

TEST(SourceTextTest, ErrorsStandAtTheirPlaceInEveryScalarStyle) {
  ExpectAtNope(Rule("nope == 'x'"));
  ExpectAtNope(Rule("process.uid == 1 &&   nope == 'x'"));
  ExpectAtNope(Rule("process.uid == 1\n      && process.gid == 2\n\n      && nope == 'x'"));
  ExpectAtNope(Rule("'process.binary == ''a'' && nope == ''x'''"));
  ExpectAtNope(Rule("'process.binary == ''a''\n\n      && nope == ''x'''"));
  ExpectAtNope(Rule("\"process.binary == \\\"a\\\" && nope == 1\""));
  ExpectAtNope(Rule("\"process.binary == '\\u00e9\\x41\\t' && nope == 1\""));
  ExpectAtNope(Rule("\"process.binary == 'a' && \\\n      nope == 1\""));
  ExpectAtNope(Rule("\"process.binary == 'a' \\n && nope == 1\""));
  ExpectAtNope(Rule("|\n      process.uid == 1\n        && process.gid == 2\n      && nope == 1"));
  ExpectAtNope(Rule("|2-  # why\n      process.uid == 1\n\n       && nope == 1"));
  ExpectAtNope(Rule(">-\n      process.uid == 1 &&\n      process.gid == 2 &&\n\n      nope == 1"));
  ExpectAtNope(Rule("process.binary == 'ü' && nope == 1"));
  ExpectAtNope("\xef\xbb\xbf" + Rule("process.uid == 1 && nope == 1"));
}

TEST(SourceTextTest, WindowsLineEndsDoNotMovePlaces) {
  ExpectAtNope(
      "rules:\r\n  - name: r\r\n    on: process.exec\r\n    when: |\r\n"
      "      process.uid == 1 &&\r\n      nope == 1\r\n");
}

TEST(SourceTextTest, UnderlinesEndWithTheLine) {
  const std::vector<SourceFile> files = {{.name = "a", .text = "abc\ndef"}};
  const Sources sources(files);
  EXPECT_EQ(sources.At(0, 1, 99).length, 2u);
  EXPECT_EQ(sources.At(0, 3, 1).line, 1u);
  EXPECT_EQ(sources.At(0, 4, 99).length, 3u);
  EXPECT_EQ(sources.At(0, 4, 99).line, 2u);
  EXPECT_EQ(sources.At(0, 99, 1).column, 4u);
  EXPECT_EQ(sources.Name(sources.At(0, 5, 1)), "a:2");
}

}  // namespace
}  // namespace kentry
