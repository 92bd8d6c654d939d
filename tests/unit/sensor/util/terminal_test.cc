// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/terminal.h"

#include <gtest/gtest.h>

#include <string>

namespace kentry {
namespace {

TEST(TerminalTest, LeavesPrintableTextAlone) {
  EXPECT_EQ(TerminalText("ls -l /tmp/ä € 漢 \\x1b"), "ls -l /tmp/ä € 漢 \\x1b");
  EXPECT_EQ(TerminalText(""), "");
}

TEST(TerminalTest, ShowsWhatATerminalWouldActOn) {
  EXPECT_EQ(TerminalText(std::string_view("\0\x1b\x7f\n\t", 5)), "\\x00\\x1b\\x7f\\x0a\\x09");
  EXPECT_EQ(TerminalText("\xc2\x9b"), "\\u{009b}") << "a control character of two bytes";
  EXPECT_EQ(TerminalText("\u202e"), "\\u{202e}") << "right-to-left override";
  EXPECT_EQ(TerminalText("\u2028"), "\\u{2028}");
  EXPECT_EQ(TerminalText("\U000e0041"), "\\u{0e0041}") << "a tag";
}

TEST(TerminalTest, ShowsEachByteOfWhatIsNoUtf8) {
  EXPECT_EQ(TerminalText("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(TerminalText("\xe2\x82-"), "\\xe2\\x82-") << "a cut sequence";
  EXPECT_EQ(TerminalText("\xc0\x80\xed\xa0\x80"), "\\xc0\\x80\\xed\\xa0\\x80")
      << "overlong, surrogate";
}

TEST(TerminalTest, NoByteOfWhatItReturnsIsUnprintable) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += {static_cast<char>(byte), '\x82'};
  std::string_view shown = all;
  const std::string text = TerminalText(all);
  for (shown = text; !shown.empty(); shown.remove_prefix(DecodeUtf8(shown).size)) {
    const CodePoint point = DecodeUtf8(shown);
    ASSERT_TRUE(point.valid && !IsUnprintable(point.value)) << text.size() - shown.size();
  }
}

TEST(TerminalTest, PiecesTellTheirColumnsAndEndWhenAsked) {
  size_t columns = 0;
  std::string text;
  ForEachTerminalPiece("a漢\n\u202eb", [&](std::string_view piece, size_t width) {
    columns += width;
    text += piece;
    return piece != "\\u{202e}";
  });
  EXPECT_EQ(text, "a漢\\x0a\\u{202e}");
  EXPECT_EQ(columns, 1u + 2 + 4 + 8);
}

}  // namespace
}  // namespace kentry
