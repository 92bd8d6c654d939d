// SPDX-License-Identifier: Apache-2.0
#include "sensor/process/process_table.h"

#include "gtest/gtest.h"
#include "tests/unit/support/records.h"

namespace kentry {
namespace {

ke_process Fixed(uint32_t pid, uint64_t start_ns, uint32_t parent = 0, uint64_t parent_start = 0) {
  ke_process fixed{};
  fixed.tgid = fixed.tid = pid;
  fixed.start_ns = start_ns;
  fixed.parent_tgid = parent;
  fixed.parent_start_ns = parent_start;
  return fixed;
}

std::string Binary(const Process& process) {
  return std::string(process.Text(process.image.binary));
}

TEST(ProcessTableTest, ForkedChildHasItsParentsImageButItsOwnIdentity) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {.binary = "/bin/sh"}).bytes());
  ke_fork fork = MakeFork(2, 20, 1, 10);
  fork.creds.uid = 1000;
  Process* child = table.OnFork(fork);
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(Binary(*child), "/bin/sh");
  EXPECT_TRUE(child->image_known);
  EXPECT_EQ(child->key(), (ProcessKey{2, 20}));
  EXPECT_EQ(child->parent(), (ProcessKey{1, 10}));
  EXPECT_EQ(child->image.creds.uid, 1000u);
}

TEST(ProcessTableTest, ImageOutlivesTheParentItCameFrom) {
  ProcessTable table({.grace_ns = 0});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {.binary = "/bin/sh"}).bytes());
  table.OnFork(MakeFork(2, 20, 1, 10));
  table.OnExit(MakeExit(1, 10, 30));
  table.Sweep(31);
  EXPECT_EQ(table.Find({1, 10}), nullptr);
  EXPECT_EQ(Binary(*table.Find({2, 20})), "/bin/sh");
}

TEST(ProcessTableTest, CreatorAndParentDifferWithCloneParent) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {.binary = "/bin/parent"}).bytes());
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20, 1, 10), {.binary = "/bin/creator"}).bytes());
  ke_fork fork = MakeFork(3, 30, 1, 10);
  fork.creator_tgid = 2;
  fork.creator_start_ns = 20;
  Process* child = table.OnFork(fork);
  EXPECT_EQ(Binary(*child), "/bin/creator");
  EXPECT_EQ(child->parent(), (ProcessKey{1, 10}));
}

TEST(ProcessTableTest, RefusedExecLeavesTheProcessAsItIs) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {.binary = "/bin/sh"}).bytes())->Mark("m", 0, 1);
  Process attempt =
      table.Refused(MakeProcess(KE_EXEC_DENIED, Fixed(2, 20), {.binary = "/bin/not"}).bytes());
  EXPECT_EQ(Binary(attempt), "/bin/not");
  EXPECT_EQ(attempt.earlier, std::vector<std::string>{"/bin/sh"});
  EXPECT_EQ(attempt.marks.size(), 1u);
  attempt.Mark("other", 0, 1);
  const Process* process = table.Find({2, 20});
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(Binary(*process), "/bin/sh");
  EXPECT_TRUE(process->earlier.empty());
  EXPECT_EQ(process->marks.size(), 1u);
  EXPECT_EQ(process->image.hdr.type, KE_EXEC);
}

TEST(ProcessTableTest, SamePidWithAnotherStartIsAnotherProcess) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(7, 10), {.binary = "/bin/old"}).bytes());
  table.OnExit(MakeExit(7, 10, 20));
  table.OnExec(MakeProcess(KE_EXEC, Fixed(7, 30), {.binary = "/bin/new"}).bytes());
  EXPECT_EQ(Binary(*table.Find({7, 10})), "/bin/old");
  EXPECT_EQ(Binary(*table.Find({7, 30})), "/bin/new");
  EXPECT_EQ(table.Find({7, 30})->exited_ns, 0u);
}

TEST(ProcessTableTest, ExecChainOfAProcessIsKeptAndBounded) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {.binary = "/bin/sh"}).bytes());
  table.OnFork(MakeFork(2, 20, 1, 10));
  for (int i = 0; i < 12; ++i) {
    table.OnExec(
        MakeProcess(KE_EXEC, Fixed(2, 20, 1, 10), {.binary = "/bin/" + std::to_string(i)}).bytes());
  }
  const Process& process = *table.Find({2, 20});
  ASSERT_EQ(process.earlier.size(), Process::kEarlierMax);
  EXPECT_EQ(process.earlier.front(), "/bin/3");
  EXPECT_EQ(process.earlier.back(), "/bin/10");
}

TEST(ProcessTableTest, FirstExecOfAForkedChildHasNoEarlierBinary) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {.binary = "/bin/sh"}).bytes());
  table.OnFork(MakeFork(2, 20, 1, 10));
  EXPECT_TRUE(table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20, 1, 10), {}).bytes())->earlier.empty());
}

TEST(ProcessTableTest, ProcessFoundByTheIteratorIsNotForkedOnceMore) {
  ProcessTable table({});
  EXPECT_NE(table.OnExisting(MakeProcess(KE_EXISTING, Fixed(2, 20), {}).bytes()), nullptr);
  EXPECT_EQ(table.OnFork(MakeFork(2, 20, 1, 10)), nullptr);
  EXPECT_EQ(table.counters().duplicates, 1u);
}

TEST(ProcessTableTest, ProcessToldByForkIsNotExistingOnceMore) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  EXPECT_EQ(table.OnExisting(MakeProcess(KE_EXISTING, Fixed(2, 20), {}).bytes()), nullptr);
}

TEST(ProcessTableTest, PendingProcessIsReportedOnceWhenFoundAgain) {
  ProcessTable table({});
  table.OnExisting(MakeProcess(KE_EXISTING, Fixed(2, 20), {}).bytes(), /*pending=*/true);
  table.StartResync();
  EXPECT_NE(table.OnExisting(MakeProcess(KE_EXISTING, Fixed(2, 20), {}).bytes()), nullptr);
  table.FinishResync(50);
  EXPECT_EQ(table.OnExisting(MakeProcess(KE_EXISTING, Fixed(2, 20), {}).bytes()), nullptr);
  EXPECT_EQ(table.Find({2, 20})->exited_ns, 0u);
}

TEST(ProcessTableTest, ExitIsToldOnce) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  EXPECT_NE(table.OnExit(MakeExit(2, 20, 30)), nullptr);
  EXPECT_EQ(table.OnExit(MakeExit(2, 20, 31)), nullptr);
  EXPECT_EQ(table.counters().duplicates, 1u);
}

TEST(ProcessTableTest, ExitIsStillNewsOfWhomAResyncFoundGone) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  table.StartResync();
  table.FinishResync(40);
  EXPECT_EQ(table.counters().lost_exits, 1u);
  EXPECT_NE(table.Find({2, 20})->exited_ns, 0u);
  EXPECT_NE(table.OnExit(MakeExit(2, 20, 39)), nullptr);
}

TEST(ProcessTableTest, UnknownProcessIsMadeUpAndSaysSo) {
  ProcessTable table({});
  Process* process = table.OnExit(MakeExit(9, 90, 100));
  ASSERT_NE(process, nullptr);
  EXPECT_FALSE(process->image_known);
  EXPECT_EQ(table.counters().unknown, 1u);
}

TEST(ProcessTableTest, EndedProcessesStayForTheGracePeriod) {
  ProcessTable table({.grace_ns = 100});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  table.OnExit(MakeExit(2, 20, 1000));
  table.Sweep(1099);
  EXPECT_NE(table.Find({2, 20}), nullptr);
  table.Sweep(1100);
  EXPECT_EQ(table.Find({2, 20}), nullptr);
}

TEST(ProcessTableTest, FullTableEvictsEndedProcessesThenRefuses) {
  ProcessTable table({.capacity = 2});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {}).bytes());
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  table.OnExit(MakeExit(1, 10, 30));
  table.OnExec(MakeProcess(KE_EXEC, Fixed(3, 30), {.binary = "/bin/third"}).bytes());
  EXPECT_EQ(table.counters().evicted, 1u);
  EXPECT_EQ(table.Find({1, 10}), nullptr);
  Process* fourth =
      table.OnExec(MakeProcess(KE_EXEC, Fixed(4, 40), {.binary = "/bin/fourth"}).bytes());
  EXPECT_EQ(table.counters().refused, 1u);
  EXPECT_EQ(Binary(*fourth), "/bin/fourth");  // its event is whole all the same
  EXPECT_EQ(table.Find({4, 40}), nullptr);
  EXPECT_EQ(table.size(), 2u);
}

TEST(ProcessTableTest, ManyEndedProcessesAreBounded) {
  ProcessTable table({.max_exited = 10});
  for (uint32_t pid = 1; pid <= 100; ++pid) {
    table.OnExec(MakeProcess(KE_EXEC, Fixed(pid, pid), {}).bytes());
    table.OnExit(MakeExit(pid, pid, 1000));
  }
  table.Sweep(1001);
  EXPECT_EQ(table.size(), 10u);
}

TEST(ProcessTableTest, DepthCountsKnownAncestorsAndEndsInALoop) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {}).bytes());
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20, 1, 10), {}).bytes());
  table.OnExec(MakeProcess(KE_EXEC, Fixed(3, 30, 2, 20), {}).bytes());
  EXPECT_EQ(table.Depth(*table.Find({3, 30}), 64), 2);
  table.OnExec(MakeProcess(KE_EXEC, Fixed(4, 40, 4, 40), {}).bytes());
  EXPECT_EQ(table.Depth(*table.Find({4, 40}), 64), 64);
}

TEST(ProcessTableTest, CgroupMoveIsFollowed) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  ke_cgroup_move move{};
  move.tgid = 2;
  move.start_ns = 20;
  move.id = 77;
  table.OnCgroupMove(move);
  EXPECT_EQ(table.Find({2, 20})->image.cgroup_id, 77u);
}

TEST(ProcessTest, MarkIsSetThenRenewed) {
  Process process;
  EXPECT_TRUE(process.Mark("a", 100, 1));
  EXPECT_TRUE(process.Mark("b", 0, 1));
  EXPECT_TRUE(process.Mark("a", 200, 1));
  ASSERT_EQ(process.marks.size(), 2u);
  EXPECT_EQ(process.marks[0].name, "a");
  EXPECT_EQ(process.marks[0].expires_ns, 200u);
  EXPECT_EQ(process.marks[1].name, "b");
  EXPECT_EQ(process.marks[1].expires_ns, 0u);
}

TEST(ProcessTest, MarksAreBoundedAndThoseThereCanStillBeRenewed) {
  Process process;
  for (size_t i = 0; i < Process::kMarksMax; ++i) {
    EXPECT_TRUE(process.Mark("mark-" + std::to_string(i), 0, 1));
  }
  EXPECT_FALSE(process.Mark("one-more", 0, 1));
  EXPECT_EQ(process.marks.size(), Process::kMarksMax);
  EXPECT_TRUE(process.Mark("mark-0", 300, 1));
  EXPECT_EQ(process.marks[0].expires_ns, 300u);
}

TEST(ProcessTableTest, ForkedChildHasItsCreatorsMarksFromThenOnItsOwn) {
  ProcessTable table({});
  Process* parent = table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {}).bytes());
  parent->Mark("parents", 0, 1);
  Process* creator = table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20, 1, 10), {}).bytes());
  creator->Mark("creators", 500, 1);
  ke_fork fork = MakeFork(3, 30, 1, 10);
  fork.creator_tgid = 2;
  fork.creator_start_ns = 20;
  table.OnFork(fork);
  table.Find({2, 20})->Mark("later", 0, 1);
  ASSERT_EQ(table.Find({3, 30})->marks.size(), 1u);
  EXPECT_EQ(table.Find({3, 30})->marks[0].name, "creators");
  EXPECT_EQ(table.Find({3, 30})->marks[0].expires_ns, 500u);
  table.Find({3, 30})->Mark("childs", 0, 1);
  EXPECT_EQ(table.Find({2, 20})->marks.size(), 2u);
}

TEST(ProcessTableTest, MarksOutliveAnExec) {
  ProcessTable table({});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes())->Mark("m", 0, 1);
  const Process* process = table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes());
  ASSERT_EQ(process->marks.size(), 1u);
  EXPECT_EQ(process->marks[0].name, "m");
}

TEST(ProcessTableTest, ProcessesThatAreNotRememberedDoNotShareMarks) {
  ProcessTable table({.capacity = 1});
  table.OnExec(MakeProcess(KE_EXEC, Fixed(1, 10), {}).bytes());
  table.OnExec(MakeProcess(KE_EXEC, Fixed(2, 20), {}).bytes())->Mark("m", 0, 1);
  EXPECT_TRUE(table.OnExec(MakeProcess(KE_EXEC, Fixed(3, 30), {}).bytes())->marks.empty());
}

}  // namespace
}  // namespace kentry
