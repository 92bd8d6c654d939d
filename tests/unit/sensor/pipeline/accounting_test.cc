// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/accounting.h"

#include <vector>

#include "gtest/gtest.h"

namespace kentry {
namespace {

class AccountingTest : public testing::Test {
 protected:
  void Deliver(uint64_t seq) {
    ke_hdr hdr{};
    hdr.type = KE_EXEC;
    hdr.cpu = 1;
    hdr.seq = seq;
    accounting_.OnRecord(hdr);
  }
  // The kernel gave `seq` numbers and lost `lost` of them.
  void Reconcile(uint64_t seq, uint64_t lost) {
    ke_cpu_stats stats{};
    stats.classes[KE_EXEC].seq = seq;
    stats.classes[KE_EXEC].lost = lost;
    accounting_.Reconcile(1, stats, [this](const LostRange& range) { ranges_.push_back(range); });
  }

  Accounting accounting_{2};
  std::vector<LostRange> ranges_;
};

TEST_F(AccountingTest, NoGapNoLoss) {
  for (uint64_t seq = 1; seq <= 5; ++seq) Deliver(seq);
  Reconcile(5, 0);
  EXPECT_TRUE(ranges_.empty());
  EXPECT_EQ(accounting_.Totals(KE_EXEC).delivered, 5u);
}

TEST_F(AccountingTest, ConfirmedGapIsReportedWithItsRange) {
  Deliver(1);
  Deliver(5);
  Reconcile(5, 3);
  ASSERT_EQ(ranges_.size(), 1u);
  EXPECT_EQ(ranges_[0].first, 2u);
  EXPECT_EQ(ranges_[0].last, 4u);
  EXPECT_EQ(ranges_[0].cpu, 1u);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).lost, 3u);
  EXPECT_EQ(accounting_.LostOnCpu(1), 3u);
  EXPECT_EQ(accounting_.LostOnCpu(0), 0u);
}

TEST_F(AccountingTest, GapThatTheKernelDoesNotConfirmIsNoLoss) {
  Deliver(1);
  Deliver(3);
  Reconcile(3, 0);
  EXPECT_TRUE(ranges_.empty());
  Deliver(2);  // it was only late
  Reconcile(3, 0);
  EXPECT_TRUE(ranges_.empty());
  EXPECT_EQ(accounting_.out_of_sequence(), 1u);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).delivered, 3u);
}

// Some of a class go by the priority ring, the others by the bulk ring, which is full: what comes
// is in order, and the gaps are the bulk ring's.
TEST_F(AccountingTest, RecordsOfOneClassMayComeByTwoRings) {
  Deliver(1);
  Deliver(4);  // urgent
  Reconcile(6, 3);
  Deliver(7);  // urgent, younger than the counters
  Reconcile(6, 3);
  Reconcile(8, 5);
  uint64_t lost = 0;
  for (const LostRange& range : ranges_) lost += range.count();
  EXPECT_EQ(lost, 5u);
  EXPECT_EQ(ranges_.front().first, 2u);
  EXPECT_EQ(ranges_.back().last, 8u);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).delivered + lost, 8u);
}

TEST_F(AccountingTest, GapIsSplitByALateRecordInItsMiddle) {
  Deliver(1);
  Deliver(6);
  Deliver(4);
  Reconcile(6, 3);
  ASSERT_EQ(ranges_.size(), 2u);
  EXPECT_EQ(ranges_[0].first, 2u);
  EXPECT_EQ(ranges_[0].last, 3u);
  EXPECT_EQ(ranges_[1].first, 5u);
  EXPECT_EQ(ranges_[1].last, 5u);
}

TEST_F(AccountingTest, LossBehindTheLastRecordIsFound) {
  Deliver(1);
  Reconcile(4, 3);
  ASSERT_EQ(ranges_.size(), 1u);
  EXPECT_EQ(ranges_[0].first, 2u);
  EXPECT_EQ(ranges_[0].last, 4u);
  Deliver(5);
  Reconcile(5, 3);
  EXPECT_EQ(ranges_.size(), 1u);
}

TEST_F(AccountingTest, TailWithRecordsStillInTheRingWaits) {
  Deliver(1);
  Reconcile(5, 2);  // two of four are lost, which ones is open
  EXPECT_TRUE(ranges_.empty());
  Deliver(2);
  Deliver(5);
  Reconcile(5, 2);
  ASSERT_EQ(ranges_.size(), 1u);
  EXPECT_EQ(ranges_[0].first, 3u);
  EXPECT_EQ(ranges_[0].last, 4u);
}

TEST_F(AccountingTest, GapAndTailTogether) {
  Deliver(1);
  Deliver(3);
  Reconcile(6, 4);
  ASSERT_EQ(ranges_.size(), 2u);
  EXPECT_EQ(ranges_[0].count() + ranges_[1].count(), 4u);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).lost, 4u);
}

TEST_F(AccountingTest, EverythingLostIsOneRange) {
  Reconcile(20000, 20000);
  ASSERT_EQ(ranges_.size(), 1u);
  EXPECT_EQ(ranges_[0].first, 1u);
  EXPECT_EQ(ranges_[0].last, 20000u);
}

TEST_F(AccountingTest, HeadersFromOutsideTheTablesAreIgnored) {
  ke_hdr hdr{};
  hdr.type = KE_EXEC;
  hdr.cpu = 99;
  accounting_.OnRecord(hdr);
  hdr.cpu = 0;
  hdr.type = 999;
  accounting_.OnRecord(hdr);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).delivered, 0u);
}

// 10 numbers were given, 1 of them lost; the reader before had noted 4 and 1 lost; 3 wait.
TEST_F(AccountingTest, ANextReaderGoesOnAndSaysWhatTheOneBeforeTookUnnoted) {
  const ke_counts counts{.attempted = 10, .filtered = 0, .seq = 10, .lost = 2};
  const uint64_t taken = accounting_.Resume(1, KE_EXEC, {.last = 4, .lost = 1}, counts, 3);
  EXPECT_EQ(taken, 2u);  // 6 are open: 3 wait, 1 is lost
  for (const uint64_t seq : {8, 9, 10}) Deliver(seq);
  Reconcile(10, 2);
  ASSERT_EQ(ranges_.size(), 1u);
  EXPECT_EQ(ranges_[0].first, 7u);
  EXPECT_EQ(ranges_[0].last, 7u);
  EXPECT_EQ(accounting_.Totals(KE_EXEC).delivered + accounting_.Totals(KE_EXEC).lost, 10u);
}

TEST_F(AccountingTest, ANextReaderAfterAnOrderlyEndFindsNothingTaken) {
  Accounting before(2);
  ke_hdr hdr{};
  hdr.type = KE_EXEC;
  hdr.cpu = 1;
  for (hdr.seq = 1; hdr.seq <= 4; ++hdr.seq) before.OnRecord(hdr);
  const Noted noted = before.Note(1, KE_EXEC);
  EXPECT_EQ(noted.last, 4u);
  const ke_counts counts{.attempted = 6, .filtered = 0, .seq = 6, .lost = 0};
  EXPECT_EQ(accounting_.Resume(1, KE_EXEC, noted, counts, 2), 0u);
}

}  // namespace
}  // namespace kentry
