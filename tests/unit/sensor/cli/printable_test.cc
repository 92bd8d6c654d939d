// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace kentry {
namespace {

TEST(PrintableTest, TwoInputsNeverLookTheSame) {
  EXPECT_EQ(Printable("a\x1b ä"), "a\\x1b ä");
  EXPECT_EQ(Printable("a\\x1b ä"), "a\\\\x1b ä");
}

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
