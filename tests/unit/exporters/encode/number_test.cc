// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/number.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

namespace kentry {
namespace {

std::string Uint(uint64_t value) {
  char to[kNumberRoom];
  return {to, WriteUint(value, to)};
}

TEST(NumberTest, EightDigitsAreRightForEveryPairOfFours) {
  // The two halves are worked on independently: all values of each with a few of the other.
  for (uint32_t half = 0; half < 10000; ++half) {
    for (const uint32_t other : {0u, 1u, 99u, 100u, 4999u, 9999u}) {
      char expected[16];
      char to[kNumberRoom];
      std::snprintf(expected, sizeof(expected), "%04u%04u", half, other);
      ASSERT_EQ(std::string(to, WriteEightDigits(half * 10000ull + other, to)), expected);
      std::snprintf(expected, sizeof(expected), "%04u%04u", other, half);
      ASSERT_EQ(std::string(to, WriteEightDigits(other * 10000ull + half, to)), expected);
    }
  }
}

TEST(NumberTest, UnsignedNumbersAreRightAroundEveryPowerOfTen) {
  uint64_t power = 1;
  for (int i = 0; i < 20; ++i, power *= 10) {
    for (const uint64_t value : {power - 1, power, power + 1, power * 9}) {
      ASSERT_EQ(Uint(value), std::to_string(value));
    }
  }
  EXPECT_EQ(Uint(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
}

TEST(NumberTest, UnsignedNumbersAreRightAtRandom) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    ASSERT_EQ(Uint(value), std::to_string(value));
  }
  for (uint64_t value = 0; value < 100000; ++value) ASSERT_EQ(Uint(value), std::to_string(value));
}

TEST(NumberTest, SignedNumbersReachTheirLimits) {
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{42}, int64_t{-10000}, std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max()}) {
    char to[kNumberRoom];
    EXPECT_EQ(std::string(to, WriteInt(value, to)), std::to_string(value));
  }
}

TEST(NumberTest, HexHasNoLeadingZeros) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = i < 300 ? static_cast<uint64_t>(i) : random() >> (random() % 64);
    char expected[32];
    std::snprintf(expected, sizeof(expected), "0x%" PRIx64, value);
    char to[kNumberRoom];
    ASSERT_EQ(std::string(to, WriteHex(value, to)), expected);
  }
}

TEST(NumberTest, PaddedNumbersKeepTheirZeros) {
  char to[kNumberRoom];
  EXPECT_EQ(std::string(to, WritePadded(7, 3, to)), "007");
  EXPECT_EQ(std::string(to, WritePadded(2026, 4, to)), "2026");
  EXPECT_EQ(std::string(to, WriteNineDigits(5, to)), "000000005");
  EXPECT_EQ(std::string(to, WriteNineDigits(999'999'999, to)), "999999999");
}

}  // namespace
}  // namespace kentry
