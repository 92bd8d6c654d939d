// SPDX-License-Identifier: Apache-2.0
// process.exec: who executed, from where, in which namespaces.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using ExecTest = SensorTest;

TEST_F(ExecTest, EveryFieldIsWhatProcSays) {
  const std::string folder = NewFolder();
  ProcFacts facts;
  const Seen exec = RunProgram(
      {.path = kHold, .args = {"hold", "one", "two words"}},
      [&] {
        Must(chdir(folder.c_str()), "chdir");
        Must(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0), "drop a capability");
        Must(setresgid(1001, 1002, 1003), "setresgid");
        Must(setresuid(2001, 0, 2003), "setresuid");
        // A saved uid of 0 keeps nothing here: the effective one is root's, as is the program's.
      },
      &facts);
  EXPECT_EQ(exec.Text(kProcessBinary), kHold);
  EXPECT_EQ(exec.Text(kProcessCwd), folder);
  EXPECT_EQ(exec.List(kProcessArgs), (std::vector<std::string>{"hold", "one", "two words"}));
  EXPECT_EQ(exec.Number(kProcessArgc), 3u);
  EXPECT_EQ(exec.Number(kProcessArgsLen), sizeof("hold") + sizeof("one") + sizeof("two words"));
  EXPECT_EQ(exec.Number(kProcessTid), facts.pid);
  EXPECT_EQ(exec.Number(kParentPid), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(exec.Number(kParentStart) / 10'000'000, ProcFacts::Of(getpid()).start_ticks);
  EXPECT_EQ(exec.Number(kProcessUid), 2001u);
  EXPECT_EQ(exec.Number(kProcessEuid), 0u);
  EXPECT_EQ(exec.Number(kProcessGid), 1001u);
  EXPECT_EQ(exec.Number(kProcessCapBounding) & 1ull << CAP_SYS_BOOT, 0u);
  EXPECT_EQ(exec.Text(kCgroupPath), facts.cgroup);
  EXPECT_FALSE(exec.Has(kProcessTty));
  EXPECT_FALSE(exec.Has(kProcessScript));
  for (const FieldId flag : {kProcessMemfd, kProcessDeleted, kProcessOverlayUpper, kProcessSetuid,
                             kProcessSetgid, kProcessFileCaps, kProcessThreadExec,
                             kProcessUnreachable, kProcessInContainer, kProcessCwdDeleted}) {
    EXPECT_FALSE(exec.Is(flag)) << GetField(flag).name;
  }
}

TEST_F(ExecTest, LoginUidAndSessionAreTheAuditSystems) {
  if (access("/proc/self/loginuid", F_OK) != 0) GTEST_SKIP() << "no audit in this kernel";
  const Seen exec = RunProgram({}, [] { WriteFile("/proc/self/loginuid", "4711"); });
  EXPECT_EQ(exec.Number(kProcessLoginUid), 4711u);
  EXPECT_NE(exec.Number(kProcessSession), 4294967295u);
}

TEST_F(ExecTest, ControllingTerminal) {
  int main_end = -1;
  int other_end = -1;
  char name[64] = {};
  ASSERT_EQ(openpty(&main_end, &other_end, name, nullptr, nullptr), 0);
  const Seen exec = RunProgram({}, [&] {
    Must(setsid(), "setsid");
    Must(ioctl(other_end, TIOCSCTTY, 0), "TIOCSCTTY");
    Must(fcntl(other_end, F_SETFD, FD_CLOEXEC), "close on exec");
  });
  const std::string number = std::string(name).substr(sizeof("/dev/pts/") - 1);
  EXPECT_EQ(exec.Text(kProcessTty), "pts" + number);
  close(main_end);
  close(other_end);
}

TEST_F(ExecTest, WorkingDirectoryThatWasRemoved) {
  const std::string folder = NewFolder();
  const Seen exec = RunProgram({}, [&] {
    Must(chdir(folder.c_str()), "chdir");
    Must(rmdir(folder.c_str()), "rmdir");
  });
  EXPECT_TRUE(exec.Is(kProcessCwdDeleted));
  EXPECT_EQ(exec.Text(kProcessCwd), folder);
}

TEST_F(ExecTest, WorkingDirectoryIsTheRoot) {
  const Seen exec = RunProgram({}, [] { Must(chdir("/"), "chdir"); });
  EXPECT_EQ(exec.Text(kProcessCwd), "/");
}

TEST_F(ExecTest, PathsAreBelowTheProcessesOwnRoot) {
  const std::string folder = NewFolder();
  mkdir((folder + "/bin").c_str(), 0755);
  mkdir((folder + "/home").c_str(), 0755);
  CopyFile(kHold, folder + "/bin/inner", 0755);
  const Seen exec = RunProgram({.path = "/bin/inner"}, [&] {
    Must(chroot(folder.c_str()), "chroot");
    Must(chdir("/home"), "chdir");
  });
  EXPECT_EQ(exec.Text(kProcessBinary), "/bin/inner");
  EXPECT_EQ(exec.Text(kProcessCwd), "/home");
  EXPECT_FALSE(exec.Is(kProcessUnreachable));
}

TEST_F(ExecTest, BinaryOutsideOfTheRootIsUnreachable) {
  const std::string folder = NewFolder();
  const Fd hold(open(kHold, O_RDONLY | O_CLOEXEC));
  const Seen exec = RunProgram({.fd = hold.get()}, [&] {
    Must(chroot(folder.c_str()), "chroot");
    Must(chdir("/"), "chdir");
  });
  EXPECT_TRUE(exec.Is(kProcessUnreachable));
  EXPECT_EQ(exec.Text(kProcessBinary), kHold);
  EXPECT_EQ(exec.Text(kProcessCwd), "/");
}

TEST_F(ExecTest, NewNamespacesOfEachKind) {
  const struct {
    int flag;
    const char* name;
    FieldId field;
  } kinds[] = {
      {CLONE_NEWNS, "mnt", kProcessNsMnt},     {CLONE_NEWUTS, "uts", kProcessNsUts},
      {CLONE_NEWNET, "net", kProcessNsNet},    {CLONE_NEWIPC, "ipc", kProcessNsIpc},
      {CLONE_NEWUSER, "user", kProcessNsUser}, {CLONE_NEWCGROUP, "cgroup", kProcessNsCgroup}};
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.name);
    const Seen exec = RunProgram({}, [&] { Must(unshare(kind.flag), "unshare"); });
    EXPECT_NE(exec.Number(kind.field), NamespaceOf(getpid(), kind.name));
  }
}

TEST_F(ExecTest, JoinedNamespace) {
  Child other([] {
    Must(unshare(CLONE_NEWUTS), "unshare");
    Tell(1);
    pause();
    return 0;
  });
  ASSERT_TRUE(other.Next());
  const uint64_t inum = NamespaceOf(other.pid(), "uts");
  const Seen exec = RunProgram({}, [&] {
    const int fd = open(fmt::format("/proc/{}/ns/uts", other.pid()).c_str(), O_RDONLY | O_CLOEXEC);
    Must(setns(fd, CLONE_NEWUTS), "setns");
  });
  EXPECT_EQ(exec.Number(kProcessNsUts), inum);
}

TEST_F(ExecTest, PidAndTimeNamespaces) {
  for (const int flag : {CLONE_NEWPID, CLONE_NEWTIME}) {
    SCOPED_TRACE(flag == CLONE_NEWPID ? "pid" : "time");
    Child child([&] {
      Must(unshare(flag), "unshare");
      return InClone(0, []() -> int { Exec({}); });
    });
    const std::optional<int64_t> pid = child.Next();
    ASSERT_TRUE(pid && *pid > 0);
    ASSERT_TRUE(child.Execed());
    const Seen exec = ExecOf(static_cast<uint64_t>(*pid));
    ExpectSameProcess(exec, ProcFacts::Of(static_cast<pid_t>(*pid)));
    if (flag == CLONE_NEWPID) {
      EXPECT_EQ(exec.Number(kProcessNsPid), 1u);
      EXPECT_NE(exec.Number(kProcessNsPidNs), NamespaceOf(getpid(), "pid"));
    } else {
      EXPECT_NE(exec.Number(kProcessNsTime), NamespaceOf(getpid(), "time"));
    }
    EXPECT_EQ(child.Finish(), 0);
  }
}

TEST_F(ExecTest, ThreadThatIsNotTheLeader) {
  Child child([]() -> int {
    std::thread([] {
      Tell(gettid());
      Exec({});
    }).join();
    return 1;
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  const std::optional<int64_t> tid = child.Next();
  ASSERT_TRUE(tid);
  ASSERT_NE(static_cast<uint64_t>(*tid), pid);
  ASSERT_TRUE(child.Execed());
  const Seen exec = ExecOf(pid);
  ExpectSameProcess(exec, ProcFacts::Of(child.pid()));
  EXPECT_TRUE(exec.Is(kProcessThreadExec));
  EXPECT_EQ(exec.Number(kProcessTid), static_cast<uint64_t>(*tid));
  EXPECT_EQ(exec.Number(kProcessStart), ForkOf(pid).Number(kProcessStart));
  sensor().Settle();
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, pid), 0u)
      << "the old leader's death in the exec is no exit";
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, static_cast<uint64_t>(*tid)), 0u);
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(ExitOf(pid).Number(kExitCode), 0u);
  sensor().Settle();
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, pid), 1u);
}

TEST_F(ExecTest, SecondExecKeepsIdentityAndTellsTheFirst) {
  const std::string copy = NewFolder() + "/second";
  CopyFile(kHold, copy, 0755);
  const std::string script = NewFolder() + "/first";
  WriteFile(script, fmt::format("#!/bin/busybox sh\nexec {} again\n", copy));
  Child child([&]() -> int { Exec({.path = script, .args = {"first"}}); });
  const auto pid = static_cast<uint64_t>(child.pid());
  ASSERT_TRUE(child.Execed());
  const auto is_second = [&](const Seen& seen) {
    return seen.cls() == EventClass::kProcessExec && seen.pid() == pid &&
           seen.Text(kProcessBinary) == copy;
  };
  const std::optional<Seen> second = sensor().Wait(is_second);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->Number(kProcessStart), ExecOf(pid).Number(kProcessStart));
  EXPECT_EQ(second->List(kProcessArgs), (std::vector<std::string>{copy, "again"}));
  EXPECT_FALSE(second->Has(kProcessScript));
  EXPECT_EQ(child.Finish(), 0);
}

}  // namespace
}  // namespace kentry::vm
