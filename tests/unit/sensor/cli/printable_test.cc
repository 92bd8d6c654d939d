// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace kentry {
namespace {

TEST(PrintableTest, LeavesPrintableTextAlone) {
  EXPECT_EQ(Printable("ls -l /tmp/ä €"), "ls -l /tmp/ä €");
  EXPECT_EQ(Printable(""), "");
}

TEST(PrintableTest, ShowsWhatATerminalWouldAct) {
  EXPECT_EQ(Printable(std::string_view("\0\x1b\x7f\n\t", 5)), "\\x00\\x1b\\x7f\\x0a\\x09");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\u{009b}");
  EXPECT_EQ(Printable("\u202e"), "\\u{202e}");
  EXPECT_EQ(Printable("\u2028"), "\\u{2028}");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
}

TEST(PrintableTest, TwoInputsNeverLookTheSame) { EXPECT_EQ(Printable("\\x1b"), "\\\\x1b"); }

TEST(PrintableTest, ColumnsAreCountedNotBytes) {
  EXPECT_EQ(TextColumns("aä€"), 3u);
  EXPECT_EQ(TextColumns("漢"), 2u);
}

TEST(PrintableTest, FitsTextToColumns) {
  EXPECT_EQ(FitColumns("abcdef", 0, false), "abcdef");
  EXPECT_EQ(FitColumns("abcdef", 6, false), "abcdef");
  EXPECT_EQ(FitColumns("abcdef", 5, false), "abcd…");
  EXPECT_EQ(FitColumns("abcdef", 5, true), "abcd~");
  EXPECT_EQ(FitColumns("漢漢漢", 4, false), "漢…");
  EXPECT_EQ(FitColumns("äöü", 2, false), "ä…");
}

}  // namespace
}  // namespace kentry
