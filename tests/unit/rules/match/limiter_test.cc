// SPDX-License-Identifier: Apache-2.0
#include "rules/match/limiter.h"

#include <gtest/gtest.h>

#include <string>

#include "fmt/format.h"
#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;

constexpr uint64_t kPer = 1000;

// Two rules: without limit, and with one of two events in kPer.
class LimiterTest : public testing::Test {
 protected:
  static RuleSet Rules(FieldId by) {
    RuleSet rules;
    rules.rules.push_back(MakeRule("free", Op(ExprOp::kTrue)));
    rules.rules.push_back(MakeRule("limited", Op(ExprOp::kTrue)));
    rules.rules.back().limit = RuleLimit{2, kPer, by};
    return rules;
  }

  bool Admit(std::string_view container, uint64_t now_ns) {
    return limiter_.Admit(1, Event({{kContainerId, Text(container)}}).fields(), now_ns);
  }
  std::vector<Limiter::Suppressed> Take(uint64_t now_ns) {
    std::vector<Limiter::Suppressed> taken;
    limiter_.TakeSuppressed(now_ns, &taken);
    return taken;
  }

  Limiter limiter_{Rules(kContainerId)};
};

TEST_F(LimiterTest, RuleWithoutLimitAlwaysPasses) {
  const match_test::Event event({});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limiter_.Admit(0, event.fields(), 5));
  EXPECT_EQ(limiter_.suppressed(0), 0u);
}

TEST_F(LimiterTest, WindowHoldsBackWhatIsTooMuchAndSaysSoWhenItEnds) {
  EXPECT_TRUE(Admit("a", 100));
  EXPECT_TRUE(Admit("a", 150));
  EXPECT_FALSE(Admit("a", 200));
  EXPECT_FALSE(Admit("a", 100 + kPer - 1));
  EXPECT_TRUE(Take(100 + kPer - 1).empty());
  const auto taken = Take(100 + kPer);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].rule, 1u);
  EXPECT_EQ(taken[0].count, 2u);
  EXPECT_EQ(taken[0].keys, 1u);
  EXPECT_EQ(taken[0].key, "a");
  EXPECT_EQ(taken[0].since_ns, 100u);
  EXPECT_TRUE(Take(100 + kPer).empty()) << "told twice";
  EXPECT_TRUE(Admit("a", 100 + kPer));
}

TEST_F(LimiterTest, NextWindowStartsWithTheNextEvent) {
  Admit("a", 0);
  Admit("a", 0);
  EXPECT_FALSE(Admit("a", 1));
  EXPECT_TRUE(Admit("a", 5 * kPer + 7));
  EXPECT_TRUE(Admit("a", 6 * kPer));
  EXPECT_FALSE(Admit("a", 6 * kPer + 6));
  const auto taken = Take(6 * kPer + 6);
  ASSERT_EQ(taken.size(), 1u) << "the first window has ended, the second not";
  EXPECT_EQ(taken[0].count, 1u);
  EXPECT_EQ(limiter_.suppressed(1), 2u);
  EXPECT_EQ(limiter_.counters().suppressed, 2u);
}

TEST_F(LimiterTest, KeysAreCountedApartAndToldTogether) {
  for (const char* key : {"a", "b", ""}) {
    EXPECT_TRUE(Admit(key, 10));
    EXPECT_TRUE(Admit(key, 10));
    EXPECT_FALSE(Admit(key, 10));
  }
  const auto taken = Take(10 + kPer);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].count, 3u);
  EXPECT_EQ(taken[0].keys, 3u);
  EXPECT_EQ(taken[0].key, "");
}

TEST_F(LimiterTest, WithoutFieldAllEventsAreOneKey) {
  limiter_ = Limiter(Rules(kInvalid));
  EXPECT_TRUE(Admit("a", 0));
  EXPECT_TRUE(Admit("b", 0));
  EXPECT_FALSE(Admit("c", 0));
}

TEST_F(LimiterTest, NumbersAreKeysToo) {
  limiter_ = Limiter(Rules(kProcessUid));
  const match_test::Event five({{kProcessUid, Number(5)}});
  const match_test::Event six({{kProcessUid, Number(6)}});
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(limiter_.Admit(1, five.fields(), 0));
  EXPECT_FALSE(limiter_.Admit(1, five.fields(), 0));
  EXPECT_TRUE(limiter_.Admit(1, six.fields(), 0));
  EXPECT_EQ(Take(kPer)[0].key, "5");
}

TEST_F(LimiterTest, LongValuesThatDifferAtTheirEndAreDifferentKeys) {
  const std::string longer(5000, 'x');
  EXPECT_TRUE(Admit(longer + "1", 0));
  EXPECT_TRUE(Admit(longer + "1", 0));
  EXPECT_FALSE(Admit(longer + "1", 0));
  EXPECT_TRUE(Admit(longer + "2", 0));
  EXPECT_LT(Take(kPer)[0].key.size(), 600u);
}

TEST_F(LimiterTest, OldestWindowGoesWhenThereAreTooMany) {
  for (size_t i = 0; i < Limiter::kMaxKeys; ++i) {
    for (int n = 0; n < 3; ++n) EXPECT_EQ(Admit(fmt::format("{}", i), i / 8), n < 2);
  }
  EXPECT_EQ(limiter_.counters().evicted, 0u);
  EXPECT_TRUE(Admit("new", kPer - 1));
  EXPECT_EQ(limiter_.counters().evicted, 1u);
  EXPECT_FALSE(Admit("1", kPer - 1)) << "this one stayed";
  EXPECT_TRUE(Admit("0", kPer - 1)) << "this one went";
  EXPECT_EQ(limiter_.counters().evicted, 2u);
  const auto taken = Take(kPer - 1);
  ASSERT_EQ(taken.size(), 1u) << "what was held back in an evicted window is told";
  EXPECT_EQ(taken[0].count, 3u);
  EXPECT_EQ(taken[0].keys, 2u);
  EXPECT_EQ(taken[0].since_ns, 0u);
}

TEST_F(LimiterTest, EndedWindowsMakeRoomWithoutEviction) {
  for (size_t i = 0; i < 3 * Limiter::kMaxKeys; ++i) {
    EXPECT_TRUE(Admit(fmt::format("{}", i), i * kPer));
  }
  EXPECT_EQ(limiter_.counters().evicted, 0u);
  EXPECT_TRUE(Take(UINT64_MAX).empty());
}

TEST_F(LimiterTest, TimeMayStepBack) {
  EXPECT_TRUE(Admit("a", 5000));
  EXPECT_TRUE(Admit("a", 4000));
  EXPECT_FALSE(Admit("a", 0));
  EXPECT_TRUE(Take(0).empty());
  EXPECT_EQ(Take(5000 + kPer)[0].count, 1u);
}

TEST_F(LimiterTest, TakeAllTellsOpenWindowsToo) {
  for (int i = 0; i < 5; ++i) Admit("a", 100);
  std::vector<Limiter::Suppressed> taken;
  limiter_.TakeAll(&taken);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].count, 3u);
  EXPECT_TRUE(Admit("a", 100)) << "its window is closed";
}

}  // namespace
}  // namespace kentry
