// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/kill_times.h"

#include "gtest/gtest.h"

namespace kentry {
namespace {

Process ProcessOf(uint32_t pid, uint64_t start_ns = 1) {
  Process process;
  process.image.tgid = pid;
  process.image.start_ns = start_ns;
  return process;
}

ke_exit ExitOf(uint32_t pid, uint64_t start_ns, uint64_t exit_ns) {
  ke_exit rec{};
  rec.tgid = pid;
  rec.start_ns = start_ns;
  rec.hdr.ktime_ns = exit_ns;
  return rec;
}

TEST(SpansTest, NothingHasNoPercentiles) {
  const Spans spans;
  EXPECT_EQ(spans.count(), 0u);
  EXPECT_EQ(spans.Percentile(50), 0u);
  EXPECT_EQ(spans.Percentile(100), 0u);
  EXPECT_EQ(spans.max_ns(), 0u);
}

TEST(SpansTest, EverySpanIsSaidAtMostAnEighthTooLong) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const int64_t off : {-1, 0, 1}) {
      const uint64_t ns = (uint64_t{1} << bit) + static_cast<uint64_t>(off);
      Spans spans;
      spans.Add(ns);
      spans.Add(UINT64_MAX);  // so that the largest one doesn't make it exact
      const uint64_t said = spans.Percentile(50);
      EXPECT_GE(said, ns);
      EXPECT_LE(said - ns, ns / 8) << ns;
    }
  }
}

TEST(SpansTest, PercentilesCountFromBelow) {
  Spans spans;
  for (uint64_t i = 0; i < 98; ++i) spans.Add(1'000);
  spans.Add(50'000);
  spans.Add(9'000'000);
  EXPECT_EQ(spans.count(), 100u);
  EXPECT_NEAR(static_cast<double>(spans.Percentile(50)), 1'000, 125);
  EXPECT_NEAR(static_cast<double>(spans.Percentile(98)), 1'000, 125);
  EXPECT_NEAR(static_cast<double>(spans.Percentile(99)), 50'000, 6'250);
  EXPECT_EQ(spans.Percentile(100), 9'000'000u);
  EXPECT_EQ(spans.max_ns(), 9'000'000u);
}

TEST(KillTimesTest, AnExitConfirmsTheFirstKillOfItsProcess) {
  KillTimes kills;
  kills.OnKill(ProcessOf(10), 1'000, "first");
  kills.OnKill(ProcessOf(10), 1'500, "second");
  EXPECT_EQ(kills.waiting(), 1u);
  EXPECT_FALSE(kills.OnExit(ExitOf(10, 2, 3'000))) << "the pid's next process";
  EXPECT_FALSE(kills.OnExit(ExitOf(11, 1, 3'000)));
  const auto kill = kills.OnExit(ExitOf(10, 1, 3'000));
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->rule, "first");
  EXPECT_EQ(kill->lived_ns, 2'000u);
  EXPECT_FALSE(kills.OnExit(ExitOf(10, 1, 3'000)));
  EXPECT_EQ(kills.waiting(), 0u);
  EXPECT_EQ(kills.spans().count(), 1u);
  EXPECT_EQ(kills.spans().max_ns(), 2'000u);
}

TEST(KillTimesTest, AKillThatIsReadAfterTheExitCountsToo) {
  KillTimes kills;
  Process process = ProcessOf(10);
  process.exit_told = true;
  process.exited_ns = 1'700;
  kills.OnKill(process, 1'000, "rule");
  EXPECT_EQ(kills.waiting(), 0u);
  EXPECT_EQ(kills.spans().count(), 1u);
  EXPECT_EQ(kills.spans().max_ns(), 700u);
}

TEST(KillTimesTest, WithoutAnExitAKillIsUnconfirmed) {
  KillTimes kills;
  kills.OnKill(ProcessOf(10), 1'000, "rule");
  kills.OnKill(ProcessOf(11), 2'000, "rule");
  kills.Sweep(KillTimes::kPatienceNs + 999);
  EXPECT_EQ(kills.counters().unconfirmed, 0u);
  kills.Sweep(KillTimes::kPatienceNs + 1'000);
  EXPECT_EQ(kills.counters().unconfirmed, 1u);
  EXPECT_EQ(kills.waiting(), 1u);
  EXPECT_FALSE(kills.OnExit(ExitOf(10, 1, KillTimes::kPatienceNs + 2'000))) << "counted already";
  EXPECT_EQ(kills.spans().count(), 0u);
}

TEST(KillTimesTest, WhatItWaitsForIsBoundedAndTheRestCounted) {
  KillTimes kills;
  const auto most = static_cast<uint32_t>(KillTimes::kMaxWaiting);
  for (uint32_t pid = 1; pid <= most + 3; ++pid) kills.OnKill(ProcessOf(pid), 1'000, "rule");
  kills.OnKill(ProcessOf(1), 1'000, "rule");
  EXPECT_EQ(kills.waiting(), KillTimes::kMaxWaiting);
  EXPECT_EQ(kills.counters().not_followed, 3u);
}

}  // namespace
}  // namespace kentry
