// SPDX-License-Identifier: Apache-2.0
// process.fork: who made whom, by each way there is.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using ForkTest = SensorTest;

TEST_F(ForkTest, PlainFork) {
  Child child([] {
    Tell(1);
    pause();
    return 0;
  });
  ASSERT_TRUE(child.Next());
  const ProcFacts facts = ProcFacts::Of(child.pid());
  const Seen fork = ForkOf(facts.pid);
  EXPECT_EQ(fork.Number(kProcessStart) / 10'000'000, facts.start_ticks);
  EXPECT_EQ(fork.Number(kParentPid), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(fork.Number(kForkCreatorPid), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(fork.Number(kForkCreatorTid), static_cast<uint64_t>(gettid()));
  EXPECT_EQ(fork.Number(kProcessNsPid), facts.pid);
  EXPECT_EQ(fork.Number(kProcessUid), facts.uid[0]);
  EXPECT_EQ(fork.Number(kCgroupId), facts.cgroup_id);
  EXPECT_EQ(fork.Text(kProcessBinary), facts.exe) << "a child has its parent's program";
  EXPECT_EQ(fork.Text(kParentBinary), facts.exe);
  EXPECT_FALSE(fork.Is(kForkSharesMemory));
  EXPECT_FALSE(fork.Is(kProcessUnknown));
}

TEST_F(ForkTest, DepthGrowsByOneEachGeneration) {
  Child child([] { return InClone(0, [] { return InClone(0, [] { return 0; }); }); });
  const auto first = static_cast<uint64_t>(child.pid());
  // The second may be slower to tell of itself than the third.
  const std::optional<int64_t> one = child.Next();
  const std::optional<int64_t> other = child.Next();
  ASSERT_TRUE(one && other);
  EXPECT_EQ(child.Finish(), 0);
  Seen second = ForkOf(static_cast<uint64_t>(*one));
  Seen third = ForkOf(static_cast<uint64_t>(*other));
  if (second.Number(kParentPid) != first) std::swap(second, third);
  EXPECT_EQ(second.Number(kParentPid), first);
  EXPECT_EQ(third.Number(kParentPid), second.pid());
  const uint64_t depth = ForkOf(first).Number(kProcessDepth);
  EXPECT_EQ(second.Number(kProcessDepth), depth + 1);
  EXPECT_EQ(third.Number(kProcessDepth), depth + 2);
}

TEST_F(ForkTest, Vfork) {
  Child child([] {
    const pid_t pid = vfork();
    if (pid == 0) _exit(7);
    Tell(pid);
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid);
  const Seen fork = ForkOf(static_cast<uint64_t>(*pid));
  EXPECT_TRUE(fork.Is(kForkSharesMemory));
  EXPECT_EQ(fork.Number(kParentPid), static_cast<uint64_t>(child.pid()));
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 7);
  EXPECT_EQ(ExitOf(static_cast<uint64_t>(*pid)).Number(kExitCode), 7u);
}

TEST_F(ForkTest, Clone3) {
  Child child([] { return InClone(0, [] { return 3; }); });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid && *pid > 0);
  const Seen fork = ForkOf(static_cast<uint64_t>(*pid));
  EXPECT_EQ(fork.Number(kParentPid), static_cast<uint64_t>(child.pid()));
  EXPECT_EQ(fork.Number(kForkCreatorPid), static_cast<uint64_t>(child.pid()));
  EXPECT_FALSE(fork.Is(kForkSharesMemory));
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 3);
}

TEST_F(ForkTest, CloneParentTellsParentFromCreator) {
  Child child([] {
    const auto pid = static_cast<pid_t>(Must(
        syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr), "clone"));
    if (pid == 0) _exit(0);
    Tell(pid);
    return 0;
  });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid && *pid > 0);
  const Seen fork = ForkOf(static_cast<uint64_t>(*pid));
  EXPECT_EQ(fork.Number(kForkCreatorPid), static_cast<uint64_t>(child.pid()));
  EXPECT_EQ(fork.Number(kParentPid), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(child.Finish(), 0);
  int status = -1;
  EXPECT_EQ(waitpid(static_cast<pid_t>(*pid), &status, 0), *pid) << "it is this process's child";
}

TEST_F(ForkTest, CreatorIsTheThreadParentIsTheProcess) {
  Child child([] {
    int result = 0;
    std::thread([&result] {
      Tell(gettid());
      const pid_t pid = fork();
      if (pid == 0) _exit(0);
      Tell(pid);
      result = waitpid(pid, nullptr, 0) == pid ? 0 : 1;
    }).join();
    return result;
  });
  const std::optional<int64_t> tid = child.Next();
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(tid && pid);
  const Seen fork = ForkOf(static_cast<uint64_t>(*pid));
  EXPECT_EQ(fork.Number(kForkCreatorTid), static_cast<uint64_t>(*tid));
  EXPECT_EQ(fork.Number(kForkCreatorPid), static_cast<uint64_t>(child.pid()));
  EXPECT_EQ(fork.Number(kParentPid), static_cast<uint64_t>(child.pid()));
  EXPECT_EQ(child.Finish(), 0);
}

TEST_F(ForkTest, ThreadsAreNoProcesses) {
  Child child([] {
    for (int i = 0; i < 5; ++i) std::thread([] { Tell(gettid()); }).join();
    return 0;
  });
  std::vector<uint64_t> tids;
  while (const std::optional<int64_t> tid = child.Next()) {
    tids.push_back(static_cast<uint64_t>(*tid));
  }
  ASSERT_EQ(tids.size(), 5u);
  EXPECT_EQ(child.Finish(), 0);
  sensor().Settle();
  for (const uint64_t tid : tids) EXPECT_TRUE(sensor().EventsOf(tid).empty()) << tid;
}

TEST_F(ForkTest, ChildOfANewPidNamespaceIsNumberOne) {
  Child child([] { return InClone(CLONE_NEWPID | CLONE_NEWUSER, [] { return 0; }); });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid && *pid > 0);
  EXPECT_EQ(ForkOf(static_cast<uint64_t>(*pid)).Number(kProcessNsPid), 1u);
  EXPECT_EQ(child.Finish(), 0);
}

TEST_F(ForkTest, ChildInAJoinedPidNamespaceHasItsNumberThere) {
  Child child([] {
    Must(unshare(CLONE_NEWPID), "unshare");
    const pid_t first = fork();
    if (first == 0) {
      pause();
      _exit(0);
    }
    const pid_t second = fork();
    if (second == 0) _exit(0);
    Tell(second);
    waitpid(second, nullptr, 0);
    kill(first, SIGKILL);
    waitpid(first, nullptr, 0);
    return 0;
  });
  const std::optional<int64_t> second = child.Next();
  ASSERT_TRUE(second);
  EXPECT_EQ(ForkOf(static_cast<uint64_t>(*second)).Number(kProcessNsPid), 2u);
  EXPECT_EQ(child.Finish(), 0);
}

class ForkRecordTest : public OwnSensorTest {};

// The record has more than the event: what rules on the child need at once.
TEST_F(ForkRecordTest, CarriesCredentialsAndNamespacesOfTheChild) {
  const std::unique_ptr<Kernel> kernel = LoadKernel();
  ASSERT_NE(kernel, nullptr);
  ASSERT_TRUE(kernel->Attach().ok());
  Child child([] {
    Must(setresgid(21, 22, 23), "setresgid");
    Must(unshare(CLONE_NEWUTS | CLONE_NEWNET), "unshare");
    return InClone(CLONE_NEWIPC | CLONE_NEWPID, [] { return pause(); });
  });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid && *pid > 0);
  const ProcFacts facts = ProcFacts::Of(static_cast<pid_t>(*pid));
  int found = 0;
  for (const RawRecord& record : DrainAll(*kernel)) {
    if (record.hdr().type != KE_FORK || record.As<ke_fork>().tgid != facts.pid) continue;
    ++found;
    const ke_fork& fork = record.As<ke_fork>();
    EXPECT_EQ(record.hdr().size, sizeof(ke_fork));
    EXPECT_EQ(fork.creds.gid, 21u);
    EXPECT_EQ(fork.creds.egid, 22u);
    EXPECT_EQ(fork.creds.sgid, 23u);
    EXPECT_EQ(fork.creds.cap_effective, facts.cap_effective);
    EXPECT_EQ(fork.creds.cap_bounding, facts.cap_bounding);
    EXPECT_EQ(fork.ns.uts, facts.ns_uts);
    EXPECT_EQ(fork.ns.net, facts.ns_net);
    EXPECT_EQ(fork.ns.ipc, facts.ns_ipc);
    EXPECT_EQ(fork.ns.pid, facts.ns_pid_ns);
    EXPECT_EQ(fork.ns.mnt, facts.ns_mnt);
    EXPECT_EQ(fork.ns.user, facts.ns_user);
    EXPECT_EQ(fork.ns.cgroup, facts.ns_cgroup);
    EXPECT_EQ(fork.ns.time, facts.ns_time);
    EXPECT_EQ(fork.ns_tgid, 1u);
    EXPECT_EQ(fork.cgroup_id, facts.cgroup_id);
  }
  EXPECT_EQ(found, 1);
  kill(static_cast<pid_t>(*pid), SIGKILL);
}

}  // namespace
}  // namespace kentry::vm
