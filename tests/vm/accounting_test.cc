// SPDX-License-Identifier: Apache-2.0
// No record goes missing unsaid: the kernel's counters, the reader's and the events agree exactly,
// also when nobody reads.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <set>

#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using AccountingTest = OwnSensorTest;

constexpr ke_type kTypes[] = {KE_EXEC, KE_FORK, KE_EXIT, KE_EXEC_FAILED, KE_CGROUP, KE_CGROUP_MOVE};

int BurstSize() { return Count(2000, 20'000); }
int SmallBurstSize() { return Count(600, 20'000); }  // still several times what the rings hold

TEST_F(AccountingTest, StarvedReaderFindsTheKernelsSumsExact) {
  const std::unique_ptr<Kernel> kernel = LoadKernel({.ring_bytes = kTinyRing});
  ASSERT_NE(kernel, nullptr);
  ASSERT_TRUE(kernel->Attach().ok());
  RunExecs(BurstSize());
  const std::string cgroup = "/sys/fs/cgroup/behind-the-flood";
  ASSERT_EQ(mkdir(cgroup.c_str(), 0755), 0);
  ASSERT_EQ(rmdir(cgroup.c_str()), 0);
  kernel->Detach();
  std::map<std::pair<uint32_t, uint16_t>, std::set<uint64_t>> delivered;
  for (const RawRecord& record : DrainAll(*kernel)) {
    const ke_hdr& hdr = record.hdr();
    EXPECT_TRUE(delivered[std::make_pair(hdr.cpu, hdr.type)].insert(hdr.seq).second) << hdr.seq;
  }
  for (int cpu = 0; cpu < kernel->cpu_count(); ++cpu) {
    for (const ke_type type : kTypes) {
      SCOPED_TRACE(testing::Message() << "cpu " << cpu << " type " << type);
      const ke_counts& counts = kernel->stats(cpu).classes[type];
      const auto& seqs = delivered[{static_cast<uint32_t>(cpu), static_cast<uint16_t>(type)}];
      EXPECT_EQ(counts.attempted, counts.filtered + counts.seq);
      EXPECT_EQ(counts.seq, seqs.size() + counts.lost);
      if (!seqs.empty()) {
        EXPECT_GE(*seqs.begin(), 1u);
        EXPECT_LE(*seqs.rbegin(), counts.seq);
      }
      if (type == KE_EXEC) {
        EXPECT_GT(counts.lost, 0u) << "the ring was too large for this test";
        EXPECT_GT(seqs.size(), 0u);
      }
    }
  }
  EXPECT_EQ(Sum(*kernel, KE_CGROUP).seq, 2u);
  EXPECT_EQ(Sum(*kernel, KE_CGROUP).lost, 0u) << "a flood of execs pushes no cgroup out";
  const auto burst = static_cast<uint64_t>(BurstSize());
  EXPECT_GE(Sum(*kernel, KE_EXEC).attempted + kernel->Missed(KE_EXEC), burst);
  EXPECT_GE(Sum(*kernel, KE_FORK).attempted + kernel->Missed(KE_FORK), burst);
  EXPECT_GE(Sum(*kernel, KE_EXIT).attempted + kernel->Missed(KE_EXIT), burst);
}

void ExpectTotalsHold(Pipeline& pipeline) {
  for (const ke_type type : kTypes) {
    const ClassTotals totals = pipeline.Totals(type);
    EXPECT_EQ(totals.attempted + totals.missed, totals.filtered + totals.delivered + totals.lost)
        << "type " << type << ": attempted " << totals.attempted << " missed " << totals.missed
        << " filtered " << totals.filtered << " delivered " << totals.delivered << " lost "
        << totals.lost;
  }
}

// Sequence numbers of one CPU and class that events and losses account for.
struct Told {
  std::set<uint64_t> seqs;
  uint64_t twice = 0;
  uint64_t lost = 0;

  void Add(uint64_t seq) { twice += !seqs.insert(seq).second; }
};

TEST_F(AccountingTest, LossEventsNameExactlyTheMissingNumbers) {
  const std::unique_ptr<LiveSensor> sensor =
      LiveSensor::Start({.kernel = {.ring_bytes = kTinyRing}});
  ASSERT_NE(sensor, nullptr);
  RunExecs(SmallBurstSize());
  sensor->Go();
  sensor->Stop();
  ExpectTotalsHold(sensor->pipeline());
  std::map<std::pair<uint64_t, std::string>, Told> told;
  uint64_t lost = 0;
  for (const Seen& seen : sensor->Events([](const Seen&) { return true; })) {
    if (seen.cls() == EventClass::kSensorLoss) {
      lost += seen.Number(kLossCount);
      if (HooksCanBeSkipped() && seen.Text(kLossReason) == "hook_missed") continue;
      EXPECT_EQ(seen.Text(kLossReason), "ring_full");
      Told& losses = told[{seen.Number(kLossCpu), seen.Text(kLossClass)}];
      EXPECT_EQ(seen.Number(kLossCount), seen.Number(kLossLast) - seen.Number(kLossFirst) + 1);
      for (uint64_t seq = seen.Number(kLossFirst); seq <= seen.Number(kLossLast); ++seq) {
        losses.Add(seq);
      }
      losses.lost += seen.Number(kLossCount);
    } else if (seen.view().header().seq != 0) {
      told[{seen.view().header().cpu, std::string(GetClass(seen.cls()).name)}].Add(
          seen.view().header().seq);
    }
  }
  Kernel& kernel = sensor->pipeline().kernel();
  for (const EventClass cls :
       {EventClass::kProcessExec, EventClass::kProcessFork, EventClass::kProcessExit}) {
    for (int cpu = 0; cpu < kernel.cpu_count(); ++cpu) {
      const ClassDef& def = GetClass(cls);
      SCOPED_TRACE(testing::Message() << "cpu " << cpu << " " << def.name);
      const Told& here = told[{static_cast<uint64_t>(cpu), std::string(def.name)}];
      const ke_counts& counts = kernel.stats(cpu).classes[def.record];
      EXPECT_EQ(here.seqs.size(), counts.seq) << "numbers that nothing accounts for";
      EXPECT_EQ(here.twice, 0u) << "numbers that are delivered and lost, or lost twice";
      EXPECT_EQ(here.lost, counts.lost);
    }
  }
  EXPECT_GT(lost, 0u) << "the rings were too large for this test";
  EXPECT_EQ(sensor->pipeline().stats().lost, lost);
}

// The sensor in a process of its own, which stops for a while.
TEST_F(AccountingTest, StoppedAndContinuedSensorKnowsWhatItMissed) {
  Child child([] {
    const std::unique_ptr<LiveSensor> sensor =
        LiveSensor::Start({.kernel = {.ring_bytes = kTinyRing}});
    if (sensor == nullptr) return 1;
    sensor->Go();
    Tell(1);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    sensor->Stop();
    for (const ke_type type : kTypes) {
      const ClassTotals totals = sensor->pipeline().Totals(type);
      Tell(static_cast<int64_t>(totals.attempted + totals.missed));
      Tell(static_cast<int64_t>(totals.filtered + totals.delivered + totals.lost));
      Tell(static_cast<int64_t>(totals.lost));
    }
    uint64_t told = 0;
    for (const Seen& loss :
         sensor->Events([](const Seen& seen) { return seen.cls() == EventClass::kSensorLoss; })) {
      told += loss.Number(kLossCount);
    }
    Tell(static_cast<int64_t>(told));
    return 0;
  });
  ASSERT_TRUE(child.Next());
  kill(child.pid(), SIGSTOP);
  RunExecs(SmallBurstSize());
  kill(child.pid(), SIGCONT);
  RunExecs(20);
  child.Release();
  int64_t lost = 0;
  for (const ke_type type : kTypes) {
    const int64_t happened = child.Next().value_or(-1);
    const int64_t accounted = child.Next().value_or(-2);
    EXPECT_EQ(happened, accounted) << "type " << type;
    if (type == KE_EXEC) {
      EXPECT_GE(happened, SmallBurstSize());
    }
    lost += child.Next().value_or(0);
  }
  EXPECT_GT(lost, 0);
  EXPECT_EQ(child.Next().value_or(-1), lost) << "the loss events' sum";
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(AccountingTest, BurstThatFitsTheDefaultRingsLosesNothing) {
  const std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
  ASSERT_NE(sensor, nullptr);
  sensor->Go();
  RunExecs(SmallBurstSize());
  sensor->Stop();
  ExpectTotalsHold(sensor->pipeline());
  EXPECT_EQ(sensor->pipeline().stats().malformed, 0u);
  const uint64_t skipped = sensor->Skipped();
  EXPECT_EQ(sensor->pipeline().stats().lost, skipped);
  if (skipped != 0) GTEST_SKIP() << "the kernel skipped " << skipped << " hooks, all accounted for";
  const auto execs = sensor->Events([](const Seen& seen) {
    return seen.cls() == EventClass::kProcessExec && seen.Text(kProcessBinary) == kHold;
  });
  EXPECT_EQ(execs.size(), static_cast<size_t>(SmallBurstSize()));
}

}  // namespace
}  // namespace kentry::vm
