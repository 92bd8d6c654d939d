// SPDX-License-Identifier: Apache-2.0
#include "sensor/journal/journal.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace kentry {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// An event whose bytes tell its number: the journal must hand out the right ones.
EventView MakeEvent(EventBuilder& builder, uint64_t number, size_t text_size = 40) {
  builder.Begin(EventClass::kProcessExec);
  builder.header().seq = number;
  builder.AddNumber(FieldId::kProcessPid, number);
  builder.AddText(FieldId::kProcessBinary, std::string(text_size, 'x'));
  return builder.View();
}

void AppendMany(Journal& journal, uint64_t count, size_t text_size = 40) {
  EventBuilder builder;
  const uint64_t before = journal.stats().last_id;
  for (uint64_t i = 1; i <= count; ++i) journal.Append(MakeEvent(builder, before + i, text_size));
}

// What a reader saw, with every event checked against its id.
struct Seen {
  uint64_t read = 0;
  uint64_t missed = 0;
  uint64_t next = 1;  // id expected next

  void Take(const Batch& batch) {
    ASSERT_GT(batch.count, 0u);
    if (batch.missed_count > 0) {
      ASSERT_EQ(batch.missed_first, next);
      next += batch.missed_count;
      missed += batch.missed_count;
    }
    ASSERT_EQ(batch.first_id, next);
    uint64_t in_batch = 0;
    batch.ForEach([&](EventView event) {
      ASSERT_EQ(event.header().id, next);
      ASSERT_EQ(event.header().seq, next);
      ASSERT_EQ(event.Number(FieldId::kProcessPid), next);
      ++next;
      ++in_batch;
    });
    ASSERT_EQ(in_batch, batch.count);
    read += in_batch;
  }

  ReadResult Drain(JournalReader& reader, absl::Duration timeout = absl::ZeroDuration()) {
    Batch batch;
    ReadResult result;
    while ((result = reader.Next(timeout, &batch)) == ReadResult::kBatch) Take(batch);
    return result;
  }
};

TEST(JournalTest, ReaderSeesNothingBeforeCommit) {
  Journal journal(1 << 20);
  JournalReader reader(journal, JournalReader::From::kOldest);
  AppendMany(journal, 3);
  Batch batch;
  EXPECT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kTimeout);
  journal.Commit();
  ASSERT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kBatch);
  EXPECT_EQ(batch.count, 3u);
}

TEST(JournalTest, IdsCountFromOneWithoutGaps) {
  Journal journal(1 << 20);
  EventBuilder builder;
  EXPECT_EQ(journal.Append(MakeEvent(builder, 1)), 1u);
  EXPECT_EQ(journal.Append(MakeEvent(builder, 2)), 2u);
  journal.Commit();
  EXPECT_EQ(journal.stats().last_id, 2u);
}

TEST(JournalTest, EventsComeOutInOrderOverManyChunks) {
  Journal journal({.max_bytes = 64 << 20, .keep_bytes = 0, .chunk_bytes = 1024});
  JournalReader reader(journal, JournalReader::From::kOldest);
  AppendMany(journal, 10000);
  journal.Commit();
  Seen seen;
  seen.Drain(reader);
  EXPECT_EQ(seen.read, 10000u);
  EXPECT_EQ(seen.missed, 0u);
}

TEST(JournalTest, BatchIsOneContiguousRunWithOtherReadersUntouched) {
  Journal journal(1 << 20);
  JournalReader first(journal, JournalReader::From::kOldest);
  JournalReader second(journal, JournalReader::From::kOldest);
  AppendMany(journal, 5);
  journal.Commit();
  Seen a;
  a.Drain(first);
  AppendMany(journal, 5);
  journal.Commit();
  a.Drain(first);
  Seen b;
  b.Drain(second);
  EXPECT_EQ(a.read, 10u);
  EXPECT_EQ(b.read, 10u);
}

TEST(JournalTest, SlowReaderIsToldExactlyWhichIdsItMissed) {
  Journal journal({.max_bytes = 16384, .chunk_bytes = 1024});
  JournalReader slow(journal, JournalReader::From::kOldest);
  AppendMany(journal, 1000);
  journal.Commit();
  Seen seen;
  seen.Drain(slow);
  EXPECT_GT(seen.missed, 0u);
  EXPECT_GT(seen.read, 0u);
  EXPECT_EQ(seen.read + seen.missed, 1000u);
  EXPECT_EQ(journal.stats().pushed_out, seen.missed);
}

TEST(JournalTest, ReaderInTheMiddleMissesOnlyWhatItHadNotRead) {
  Journal journal({.max_bytes = 16384, .chunk_bytes = 1024});
  JournalReader reader(journal, JournalReader::From::kOldest);
  Seen seen;
  uint64_t appended = 0;
  for (const uint64_t count : {3, 500, 20, 1, 700}) {
    AppendMany(journal, count);
    journal.Commit();
    appended += count;
    Batch batch;
    ASSERT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kBatch);
    seen.Take(batch);
  }
  seen.Drain(reader);
  EXPECT_EQ(seen.read + seen.missed, appended);
}

TEST(JournalTest, BatchStaysValidWhileItsChunkIsPushedOut) {
  Journal journal({.max_bytes = 8192, .chunk_bytes = 1024});
  JournalReader reader(journal, JournalReader::From::kOldest);
  AppendMany(journal, 4);
  journal.Commit();
  Batch batch;
  ASSERT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kBatch);
  AppendMany(journal, 2000);
  journal.Commit();
  Seen seen;
  seen.Take(batch);
  EXPECT_EQ(seen.read, 4u);
}

TEST(JournalTest, MemoryStaysInTheBudgetWithAReaderThatNeverReads) {
  constexpr size_t kMax = 64 * 1024;
  Journal journal({.max_bytes = kMax, .chunk_bytes = 4096});
  JournalReader reader(journal, JournalReader::From::kOldest);
  for (int i = 0; i < 100; ++i) {
    AppendMany(journal, 100);
    journal.Commit();
    EXPECT_LE(journal.stats().memory_bytes, kMax + 4096);
  }
}

TEST(JournalTest, BudgetHoldsWithoutCommit) {
  constexpr size_t kMax = 64 * 1024;
  Journal journal({.max_bytes = kMax, .chunk_bytes = 4096});
  AppendMany(journal, 20000);
  EXPECT_LE(journal.stats().memory_bytes, kMax + 4096);
}

TEST(JournalTest, WhatAllHaveReadIsReleasedButForTheKeepBudget) {
  Journal journal({.max_bytes = 1 << 20, .keep_bytes = 8192, .chunk_bytes = 4096});
  JournalReader fast(journal, JournalReader::From::kOldest);
  JournalReader slow(journal, JournalReader::From::kOldest);
  AppendMany(journal, 2000);
  journal.Commit();
  Seen seen;
  seen.Drain(fast);
  const uint64_t held = journal.stats().memory_bytes;
  EXPECT_GT(held, 100u * 1024) << "the slow reader still needs it";
  Seen behind;
  behind.Drain(slow);
  EXPECT_EQ(behind.missed, 0u);
  EXPECT_LE(journal.stats().memory_bytes, 8192u + 2 * 4096);
}

TEST(JournalTest, ReaderThatGoesReleasesWhatOnlyItNeeded) {
  Journal journal({.max_bytes = 1 << 20, .keep_bytes = 0, .chunk_bytes = 4096});
  {
    JournalReader slow(journal, JournalReader::From::kOldest);
    AppendMany(journal, 2000);
    journal.Commit();
    EXPECT_GT(journal.stats().memory_bytes, 100u * 1024);
  }
  EXPECT_LE(journal.stats().memory_bytes, 2u * 4096);
  EXPECT_EQ(journal.stats().readers, 0);
}

TEST(JournalTest, EventLargerThanAChunkComesThroughWhole) {
  Journal journal({.max_bytes = 1 << 20, .chunk_bytes = 1024});
  JournalReader reader(journal, JournalReader::From::kOldest);
  AppendMany(journal, 2);
  AppendMany(journal, 0);
  EventBuilder builder;
  journal.Append(MakeEvent(builder, 3, 50000));
  journal.Append(MakeEvent(builder, 4));
  journal.Commit();
  Seen seen;
  seen.Drain(reader);
  EXPECT_EQ(seen.read, 4u);
}

TEST(JournalTest, EventLargerThanTheBudgetIsStillHandedOut) {
  Journal journal({.max_bytes = 8192, .chunk_bytes = 1024});
  JournalReader reader(journal, JournalReader::From::kOldest);
  EventBuilder builder;
  journal.Append(MakeEvent(builder, 1, 50000));
  journal.Commit();
  Seen seen;
  seen.Drain(reader);
  EXPECT_EQ(seen.read, 1u);
}

TEST(JournalTest, ReaderFromNowSeesOnlyWhatIsCommittedLater) {
  Journal journal(1 << 20);
  AppendMany(journal, 10);
  journal.Commit();
  JournalReader reader(journal, JournalReader::From::kNow);
  Batch batch;
  EXPECT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kTimeout);
  AppendMany(journal, 2);
  journal.Commit();
  ASSERT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kBatch);
  EXPECT_EQ(batch.first_id, 11u);
  EXPECT_EQ(batch.count, 2u);
  EXPECT_EQ(batch.missed_count, 0u);
}

TEST(JournalTest, ReaderFromOldestStartsAtWhatIsKeptAndMissedNothing) {
  Journal journal({.max_bytes = 16384, .keep_bytes = 16384, .chunk_bytes = 1024});
  AppendMany(journal, 1000);
  journal.Commit();
  JournalReader reader(journal, JournalReader::From::kOldest);
  Batch batch;
  ASSERT_EQ(reader.Next(absl::ZeroDuration(), &batch), ReadResult::kBatch);
  EXPECT_GT(batch.first_id, 1u);
  EXPECT_EQ(batch.missed_count, 0u);
}

TEST(JournalTest, CloseEndsReadersAfterTheyReadEverything) {
  Journal journal(1 << 20);
  JournalReader reader(journal, JournalReader::From::kOldest);
  AppendMany(journal, 3);
  journal.Close();
  Seen seen;
  EXPECT_EQ(seen.Drain(reader, kLong), ReadResult::kEnd);
  EXPECT_EQ(seen.read, 3u);
}

TEST(JournalTest, StopAtEndEndsOneReaderAndLeavesTheOther) {
  Journal journal(1 << 20);
  JournalReader stopped(journal, JournalReader::From::kOldest);
  JournalReader other(journal, JournalReader::From::kOldest);
  AppendMany(journal, 3);
  journal.Commit();
  stopped.StopAtEnd();
  AppendMany(journal, 0);
  Seen seen;
  EXPECT_EQ(seen.Drain(stopped, kLong), ReadResult::kEnd);
  EXPECT_EQ(seen.read, 3u);
  Seen all;
  EXPECT_EQ(all.Drain(other), ReadResult::kTimeout);
}

TEST(JournalTest, SleepingReaderIsWokenByCommitStopAndClose) {
  Journal journal(1 << 20);
  JournalReader by_stop(journal, JournalReader::From::kOldest);
  JournalReader by_close(journal, JournalReader::From::kOldest);
  Seen a;
  Seen b;
  std::thread stopped([&] { EXPECT_EQ(a.Drain(by_stop, kLong), ReadResult::kEnd); });
  std::thread closed([&] { EXPECT_EQ(b.Drain(by_close, kLong), ReadResult::kEnd); });
  AppendMany(journal, 1);
  journal.Commit();
  by_stop.StopAtEnd();
  stopped.join();
  AppendMany(journal, 1);
  journal.Close();
  closed.join();
  EXPECT_EQ(a.read, 1u);
  EXPECT_EQ(b.read, 2u);
}

TEST(JournalTest, TimeoutLeavesTheBatchAlone) {
  Journal journal(1 << 20);
  JournalReader reader(journal, JournalReader::From::kOldest);
  Batch batch;
  batch.count = 77;
  const absl::Time start = absl::Now();
  EXPECT_EQ(reader.Next(absl::Milliseconds(20), &batch), ReadResult::kTimeout);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(15));
  EXPECT_EQ(batch.count, 77u);
}

// Three readers of different speed against a writer that overruns them, and readers that come and
// go: every reader's sum is exact. Under TSan the test of the locking.
TEST(JournalTest, SumsAreExactUnderConcurrency) {
  Journal journal({.max_bytes = 32768, .keep_bytes = 4096, .chunk_bytes = 2048});
  constexpr uint64_t kEvents = 30000;
  std::vector<Seen> seen(3);
  std::vector<std::unique_ptr<JournalReader>> readers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < seen.size(); ++i) {
    readers.push_back(std::make_unique<JournalReader>(journal, JournalReader::From::kOldest));
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] {
      Batch batch;
      while (readers[i]->Next(kLong, &batch) == ReadResult::kBatch) {
        seen[i].Take(batch);
        if (i > 0) absl::SleepFor(absl::Microseconds(200 * i));
      }
    });
  }
  std::thread visitor([&] {
    for (int i = 0; i < 200; ++i) {
      JournalReader reader(journal, JournalReader::From::kOldest);
      Batch batch;
      if (reader.Next(absl::Milliseconds(1), &batch) != ReadResult::kBatch) continue;
      uint64_t id = batch.first_id;
      batch.ForEach([&](EventView event) { EXPECT_EQ(event.header().id, id++); });
    }
  });
  EventBuilder builder;
  for (uint64_t i = 1; i <= kEvents; ++i) {
    journal.Append(MakeEvent(builder, i, i % 97));
    if (i % 13 == 0) journal.Commit();
    if (i % 1000 == 0) absl::SleepFor(absl::Milliseconds(1));
  }
  journal.Close();
  for (std::thread& thread : threads) thread.join();
  visitor.join();
  for (const Seen& one : seen) EXPECT_EQ(one.read + one.missed, kEvents);
  readers.clear();
}

}  // namespace
}  // namespace kentry
