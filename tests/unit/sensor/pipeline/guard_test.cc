// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/guard.h"

#include "gtest/gtest.h"

namespace kentry {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

RuleSet Guarded(std::initializer_list<uint32_t> guards) {
  RuleSet set;
  for (const uint32_t guard : guards) set.rules.emplace_back().guard = guard;
  return set;
}

TEST(GuardTest, OneProcessTooManyTripsItOnce) {
  Guard guard(Guarded({2}));
  EXPECT_FALSE(guard.Count(0, 10, 1, 0));
  EXPECT_FALSE(guard.Count(0, 11, 1, kSecond));
  EXPECT_TRUE(guard.tripped().empty());
  EXPECT_TRUE(guard.Count(0, 12, 1, 2 * kSecond));
  EXPECT_TRUE(guard.tripped().contains(0));
  EXPECT_FALSE(guard.Count(0, 13, 1, 3 * kSecond)) << "told once";
}

TEST(GuardTest, AProcessCountsOnceAndARecycledPidIsAnother) {
  Guard guard(Guarded({1}));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(guard.Count(0, 10, 1, 0));
  EXPECT_TRUE(guard.Count(0, 10, 2, 0));
}

TEST(GuardTest, TheMinuteBeginsWithTheFirstAction) {
  Guard guard(Guarded({1}));
  EXPECT_FALSE(guard.Count(0, 10, 1, 1000 * kSecond));
  EXPECT_TRUE(guard.Count(0, 11, 1, 1059 * kSecond));
  Guard later(Guarded({1}));
  EXPECT_FALSE(later.Count(0, 10, 1, 1000 * kSecond));
  EXPECT_FALSE(later.Count(0, 11, 1, 1061 * kSecond));
  EXPECT_FALSE(later.Count(0, 12, 1, 1061 * kSecond)) << "its first minute is over";
  EXPECT_TRUE(later.tripped().empty());
}

TEST(GuardTest, RulesAreCountedApartAndZeroIsNoBound) {
  Guard guard(Guarded({1, 1, 0}));
  EXPECT_FALSE(guard.Count(0, 10, 1, 0));
  EXPECT_FALSE(guard.Count(1, 11, 1, 0));
  for (uint64_t pid = 0; pid < 1000; ++pid) EXPECT_FALSE(guard.Count(2, pid, 1, 0));
  EXPECT_TRUE(guard.Count(1, 10, 1, 0));
  EXPECT_EQ(guard.tripped(), (std::set<uint32_t>{1}));
}

}  // namespace
}  // namespace kentry
