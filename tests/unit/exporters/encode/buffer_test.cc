// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace kentry {
namespace {

TEST(BufferTest, ContentsSurviveGrowth) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<size_t>(i % 50), static_cast<char>('a' + i % 26));
    buffer.Append(piece);
    buffer.Append('|');
    expected += piece + '|';
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(BufferTest, RoomCountsOnlyAfterSetEnd) {
  Buffer buffer;
  buffer.Append("ab");
  char* to = buffer.Room(100);
  to[0] = 'c';
  to[1] = 'd';
  EXPECT_EQ(buffer.view(), "ab");
  buffer.SetEnd(to + 1);
  EXPECT_EQ(buffer.view(), "abc");
}

TEST(BufferTest, RoomTakesWhatWasWrittenBeforeItGrows) {
  Buffer buffer;
  char* to = buffer.Room(1);
  *to++ = 'x';
  to = buffer.Room(to, 1 << 20);
  to[(1 << 20) - 1] = 'z';
  EXPECT_EQ(buffer.view(), "x");
}

TEST(BufferTest, ClearGivesBackWhatIsTooMuch) {
  Buffer buffer;
  buffer.Append(std::string(100000, 'x'));
  buffer.Clear(1 << 20);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_GE(buffer.capacity(), 100000u);
  buffer.Clear(1000);
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.Append("again");
  EXPECT_EQ(buffer.view(), "again");
}

TEST(BufferTest, TruncateOnlyShortens) {
  Buffer buffer;
  buffer.Append("abc");
  buffer.Truncate(7);
  EXPECT_EQ(buffer.view(), "abc");
  buffer.Truncate(1);
  EXPECT_EQ(buffer.view(), "a");
}

}  // namespace
}  // namespace kentry
