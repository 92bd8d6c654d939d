// SPDX-License-Identifier: Apache-2.0
// What rules forbid doesn't happen, what they kill runs no further, and the events say so.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "fmt/format.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

// Tries of what races.
int Tries() { return std::getenv("KENTRY_FULL") != nullptr ? 10'000 : 1'000; }

std::string Rule(std::string_view mode, std::string_view cls, std::string_view action,
                 std::string_view condition) {
  return fmt::format(
      "mode: {}\nrules:\n  - {{name: guard, on: {}, when: '{}', then: {}, severity: critical}}\n",
      mode, cls, condition, action);
}

bool Exists(const std::string& path) {
  struct stat file {};
  return lstat(path.c_str(), &file) == 0;
}

// Ends with the error of an exec that failed.
[[noreturn]] void TryExec(const std::string& path, std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  _exit(errno);
}

class EnforceTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    kills_before_ = Kills();
  }
  uint64_t Kills() {
    uint64_t count = 0;
    sensor().pipeline().Ask([&] { count = sensor().pipeline().kills().spans().count(); });
    return count;
  }
  // So many kills of that rule are confirmed by their exits, which came soon after.
  void ExpectConfirmed(size_t count, std::string_view rule) {
    sensor().Settle();
    const auto exits = sensor().Events([](const Seen& seen) { return seen.Has(kExitKilledAfter); });
    EXPECT_EQ(exits.size(), count);
    uint64_t longest = 0;
    for (const Seen& exit : exits) {
      EXPECT_EQ(exit.Text(kExitKilledBy), rule) << exit.Describe();
      EXPECT_EQ(exit.Number(kExitSignal), static_cast<uint64_t>(SIGKILL)) << exit.Describe();
      EXPECT_GT(exit.Number(kExitKilledAfter), 0u);
      EXPECT_LE(exit.Number(kExitKilledAfter), exit.Number(kExitRuntime));
      longest = std::max(longest, exit.Number(kExitKilledAfter));
    }
    sensor().pipeline().Ask([&] {
      const KillTimes& kills = sensor().pipeline().kills();
      EXPECT_EQ(kills.spans().count(), kills_before_ + count);
      EXPECT_GE(kills.spans().max_ns(), longest);
      EXPECT_GT(kills.spans().Percentile(50), 0u);
      EXPECT_LE(kills.spans().Percentile(50), kills.spans().Percentile(99));
      EXPECT_LE(kills.spans().Percentile(99), kills.spans().max_ns());
      EXPECT_LT(longest, KillTimes::kPatienceNs);
      EXPECT_EQ(kills.waiting(), 0u);
      EXPECT_EQ(kills.counters().unconfirmed, 0u);
      EXPECT_EQ(kills.counters().not_followed, 0u);
    });
  }
  // The one alert of the rule; its verdict is checked.
  Seen Only(std::string_view verdict) {
    const std::vector<Seen> alerts = Alerts("guard");
    EXPECT_EQ(alerts.size(), 1u);
    if (alerts.empty()) {
      EventBuilder nothing;
      nothing.Begin(EventClass::kFileOpen);
      return Seen(nothing.View());
    }
    EXPECT_EQ(alerts[0].Text(kAlertVerdict), verdict) << alerts[0].Describe();
    return alerts[0];
  }

 private:
  uint64_t kills_before_ = 0;
};

TEST_F(EnforceTest, ADeniedOpenDoesNotHappen) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny", fmt::format("file.path == \"{}\"", secret.path())));
  Child child([&] { return OpenAndClose(secret.path()); });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  const Seen seen = Only("denied");
  EXPECT_EQ(seen.pid(), pid);
  EXPECT_EQ(seen.Text(kFilePath), secret.path());
  EXPECT_EQ(seen.Number(kFileIno), secret.ino());
  EXPECT_EQ(seen.Text(kAlertMode), "enforce");
  EXPECT_EQ(seen.List(kAlertActions), (std::vector<std::string>{"deny"}));
  EXPECT_TRUE(seen.List(kAlertUncertain).empty());
}

// The hook that may be relied on: fmod_ret can be skipped where hooks are preempted.
TEST_F(EnforceTest, TheBestHookOfTheKernelDenies) {
  StartAnew();
  const Secret secret;
  const auto chosen = [&] {
    std::string name;
    for (const Backend& backend : sensor().pipeline().kernel().backends()) {
      if (backend.feature == "file.open" && backend.chosen) name = backend.name;
    }
    return name;
  };
  const std::string condition = fmt::format("file.path == \"{}\"", secret.path());
  Load(Rule("monitor", "file.open", "deny", condition));
  EXPECT_EQ(chosen(), "fentry security_file_open");
  Load(Rule("enforce", "file.open", "deny", condition));
  EXPECT_EQ(chosen(), KernelVersion() == "5.10" ? "fmod_ret security_file_open, security_path_mknod"
                                                : "BPF LSM file_open, path_mknod");
  Load(Rule("monitor", "file.open", "deny", condition));
  Child child([&] { return OpenAndClose(secret.path()); });
  EXPECT_EQ(child.Finish(), 0);
  Only("would_deny");
}

TEST_F(EnforceTest, ADeniedFileIsNeitherChangedNorCut) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path.startsWith(\"{}/\") && file.write", secret.vault())));
  for (const int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND}) {
    Child child([&] { return OpenAndClose(secret.path(), flags); });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << flags;
  }
  EXPECT_EQ(truncate(secret.path().c_str(), 7), 0) << "truncate(2) opens nothing: not covered";
  EXPECT_EQ(ReadFile(secret.path()), "secret\n");
  Child reader([&] { return OpenAndClose(secret.path()); });
  EXPECT_EQ(reader.Finish(), 0) << "reading is not what the rule forbids";
  EXPECT_EQ(Alerts("guard").size(), 4u);
}

TEST_F(EnforceTest, ADeniedFileIsNotCreated) {
  const std::string folder = NewFolder();
  mkdir((folder + "/vault").c_str(), 0755);
  const std::string path = folder + "/vault/new";
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path.startsWith(\"{}/vault/\") && file.write", folder)));
  for (const int flags : {O_CREAT | O_WRONLY, O_CREAT | O_RDONLY, O_CREAT | O_EXCL | O_RDWR}) {
    Child child([&] {
      const Fd fd(open(path.c_str(), flags | O_CLOEXEC, 0644));
      return fd.valid() ? 0 : errno;
    });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << flags;
    EXPECT_FALSE(Exists(path)) << flags;
  }
  // From the directory itself, and by another way to it.
  Child inside([&] {
    Must(chdir((folder + "/vault").c_str()), "chdir");
    const Fd fd(open("new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    return fd.valid() ? 0 : errno;
  });
  EXPECT_EQ(WEXITSTATUS(inside.Finish()), EPERM);
  Child link([&] {
    Must(symlink("vault", (folder + "/link").c_str()), "symlink");
    const Fd fd(open((folder + "/link/new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    return fd.valid() ? 0 : errno;
  });
  EXPECT_EQ(WEXITSTATUS(link.Finish()), EPERM);
  Child node([&] { return mknod(path.c_str(), S_IFREG | 0644, 0) == 0 ? 0 : errno; });
  EXPECT_EQ(WEXITSTATUS(node.Finish()), EPERM);
  EXPECT_FALSE(Exists(path));
  const std::vector<Seen> alerts = Alerts("guard");
  EXPECT_EQ(alerts.size(), 6u);
  for (const Seen& seen : alerts) {
    EXPECT_EQ(seen.Text(kAlertVerdict), "denied");
    EXPECT_EQ(seen.Text(kFilePath), path);
    EXPECT_TRUE(seen.Is(kFileCreated));
    EXPECT_EQ(seen.Number(kFileIno), 0u) << "there is no file";
  }
  Child outside([&] {
    const Fd fd(open((folder + "/other").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    return fd.valid() ? 0 : errno;
  });
  EXPECT_EQ(outside.Finish(), 0);
}

// Threads of io_uring among them: they are known as the process whose ring it is.
TEST_F(EnforceTest, NoWayToOpenADeniedFileWorks) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path == \"{}\" && process.binary == \"{}\"", secret.path(),
                        std::filesystem::read_symlink("/proc/self/exe").string())));
  for (const Way& way : WaysToOpen()) {
    Child child([&] { return way.open(secret); });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << way.name;
  }
  sensor().Settle();
  EXPECT_GE(Alerts("guard").size(), WaysToOpen().size());
}

TEST_F(EnforceTest, NoWayIntoADeniedDirectoryWorks) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path.startsWith(\"{}/\")", secret.vault())));
  for (const Way& way : WaysToOpen()) {
    const std::string_view name = way.name;
    if (name == "hard link" || name == "bind mount of the file") continue;  // elsewhere: allowed
    Child child([&] { return way.open(secret); });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << way.name;
  }
}

TEST_F(EnforceTest, MonitorModeSaysWhatItWouldDoAndDoesNothing) {
  const Secret secret;
  Load(Rule("monitor", "file.open", "deny", fmt::format("file.path == \"{}\"", secret.path())));
  Child child([&] { return OpenAndClose(secret.path()); });
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(Only("would_deny").Text(kAlertMode), "monitor");
  Load(Rule("monitor", "process.exec", "kill", "process.binary == \"/fixtures/hold\""));
  sensor().Clear();
  Child held([]() -> int { Exec({}); });
  EXPECT_TRUE(held.Execed());
  EXPECT_EQ(held.Finish(), 0);
  Only("would_kill");
}

// Runtimes execute themselves like that, by a mount of the file that is nowhere any more.
TEST_F(EnforceTest, AProgramThatIsAMountOfItsOwnIsKnownByItsPath) {
  const std::string at = NewFolder() + "/mount";
  WriteFile(at, "");
  Load(Rule("enforce", "process.exec", "kill", "process.binary == \"/\""));
  Child child([&]() -> int {
    Must(unshare(CLONE_NEWNS), "unshare");
    Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
    Must(mount(kHold, at.c_str(), nullptr, MS_BIND, nullptr), "mount");
    const int fd = static_cast<int>(Must(open(at.c_str(), O_PATH | O_CLOEXEC), "open"));
    Must(umount2(at.c_str(), MNT_DETACH), "umount");
    Exec({.fd = fd});
  });
  const int status = child.Finish();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(Only("killed").Text(kProcessBinary), "/");
}

TEST_F(EnforceTest, AKilledProgramRunsNoInstruction) {
  const std::string folder = NewFolder();
  const std::string program = folder + "/touch";
  CopyFile("/bin/busybox", program, 0755);
  Load(Rule("enforce", "process.exec", "kill", fmt::format("process.binary == \"{}\"", program)));
  for (int i = 0; i < 30; ++i) {
    const std::string made = fmt::format("{}/made-{}", folder, i);
    Child child([&]() -> int { TryExec(program, {"touch", made}); });
    const int status = child.Finish();
    EXPECT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    EXPECT_FALSE(Exists(made));
  }
  const std::vector<Seen> alerts = Alerts("guard");
  EXPECT_EQ(alerts.size(), 30u);
  for (const Seen& seen : alerts) EXPECT_EQ(seen.Text(kAlertVerdict), "killed");
  ExpectConfirmed(30, "guard");
}

TEST_F(EnforceTest, AKillAtAnOpenEndsTheProcess) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "kill", fmt::format("file.path == \"{}\"", secret.path())));
  const std::string after = secret.folder() + "/after";
  Child child([&] {
    (void)OpenAndClose(secret.path());
    return OpenAndClose(after, O_CREAT | O_WRONLY);
  });
  const int status = child.Finish();
  EXPECT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_FALSE(Exists(after));
  Only("killed");
  ExpectConfirmed(1, "guard");
}

TEST_F(EnforceTest, ASignalIsSent) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "{signal: USR1}",
            fmt::format("file.path == \"{}\"", secret.path())));
  Child child([&] { return OpenAndClose(secret.path()); });
  const int status = child.Finish();
  EXPECT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGUSR1);
  EXPECT_EQ(Only("signaled").Number(kAlertSignal), static_cast<uint64_t>(SIGUSR1));
}

// The file of an exec is opened for it: refused there, nothing is executed, whatever the call.
TEST_F(EnforceTest, AProgramThatMayNotBeOpenedForExecIsNotExecuted) {
  const std::string folder = NewFolder();
  mkdir((folder + "/bin").c_str(), 0755);
  const std::string program = folder + "/bin/touch";
  CopyFile("/bin/busybox", program, 0755);
  const std::string made = folder + "/made";
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path.startsWith(\"{}/bin/\") && file.exec", folder)));
  Child plain([&]() -> int { TryExec(program, {"touch", made}); });
  EXPECT_EQ(WEXITSTATUS(plain.Finish()), EPERM);
  Child link([&]() -> int {
    Must(symlink(program.c_str(), (folder + "/touch").c_str()), "symlink");
    TryExec(folder + "/touch", {"touch", made});
  });
  EXPECT_EQ(WEXITSTATUS(link.Finish()), EPERM);
  Child by_descriptor([&]() -> int {
    const Fd fd(open(program.c_str(), O_RDONLY));
    std::string name = "touch", file = made;
    char* argv[] = {name.data(), file.data(), nullptr};
    char* envp[] = {nullptr};
    syscall(SYS_execveat, fd.get(), "", argv, envp, AT_EMPTY_PATH);
    return errno;
  });
  EXPECT_EQ(WEXITSTATUS(by_descriptor.Finish()), EPERM);
  Child script([&]() -> int {
    const std::string path = folder + "/script";
    {
      const Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
      const std::string text = "#!" + program + " " + made + "\n";
      Must(write(fd.get(), text.data(), text.size()), "write");
    }
    TryExec(path, {"touch"});
  });
  EXPECT_EQ(WEXITSTATUS(script.Finish()), EPERM);
  EXPECT_FALSE(Exists(made));
  Child reader([&] { return OpenAndClose(program); });
  EXPECT_EQ(reader.Finish(), 0);
}

// Ends when the test does.
void RenameUntilReleased(const std::string& a, const std::string& b) {
  fcntl(0, F_SETFL, O_NONBLOCK);
  for (char byte; read(0, &byte, 1) < 0;) {
    rename(a.c_str(), b.c_str());
    rename(b.c_str(), a.c_str());
  }
}

// A second process renames the directory above the file all the time: the path that was read may
// be either, and both are forbidden.
TEST_F(EnforceTest, RenamesOfItsDirectoryDoNotLetAnOpenThrough) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny",
            fmt::format("file.path.startsWith(\"{}/\")", secret.folder())));
  const std::string other = secret.folder() + "/elsewhere";
  Child mover([&] {
    RenameUntilReleased(secret.vault(), other);
    return 0;
  });
  Child opener([&] {
    int opened = 0;
    for (int i = 0; i < Tries(); ++i) {
      if (OpenAndClose(secret.path()) == 0) ++opened;
      if (OpenAndClose(other + "/secret") == 0) ++opened;
    }
    Tell(opened);
    return 0;
  });
  EXPECT_EQ(opener.Next().value_or(-1), 0);
  EXPECT_EQ(opener.Finish(), 0);
  EXPECT_EQ(mover.Finish(), 0);
  sensor().Settle();
}

// Renames anywhere on the machine move the numbers by which paths are checked.
TEST_F(EnforceTest, RenamesElsewhereDoNotLetAnOpenThrough) {
  const Secret secret;
  const std::string folder = NewFolder();
  Load(Rule("enforce", "file.open", "deny", fmt::format("file.path == \"{}\"", secret.path())));
  mkdir((folder + "/a").c_str(), 0755);
  Child mover([&] {
    RenameUntilReleased(folder + "/a", folder + "/b");
    return 0;
  });
  Child opener([&] {
    int opened = 0;
    for (int i = 0; i < Tries(); ++i) opened += OpenAndClose(secret.path()) == 0;
    Tell(opened);
    return 0;
  });
  EXPECT_EQ(opener.Next().value_or(-1), 0);
  EXPECT_EQ(opener.Finish(), 0);
  EXPECT_EQ(mover.Finish(), 0);
  sensor().Settle();
}

// Deeper than a path can be read: whatever a rule might forbid there is refused, not let through.
// What is only longer than any that is compared whole is judged as any other: the first round's
// rule allows the second round's file.
TEST_F(EnforceTest, APathTooLongToBeReadIsNoWayAround) {
  for (const int depth : {30, 13}) {
    const std::string folder = NewFolder();
    mkdir((folder + "/vault").c_str(), 0755);
    Child child([&] {
      Must(chdir((folder + "/vault").c_str()), "chdir");
      const std::string name(200, 'd');
      for (int i = 0; i < depth; ++i) {
        Must(mkdir(name.c_str(), 0755), "mkdir");
        Must(chdir(name.c_str()), "chdir");
      }
      Must(close(creat("file", 0644)), "creat");
      Tell(1);
      char byte;
      Must(read(0, &byte, 1), "read");  // until the rules are there
      return OpenAndClose("file");
    });
    ASSERT_EQ(child.Next().value_or(0), 1);
    Load(Rule("enforce", "file.open", "deny",
              fmt::format("file.path.startsWith(\"{}/vault/\")", folder)));
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << depth;
  }
}

TEST_F(EnforceTest, ARuleThatActsOnTooManyProcessesOnlyWatches) {
  const Secret secret;
  Load(Rule("enforce", "file.open", "deny, guard: 5",
            fmt::format("file.path == \"{}\"", secret.path())) +
       fmt::format("  - {{name: other, on: file.open, when: 'file.path == \"{}/other\"', "
                   "then: deny}}\n",
                   secret.folder()));
  int denied = 0;
  bool opened = false;
  for (int i = 0; i < 200 && !opened; ++i) {
    Child child([&] { return OpenAndClose(secret.path()); });
    opened = child.Finish() == 0;
    denied += opened ? 0 : 1;
    usleep(50'000);  // the sensor hears of it within a quarter of a second
  }
  EXPECT_TRUE(opened);
  EXPECT_GT(denied, 5);
  const auto told =
      sensor().Wait([](const Seen& s) { return s.cls() == EventClass::kSensorGuard; });
  ASSERT_TRUE(told);
  EXPECT_EQ(told->Text(kGuardRule), "guard");
  EXPECT_EQ(told->Number(kGuardProcesses), 5u);
  EXPECT_TRUE(told->Is(kGuardStopped));
  EXPECT_EQ(Alerts("guard").back().Text(kAlertVerdict), "would_deny");
  Child other([&] { return OpenAndClose(secret.folder() + "/other", O_CREAT | O_WRONLY); });
  EXPECT_EQ(WEXITSTATUS(other.Finish()), EPERM) << "another rule goes on";
}

TEST_F(EnforceTest, AReloadFromMonitorToEnforceTakesEffect) {
  const Secret secret;
  const std::string condition = fmt::format("file.path == \"{}\"", secret.path());
  for (int round = 0; round < 3; ++round) {
    Load(Rule("monitor", "file.open", "deny", condition));
    Child watched([&] { return OpenAndClose(secret.path()); });
    EXPECT_EQ(watched.Finish(), 0);
    Load(Rule("enforce", "file.open", "deny", condition));
    Child denied([&] { return OpenAndClose(secret.path()); });
    EXPECT_EQ(WEXITSTATUS(denied.Finish()), EPERM);
  }
}

}  // namespace
}  // namespace kentry::vm
