// SPDX-License-Identifier: Apache-2.0
// Programs that rules don't act on: these alone, as they were when they were trusted, and run by
// root of the machine itself.
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <utility>

#include "fmt/format.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kBusybox[] = "/bin/busybox";

// Continues a stopped child until it ends; its exit code.
int Trace(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

class TrustTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    tool_ = NewFolder() + "/tool";
    std::filesystem::copy_file(kBusybox, tool_);
    Must(chmod(secret_.path().c_str(), 0644), "chmod");
    Load(
        fmt::format("mode: enforce\nrules:\n  - {{name: guard, on: file.open, when: 'file.path == "
                    "\"{}\"', then: deny, severity: critical}}\n",
                    secret_.path()));
  }
  absl::Status SetTrusted(bool trusted) {
    absl::Status status = absl::UnknownError("not asked");
    sensor().pipeline().Ask([&] { status = sensor().pipeline().SetTrusted(tool_, trusted); });
    return status;
  }
  // The verdict on the program's reading of the file after `prepare`; it reads it or not as that
  // says.
  std::string Verdict(const std::function<void()>& prepare = {}) {
    return VerdictOn({tool_, "cat", secret_.path()}, prepare);
  }
  std::string VerdictOn(std::vector<std::string> args, const std::function<void()>& prepare = {}) {
    sensor().Clear();
    Child child([&]() -> int {
      const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
      Must(dup2(null.get(), STDOUT_FILENO), "dup2");
      Must(dup2(null.get(), STDERR_FILENO), "dup2");
      if (prepare) prepare();
      const std::string path = std::exchange(args[0], "busybox");
      Exec({.path = path, .args = args});
    });
    const bool read = child.Finish() == 0;
    const std::vector<Seen> alerts = Alerts("guard");
    if (alerts.size() != 1) return fmt::format("{} alerts", alerts.size());
    const std::string verdict = alerts[0].Text(kAlertVerdict);
    EXPECT_EQ(read, verdict != "denied") << verdict;
    return verdict;
  }
  // Goes on in a child of its own, the first of a new PID namespace.
  static void GoOnInChild() {
    const pid_t pid = fork();
    if (pid == 0) return;
    int status = 0;
    waitpid(pid, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
  }

  void TearDown() override {
    for (const std::string& path : Trusted()) {
      tool_ = path;
      EXPECT_EQ(SetTrusted(false), absl::OkStatus());
    }
    RuleTest::TearDown();
  }
  std::vector<std::string> Trusted() { return sensor().pipeline().kernel().trust().Paths(); }

  Secret secret_;
  std::string tool_;
};

TEST_F(TrustTest, AProgramIsTrustedAsLongAsItIsTheSameAndRootsOwn) {
  EXPECT_EQ(Verdict(), "denied");
  ASSERT_EQ(SetTrusted(true), absl::OkStatus());
  EXPECT_EQ(Verdict(), "exempt");
  EXPECT_EQ(VerdictOn({kBusybox, "cat", secret_.path()}), "denied") << "the same bytes elsewhere";
  EXPECT_EQ(
      VerdictOn({tool_, "sh", "-c", fmt::format("{} cat {}; exit $?", kBusybox, secret_.path())}),
      "denied")
      << "what it starts";
  EXPECT_EQ(Verdict([] { Must(setuid(1000), "setuid"); }), "denied");
  EXPECT_EQ(Verdict([] { Must(seteuid(1000), "seteuid"); }), "denied");
  EXPECT_EQ(Verdict([] { Must(unshare(CLONE_NEWUSER), "unshare"); }), "denied");
  EXPECT_EQ(Verdict([] { Must(unshare(CLONE_NEWNS), "unshare"); }), "denied");
  EXPECT_EQ(Verdict([] {
              Must(unshare(CLONE_NEWPID), "unshare");
              GoOnInChild();
            }),
            "denied");
  EXPECT_EQ(Verdict([] {
              const pid_t pid = fork();
              if (pid != 0) _exit(Trace(pid));
              Must(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), "traceme");
            }),
            "denied")
      << "traced";
  EXPECT_EQ(Verdict([] { GoOnInChild(); }), "exempt") << "a child, and nothing else";
}

TEST_F(TrustTest, AProgramThatChangesIsTrustedNoMore) {
  ASSERT_EQ(SetTrusted(true), absl::OkStatus());
  {
    const Fd fd(open(tool_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    ASSERT_EQ(write(fd.get(), "\n", 1), 1);
  }
  EXPECT_EQ(Verdict(), "denied") << "written to";
  ASSERT_EQ(SetTrusted(true), absl::OkStatus());
  EXPECT_EQ(Verdict(), "exempt");
  std::filesystem::copy_file(kBusybox, tool_ + ".new");
  ASSERT_EQ(rename((tool_ + ".new").c_str(), tool_.c_str()), 0);
  EXPECT_EQ(Verdict(), "denied") << "replaced";
  ASSERT_EQ(SetTrusted(true), absl::OkStatus());
  EXPECT_EQ(Verdict(), "exempt");
  EXPECT_EQ(Trusted(), std::vector<std::string>{tool_});
  ASSERT_EQ(SetTrusted(false), absl::OkStatus());
  EXPECT_EQ(Verdict(), "denied");
  EXPECT_TRUE(absl::IsNotFound(SetTrusted(false)));
  tool_ = secret_.path();
  EXPECT_TRUE(absl::IsInvalidArgument(SetTrusted(true))) << "no program";
  tool_ += "-gone";
  EXPECT_TRUE(absl::IsNotFound(SetTrusted(true)));
}

}  // namespace
}  // namespace kentry::vm
