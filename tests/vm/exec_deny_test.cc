// SPDX-License-Identifier: Apache-2.0
// An exec that a rule denies doesn't happen, its caller goes on as what it was, and the event says
// so.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>

#include "fmt/format.h"
#include "tests/vm/exec_deny.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr uid_t kUser = 1234;

TEST_F(ExecDenyTest, ADeniedProgramRunsNoInstructionAndItsCallerGoesOn) {
  Load(Rule("enforce", OfProgram()));
  constexpr int kTries = 30;
  for (int i = 0; i < kTries; ++i) {
    const std::string after = fmt::format("{}/after-{}", folder_, i);
    Child child([&] {
      const int error = TryTouch(program_, made_);
      close(creat(after.c_str(), 0644));
      return error;
    });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
    EXPECT_FALSE(Exists(made_));
    EXPECT_TRUE(Exists(after));
  }
  EXPECT_EQ(Alerts("guard").size(), static_cast<size_t>(kTries));
}

TEST_F(ExecDenyTest, TheEventSaysWhatIsKnown) {
  Load(Rule("enforce", OfProgram()));
  struct stat file {};
  ASSERT_EQ(stat(program_.c_str(), &file), 0);
  Child child([&] {
    Must(chdir(folder_.c_str()), "chdir");
    Must(setresuid(kUser, kUser, kUser), "setresuid");
    return TryTouch("bin/touch", made_);
  });
  const ProcFacts facts = ProcFacts::Of(child.pid());
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  const Seen seen = Only("denied");
  EXPECT_EQ(seen.cls(), EventClass::kProcessExec);
  EXPECT_EQ(seen.Text(kAlertOutcome), "eperm");
  EXPECT_EQ(seen.Text(kAlertMode), "enforce");
  EXPECT_EQ(seen.List(kAlertActions), (std::vector<std::string>{"deny"}));
  EXPECT_TRUE(seen.List(kAlertUncertain).empty());
  EXPECT_EQ(seen.pid(), facts.pid);
  EXPECT_EQ(seen.Number(kProcessStart) / 10'000'000, facts.start_ticks);
  EXPECT_EQ(seen.Number(kProcessTid), facts.pid);
  EXPECT_EQ(seen.Number(kParentPid), static_cast<uint64_t>(getpid()));
  EXPECT_EQ(seen.Text(kParentBinary), ProcFacts::Of(getpid()).exe);
  EXPECT_EQ(seen.Text(kProcessBinary), program_);
  EXPECT_EQ(seen.Number(kProcessBinaryIno), file.st_ino);
  EXPECT_EQ(seen.Number(kProcessBinaryMode), file.st_mode);
  EXPECT_EQ(seen.Text(kProcessCwd), folder_);
  EXPECT_EQ(seen.Number(kProcessUid), kUser);
  EXPECT_EQ(seen.Number(kProcessFsuid), kUser);
  EXPECT_EQ(seen.Number(kProcessArgc), 2u);
  EXPECT_EQ(seen.Number(kProcessNsMnt), NamespaceOf(getpid(), "mnt"));
  EXPECT_EQ(seen.Number(kProcessNsPidNs), NamespaceOf(getpid(), "pid"));
  EXPECT_EQ(seen.Number(kProcessNsUser), NamespaceOf(getpid(), "user"));
  EXPECT_EQ(seen.Number(kProcessNsPid), facts.pid);
  EXPECT_EQ(seen.Number(kCgroupId), ProcFacts::Of(getpid()).cgroup_id);
  EXPECT_EQ(seen.Number(kProcessLoginUid), ProcFacts::Of(getpid()).login_uid);
  EXPECT_EQ(seen.Has(kProcessCapEffective), KnowsCapabilities());
  EXPECT_EQ(seen.Number(kProcessCapEffective), 0u) << "an ordinary user has none";
  EXPECT_FALSE(seen.Is(kProcessThreadExec));
  EXPECT_FALSE(seen.Has(kProcessScript));
  EXPECT_FALSE(seen.Is(kProcessSetuid));
  for (const FieldId unknown : {kProcessArgs, kProcessName}) {
    EXPECT_EQ(seen.Text(unknown), "");
    EXPECT_TRUE(seen.Cut(unknown)) << "it is not known, which is more than empty";
  }
  EXPECT_FALSE(seen.Has(kProcessArgsLen));
  EXPECT_TRUE(seen.Is(kProcessEnvCut));
  const auto failed = sensor().WaitFor(EventClass::kProcessExecFailed, facts.pid);
  ASSERT_TRUE(failed) << "the call failed, as any other reports it";
  EXPECT_EQ(failed->Number(kFailedError), static_cast<uint64_t>(EPERM));
}

TEST_F(ExecDenyTest, TheBestHookOfTheKernelDenies) {
  StartAnew();
  Load(Rule("monitor", OfProgram()));
  EXPECT_EQ(ChosenHook(), "") << "nothing is hooked for a set that only watches";
  Load(Rule("enforce", OfProgram()));
  EXPECT_EQ(ChosenHook(), KernelVersion() == "5.10" ? "fmod_ret security_bprm_creds_from_file"
                                                    : "BPF LSM bprm_creds_from_file");
}

TEST_F(ExecDenyTest, MonitorModeSaysWhatItWouldDoAndDoesNothing) {
  Load(Rule("monitor", OfProgram()));
  ExpectRuns();
  const Seen seen = Only("would_deny");
  EXPECT_EQ(seen.Text(kAlertOutcome), "ok");
  EXPECT_EQ(seen.List(kProcessArgs), (std::vector<std::string>{"touch", made_}));
}

TEST_F(ExecDenyTest, AReloadTakesEffect) {
  for (int round = 0; round < 3; ++round) {
    Load(Rule("enforce", OfProgram()));
    ExpectDenied();
    Load(Rule("monitor", OfProgram()));
    ExpectRuns();
  }
  for (const Seen& seen : Alerts("guard")) {
    const std::string verdict = seen.Text(kAlertVerdict);
    EXPECT_TRUE(verdict == "denied" || verdict == "would_deny") << seen.Describe();
  }
}

// A shell that may not replace itself.
TEST_F(ExecDenyTest, TheProcessStaysWhatItWas) {
  Load(Rule("enforce", OfProgram()));
  Child child([&]() -> int {
    const std::string command = fmt::format("exec {} {}", program_, made_);
    Exec({.path = "/bin/busybox", .args = {"sh", "-c", command}});
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 126) << "what shells exit with then";
  EXPECT_FALSE(Exists(made_));
  const Seen seen = Only("denied");
  EXPECT_EQ(seen.pid(), pid);
  EXPECT_EQ(seen.List(kProcessEarlier), std::vector<std::string>{"/bin/busybox"});
  EXPECT_EQ(seen.Text(kProcessBinary), program_);
  const auto exit = sensor().WaitFor(EventClass::kProcessExit, pid);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->Text(kProcessBinary), "/bin/busybox");
}

TEST_F(ExecDenyTest, LaterEventsAreJudgedByTheOldImage) {
  const std::string file = folder_ + "/file";
  CopyFile("/bin/busybox", folder_ + "/sh", 0755);
  WriteFile(file, "");
  Load(fmt::format(
      "{}  - {{name: new, on: file.open, when: 'file.path == \"{}\" && process.binary "
      "== \"{}\"'}}\n  - {{name: old, on: file.open, when: 'file.path == \"{}\" && "
      "process.binary == \"{}/sh\"'}}\n",
      Rule("enforce", OfProgram(), "deny, mark: tried"), file, program_, file, folder_));
  Child child([&]() -> int {
    // The forked one tries and gives up, then the shell itself opens the file.
    const std::string command = fmt::format("{} {}; read x < {}; exit 5", program_, made_, file);
    Exec({.path = folder_ + "/sh", .args = {"sh", "-c", command}});
  });
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 5);
  EXPECT_EQ(Alerts("old").size(), 1u);
  EXPECT_TRUE(Alerts("new").empty());
  const std::vector<Seen> old = Alerts("old");
  for (const Seen& seen : old) EXPECT_TRUE(seen.List(kProcessMarks).empty());
}

TEST_F(ExecDenyTest, GainedIdsAreKnown) {
  ASSERT_EQ(chown(program_.c_str(), 4321, 4322), 0);
  ASSERT_EQ(chmod(program_.c_str(), 06755), 0);
  chmod(folder_.c_str(), 0777);
  const auto become_user = [] {
    Must(setresgid(kUser, kUser, kUser), "setresgid");
    Must(setresuid(kUser, kUser, kUser), "setresuid");
  };
  Load(Rule("enforce",
            "process.gained_setuid && process.gained_setgid && process.euid == 4321 && "
            "process.suid == 4321 && process.fsgid == 4322 && process.uid == 1234"));
  ExpectDenied(become_user);
  const Seen seen = Only("denied");
  EXPECT_TRUE(seen.Is(kProcessSetuid));
  EXPECT_TRUE(seen.Is(kProcessSetgid));
  EXPECT_EQ(seen.Number(kProcessUid), kUser);
  EXPECT_EQ(seen.Number(kProcessEuid), 4321u);
  EXPECT_EQ(seen.Number(kProcessSgid), 4322u);
  ASSERT_EQ(chmod(program_.c_str(), 0755), 0);
  ExpectRuns(become_user);
}

TEST_F(ExecDenyTest, FileCapabilitiesAreKnownWhereTheHookStandsBehindThem) {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1u << CAP_NET_RAW;
  ASSERT_EQ(setxattr(program_.c_str(), "security.capability", &data, sizeof(data), 0), 0);
  chmod(folder_.c_str(), 0777);
  const auto become_user = [] { Must(setresuid(kUser, kUser, kUser), "setresuid"); };
  Load(Rule("enforce", OfProgram()));
  if (!KnowsCapabilities()) {
    std::unique_ptr<RuleEngine> engine =
        MakeEngine(Rule("enforce", "process.gained_file_caps && process.uid == 1234"));
    absl::Status status;
    sensor().pipeline().Ask([&] { status = sensor().pipeline().LoadRules(std::move(engine)); });
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(status.message().find("then: kill works"), std::string::npos) << status.ToString();
    ExpectDenied(become_user);  // the rules before it are in force
    Load(Rule("enforce", "process.gained_file_caps && process.uid == 1234", "kill"));
    EXPECT_TRUE(WIFSIGNALED(Try(become_user)));
    return;
  }
  Load(Rule("enforce", "process.gained_file_caps && process.uid == 1234"));
  ExpectDenied(become_user);
  EXPECT_EQ(Only("denied").Number(kProcessCapEffective), 1ull << CAP_NET_RAW);
  ExpectRuns();  // root gains nothing
}

TEST_F(ExecDenyTest, TheParentsBinaryIsKnown) {
  Load(Rule("enforce", fmt::format("{} && parent.binary == \"/bin/busybox\"", OfProgram())));
  ExpectRuns();
  Child shell([&]() -> int {
    const std::string command = fmt::format("{} {}; exit $?", program_, made_);
    Exec({.path = "/bin/busybox", .args = {"sh", "-c", command}});
  });
  EXPECT_EQ(WEXITSTATUS(shell.Finish()), 126);
  EXPECT_FALSE(Exists(made_));
  EXPECT_EQ(Only("denied").Text(kParentBinary), "/bin/busybox");
}

TEST_F(ExecDenyTest, AProgramWithoutAFileIsKnownAsOne) {
  Load(Rule("enforce", "process.from_memfd"));
  Child child([&] {
    const int fd = memfd_create("hidden", MFD_CLOEXEC);
    const std::string program = ReadFile("/bin/busybox");
    Must(write(fd, program.data(), program.size()), "write");
    return TryTouch(fd, made_);
  });
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  EXPECT_FALSE(Exists(made_));
  EXPECT_EQ(Only("denied").Text(kProcessBinary), "/memfd:hidden");
  ExpectRuns();
}

TEST_F(ExecDenyTest, ADeletedProgramIsKnownAsOne) {
  Load(Rule("enforce", "process.deleted"));
  Child child([&] {
    const Fd fd(open(program_.c_str(), O_PATH | O_CLOEXEC));
    Must(unlink(program_.c_str()), "unlink");
    return TryTouch(fd.get(), made_);
  });
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  EXPECT_FALSE(Exists(made_));
  EXPECT_TRUE(Only("denied").Is(kProcessDeleted));
}

TEST_F(ExecDenyTest, AContainerThatIsNotKnownYetLetsItThroughAndSaysSo) {
  const std::string container = "/sys/fs/cgroup/docker/" + std::string(64, 'e');
  mkdir("/sys/fs/cgroup/docker", 0755);
  const std::string condition =
      fmt::format("{} && container.id == \"{}\"", OfProgram(), std::string(64, 'e'));
  Load(Rule("enforce", condition));
  // The sensor's thread is kept from hearing of the new cgroup.
  int status = -1;
  sensor().pipeline().Ask([&] {
    ASSERT_EQ(mkdir(container.c_str(), 0755), 0);
    status = Try([&] { WriteFile(container + "/cgroup.procs", "0"); });
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Exists(made_));
  EXPECT_EQ(Only("failed").Text(kAlertOutcome), "ok");
  unlink(made_.c_str());
  ExpectDenied([&] { WriteFile(container + "/cgroup.procs", "0"); });  // known by now
  EXPECT_EQ(Alerts("guard").back().Text(kAlertVerdict), "denied");
  rmdir(container.c_str());
}

// The kernel's own helpers are processes from their exec on: the way out of many a container.
TEST_F(ExecDenyTest, AHelperThatTheKernelStartsIsJudged) {
  const std::string pattern = ReadFile("/proc/sys/kernel/core_pattern");
  if (pattern.empty()) GTEST_SKIP() << "no core dumps in this kernel";
  WriteFile("/proc/sys/kernel/core_pattern", fmt::format("|{} {}", program_, made_));
  const auto crash = [] {
    Child child([]() -> int { std::abort(); });
    return WTERMSIG(child.Finish());
  };
  Load(Rule("monitor", OfProgram()));
  EXPECT_EQ(crash(), SIGABRT);
  for (int i = 0; i < 100 && !Exists(made_); ++i) usleep(50'000);
  EXPECT_TRUE(Exists(made_));
  Only("would_deny");
  unlink(made_.c_str());
  Load(Rule("enforce", OfProgram()));
  sensor().Clear();
  EXPECT_EQ(crash(), SIGABRT);
  EXPECT_EQ(Only("denied").Text(kProcessBinary), program_);
  EXPECT_FALSE(Exists(made_));
  WriteFile("/proc/sys/kernel/core_pattern", pattern);
}

TEST_F(ExecDenyTest, ARuleThatKillsActsOnTheCallerToo) {
  Load(
      Rule("enforce", OfProgram()) +
      fmt::format("  - {{name: killer, on: process.exec, when: '{}', then: kill}}\n", OfProgram()));
  const int status = Try();
  EXPECT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_FALSE(Exists(made_));
  const Seen seen = Only("denied");
  EXPECT_EQ(seen.Number(kAlertSignal), static_cast<uint64_t>(SIGKILL));
  EXPECT_EQ(seen.List(kAlertRules).size(), 2u);
}

}  // namespace
}  // namespace kentry::vm
