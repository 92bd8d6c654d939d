// SPDX-License-Identifier: Apache-2.0
// Whatever way a denied program is started by, and whatever races with it: it doesn't run.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "fmt/format.h"
#include "tests/vm/exec_deny.h"

namespace kentry::vm {
namespace {

using enum FieldId;

TEST_F(ExecDenyTest, NoWayToExecuteItWorks) {
  Load(Rule("enforce", fmt::format("process.binary.startsWith(\"{}/\")", bin_)));
  const std::string link = folder_ + "/link";
  ASSERT_EQ(symlink(program_.c_str(), link.c_str()), 0);
  const Fd path_only(open(program_.c_str(), O_PATH | O_CLOEXEC));
  const Fd directory(open(bin_.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  const std::pair<const char*, std::function<int()>> ways[] = {
      {"path", [&] { return TryTouch(program_, made_); }},
      {"link", [&] { return TryTouch(link, made_); }},
      {"descriptor", [&] { return TryTouch(path_only.get(), made_); }},
      {"/proc/self/fd",
       [&] { return TryTouch(fmt::format("/proc/self/fd/{}", path_only.get()), made_); }},
      {"working directory",
       [&] {
         Must(fchdir(directory.get()), "fchdir");
         return TryTouch("./touch", made_);
       }},
      {"/proc/self/root", [&] { return TryTouch("/proc/self/root" + program_, made_); }},
      {"vfork",
       [&] {
         static int error;
         const pid_t pid = vfork();
         if (pid == 0) {
           error = TryTouch(program_, made_);
           _exit(0);
         }
         int status = 0;
         waitpid(pid, &status, 0);
         return error;
       }},
  };
  for (const auto& [name, way] : ways) {
    Child child(way);
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << name;
    EXPECT_FALSE(Exists(made_)) << name;
  }
  EXPECT_EQ(Alerts("guard").size(), std::size(ways));
}

// Only the last one runs, so only that is judged.
TEST_F(ExecDenyTest, AScriptIsJudgedByItsInterpreter) {
  Load(Rule("enforce", OfProgram()));
  std::string script;
  std::string interpreter = program_;
  for (int i = 0; i < 4; ++i) {
    script = fmt::format("{}/script-{}", folder_, i);
    WriteFile(script, "#!" + interpreter + "\n");
    interpreter = script;
  }
  Child child([&] { return TryTouch(script, made_); });
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  EXPECT_FALSE(Exists(made_));
  const Seen seen = Only("denied");
  EXPECT_EQ(seen.Text(kProcessBinary), program_);
  EXPECT_EQ(seen.Text(kProcessScript), script);
  EXPECT_EQ(seen.List(kProcessInterpreters),
            (std::vector<std::string>{folder_ + "/script-2", folder_ + "/script-1",
                                      folder_ + "/script-0", program_}));
}

TEST_F(ExecDenyTest, AnotherInterpreterOfADeniedNameRuns) {
  const std::string script = folder_ + "/script";
  WriteFile(script, fmt::format("#!{} {}\n", program_, made_));
  Load(Rule("enforce", fmt::format("process.binary == \"{}\"", script)));
  Child child([&] { return TryTouch(script, "x"); });
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_TRUE(Exists(made_)) << "a script is no binary";
  EXPECT_TRUE(Alerts("guard").empty());
}

TEST_F(ExecDenyTest, ThirtyTwoBitCallsAndPrograms) {
  if (access("/fixtures/exec32", X_OK) != 0) GTEST_SKIP() << "no 32-bit program on this machine";
  Load(Rule("enforce",
            "process.binary == \"/fixtures/hold32\" || process.binary == "
            "\"/no/such/file/for/a/32-bit/caller\""));
  Child target([] { return TryTouch("/fixtures/hold32", "x"); });
  EXPECT_EQ(WEXITSTATUS(target.Finish()), EPERM);
  std::string path;
  for (const char* part : {"/no", "/such", "/file", "/for", "/a", "/32-bit"}) {
    path += part;
    mkdir(path.c_str(), 0755);
  }
  CopyFile(kHold, path + "/caller", 0755);  // what the fixture tries to execute
  Child caller([]() -> int { Exec({.path = "/fixtures/exec32"}); });
  EXPECT_EQ(WEXITSTATUS(caller.Finish()), EPERM);
  std::filesystem::remove_all("/no");  // others rely on it not being there
}

TEST_F(ExecDenyTest, AThreadIsRefusedAndItsProcessGoesOn) {
  Load(Rule("enforce", OfProgram()));
  Child child([&] {
    int error = 0;
    std::atomic<bool> stop{false};
    std::thread other([&] {
      while (!stop) usleep(1000);
    });
    std::thread([&] { error = TryTouch(program_, made_); }).join();
    stop = true;
    other.join();
    return error;
  });
  EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
  const Seen seen = Only("denied");
  EXPECT_TRUE(seen.Is(kProcessThreadExec));
  EXPECT_NE(seen.Number(kProcessTid), seen.pid());
}

// The kernel judges the file that it has opened, not the caller's memory.
TEST_F(ExecDenyTest, APathThatChangesDuringTheCallIsNoWayAround) {
  const std::string good = folder_ + "/xin/touch";
  mkdir((folder_ + "/xin").c_str(), 0755);
  CopyFile(kHold, good, 0755);
  Load(Rule("enforce", OfProgram()));
  const int tries = std::getenv("KENTRY_FULL") != nullptr ? 1000 : 100;
  int denied = 0;
  for (int i = 0; i < tries; ++i) {
    Child child([&] {
      std::string path = program_;
      std::thread([&path, at = folder_.size() + 1] {
        volatile char* letter = path.data() + at;
        while (true) *letter = *letter == 'b' ? 'x' : 'b';
      }).detach();
      usleep(static_cast<useconds_t>(rand() % 2000));
      return TryTouch(path, made_);
    });
    const int status = child.Finish();
    denied += WIFEXITED(status) && WEXITSTATUS(status) == EPERM;
    ASSERT_FALSE(Exists(made_)) << "the denied one ran";
  }
  EXPECT_EQ(Alerts("guard").size(), static_cast<size_t>(denied));
  EXPECT_GT(denied, 0);
  EXPECT_LT(denied, tries) << "the other one never ran";
}

TEST_F(ExecDenyTest, RenamesOfItsDirectoryDoNotLetItThrough) {
  Load(Rule("enforce", fmt::format("process.binary.startsWith(\"{}/\")", folder_)));
  const Fd fd(open(program_.c_str(), O_PATH | O_CLOEXEC));
  const std::string other = folder_ + "/elsewhere";
  Child mover([&] {
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (char byte; read(0, &byte, 1) < 0;) {
      rename(bin_.c_str(), other.c_str());
      rename(other.c_str(), bin_.c_str());
    }
    return 0;
  });
  Child caller([&] {
    const int tries = std::getenv("KENTRY_FULL") != nullptr ? 10'000 : 500;
    int let_through = 0;
    for (int i = 0; i < tries; ++i) {
      const pid_t pid = fork();
      if (pid == 0) _exit(TryTouch(fd.get(), made_) == EPERM ? 0 : 1);
      int status = 0;
      waitpid(pid, &status, 0);
      let_through += status != 0 || Exists(made_);
    }
    Tell(let_through);
    return 0;
  });
  EXPECT_EQ(caller.Next().value_or(-1), 0);
  EXPECT_EQ(caller.Finish(), 0);
  EXPECT_EQ(mover.Finish(), 0);
  sensor().Settle();
}

// Deeper than a path can be read, and longer than one is compared whole: whatever a rule might
// forbid there is refused.
TEST_F(ExecDenyTest, APathTooLongToBeReadIsNoWayAround) {
  for (const int depth : {30, 13}) {
    Child child([&] {
      Must(chdir(bin_.c_str()), "chdir");
      const std::string name(200, 'd');
      for (int i = 0; i < depth; ++i) {
        (void)mkdir(name.c_str(), 0755);
        Must(chdir(name.c_str()), "chdir");
      }
      CopyFile("/bin/busybox", "touch", 0755);
      Tell(1);
      char byte;
      Must(read(0, &byte, 1), "read");  // until the rules are there
      return TryTouch("./touch", made_);
    });
    ASSERT_EQ(child.Next().value_or(0), 1);
    Load(Rule("enforce", fmt::format("process.binary.startsWith(\"{}/\") || process.binary == "
                                     "\"/some/other\"",
                                     bin_)));
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM) << depth;
    EXPECT_FALSE(Exists(made_));
  }
  EXPECT_EQ(Alerts("guard").size(), 2u);
}

}  // namespace
}  // namespace kentry::vm
