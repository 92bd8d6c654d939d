// SPDX-License-Identifier: Apache-2.0
// What `kentry run --pin` leaves in the kernel stays in force however the daemon ends, and the next
// one goes on where it ended. The program itself is run, and killed.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "fmt/format.h"
#include "sensor/kernel/pinned.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

constexpr char kKentry[] = "/bin/kentry";
constexpr char kNext[] = "/fixtures/kentry_next";
constexpr char kPins[] = "/sys/fs/bpf/kentry";

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> LinesWith(const std::string& text, const std::string& part) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.find(part) != std::string::npos) lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

class PinTest : public OwnSensorTest {
 protected:
  void SetUp() override {
    OwnSensorTest::SetUp();
    if (access(kKentry, X_OK) != 0) GTEST_SKIP() << "no " << kKentry << " in this machine";
    const std::string kernel = KernelVersion();
    if (Count(0, 1) == 0 && !OnEveryKernel() && (kernel == "6.1" || kernel == "6.12")) {
      GTEST_SKIP() << "between the oldest and the newest kernel with KENTRY_FULL only";
    }
    folder_ = NewFolder();
    WriteRules("enforce");
  }
  void TearDown() override {
    if (daemon_) EndDaemon(SIGKILL);
    Kentry({"enforce", "release"});
    EXPECT_TRUE(Gone(kPins));
  }

  // Each start of a daemon takes seconds of an emulated machine.
  static bool OnEveryKernel() {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    return test == "EnforcementOutlivesAnEndAndAKillAndReleaseEndsIt" ||
           test == "ChangesAndExecsStayDeniedAndAreTold";
  }

  void WriteRules(const std::string& mode, const std::string& name = "secrets") {
    WriteFile(folder_ + "/rules.yaml",
              fmt::format("rule_set: {}\nmode: {}\nrules:\n  - {{name: guarded, on: file.open, "
                          "when: 'file.path == \"{}\"', then: deny, severity: critical, "
                          "guard: off}}\n",
                          name, mode, secret_.path()));
  }
  // Starts a daemon that writes into the file `out`, and waits until its rules are in force and its
  // pins are complete.
  void StartDaemon(const std::string& out, std::vector<std::string> more = {"--pin"}) {
    out_ = folder_ + "/" + out;
    LaunchDaemon(more);
    // Whoever asks takes the time of whom he asks.
    ASSERT_TRUE(Until([&] { return Up(); }, 300'000, 3 * kPatience)) << ReadFile(folder_ + "/log");
  }
  void LaunchDaemon(const std::vector<std::string>& more) {
    std::vector<std::string> args = {
        "kentry", "run", "--quiet", "--output", out_, "--rules", folder_ + "/rules.yaml"};
    args.insert(args.end(), {"--socket", folder_ + "/sock"});
    args.insert(args.end(), more.begin(), more.end());
    daemon_ = std::make_unique<Child>([&]() -> int {
      const Fd log(open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
      Must(dup2(log.get(), STDERR_FILENO), "dup2");
      Exec({.path = program_, .args = args});
    });
  }
  // The daemon answers: it does last of all.
  bool Up() { return Kentry({"status", "--socket", folder_ + "/sock"}) == 0; }
  int EndDaemon(int signal) {
    kill(daemon_->pid(), signal);
    const int status = daemon_->Finish();
    daemon_.reset();
    return status;
  }
  // Exit code of `kentry ARGS`; what it wrote is in answer_.
  int Kentry(std::vector<std::string> args) {
    const std::string out = folder_ + "/answer";
    args.insert(args.begin(), "kentry");
    Child child([&]() -> int {
      const Fd fd(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
      Must(dup2(fd.get(), STDOUT_FILENO), "dup2");
      Must(dup2(fd.get(), STDERR_FILENO), "dup2");
      Exec({.path = kKentry, .args = args});
    });
    const int status = child.Finish();
    answer_ = ReadFile(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Status() {
    Kentry({"enforce", "status", "-o", "json", "--socket", folder_ + "/sock"});
    return answer_;
  }
  int Open() {
    Child child([&] { return OpenAndClose(secret_.path()); });
    return WEXITSTATUS(child.Finish());
  }
  bool Until(const std::function<bool()>& done, useconds_t pause_us = 20'000,
             absl::Duration patience = kPatience) {
    const absl::Time deadline = absl::Now() + patience;
    while (absl::Now() < deadline) {
      usleep(pause_us);
      if (done()) return true;
    }
    return false;
  }
  // As if another build had left the pins.
  void ChangeIdentity(int generation, const std::function<void(PinIdentity*)>& change) {
    absl::StatusOr<Fd> map = OpenPinned(fmt::format("{}/g{}/identity", kPins, generation));
    ASSERT_TRUE(map.ok()) << map.status();
    PinIdentity identity;
    const uint32_t zero = 0;
    ASSERT_EQ(bpf_map_lookup_elem(map->get(), &zero, &identity), 0);
    change(&identity);
    ASSERT_EQ(bpf_map_update_elem(map->get(), &zero, &identity, BPF_ANY), 0);
  }
  static bool Gone(const std::string& path) { return access(path.c_str(), F_OK) != 0; }

  Secret secret_;
  std::string program_ = kKentry;
  std::string folder_;
  std::string out_;
  std::string answer_;
  std::unique_ptr<Child> daemon_;
};

// Opens the file without a pause; its exit code is how often that succeeded, at most 100.
class Opener {
 public:
  explicit Opener(std::string path) {
    child_ = std::make_unique<Child>([path = std::move(path)]() -> int {
      static volatile sig_atomic_t stop = 0;
      signal(SIGTERM, [](int) { stop = 1; });
      int opened = 0;
      while (stop == 0) {
        if (OpenAndClose(path) == 0 && opened < 100) ++opened;
        usleep(2000);
      }
      return opened;
    });
  }
  int Finish() {
    kill(child_->pid(), SIGTERM);
    return WEXITSTATUS(child_->Finish());
  }

 private:
  std::unique_ptr<Child> child_;
};

TEST_F(PinTest, WithoutTheRequestAllIsGoneWithTheDaemon) {
  StartDaemon("out", {});
  EXPECT_EQ(Open(), EPERM);
  EXPECT_TRUE(Gone(kPins));
  EndDaemon(SIGKILL);
  EXPECT_TRUE(Until([&] { return Open() == 0; }));
  EXPECT_EQ(Kentry({"enforce", "status"}), 3) << answer_;
}

TEST_F(PinTest, EnforcementOutlivesAnEndAndAKillAndReleaseEndsIt) {
  StartDaemon("out");
  EXPECT_EQ(Status().find("\"daemon_pid\":0"), std::string::npos) << answer_;
  struct stat root {};
  ASSERT_EQ(stat(kPins, &root), 0);
  EXPECT_EQ(root.st_mode & 0777, 0700u);
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(Kentry({"enforce", "release"}), 4) << "a daemon runs: " << answer_;
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  EXPECT_EQ(Open(), EPERM);
  StartDaemon("out");
  EndDaemon(SIGKILL);
  EXPECT_EQ(Open(), EPERM);
  const std::string status = Status();
  EXPECT_NE(status.find("\"enforcing\":true,\"paused\":false,\"pinned\":true,\"daemon_pid\":0,"),
            std::string::npos)
      << status;
  EXPECT_NE(status.find("\"rule_set\":\"secrets\""), std::string::npos) << status;
  EXPECT_EQ(Kentry({"run", "--quiet", "--socket", folder_ + "/sock"}), 4) << answer_;
  EXPECT_NE(answer_.find("kentry enforce release"), std::string::npos) << answer_;
  EXPECT_EQ(Kentry({"enforce", "release"}), 0) << answer_;
  EXPECT_TRUE(Gone(kPins));
  EXPECT_EQ(Open(), 0);
}

TEST_F(PinTest, TheNextDaemonTellsOfTheGapAndNamesTheRulesOfIt) {
  StartDaemon("first");
  EndDaemon(SIGKILL);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Open(), EPERM);
  // Other rules by now: the gap's events are of those before.
  WriteRules("enforce", "later");
  StartDaemon("second");
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  const std::string events = ReadFile(folder_ + "/second");
  const auto denied = LinesWith(events, "\"verdict\":\"denied\"");
  size_t before = 0;
  for (const std::string& line : denied) {
    EXPECT_NE(line.find("\"guarded\""), std::string::npos) << line;
    before += CountOf(line, "\"rule_set\":\"secrets\"");
  }
  EXPECT_EQ(before, 5u) << events;
  EXPECT_EQ(denied.size(), 6u) << events;
  EXPECT_EQ(CountOf(events, "\"reason\":\"ring_full\""), 0u);
}

// Every class has hooks of its own, which are pinned and taken over.
TEST_F(PinTest, ChangesAndExecsStayDeniedAndAreTold) {
  const std::string kept = folder_ + "/kept";
  const std::string program = folder_ + "/hold";
  WriteFile(kept, "kept");
  CopyFile(kHold, program, 0755);
  const auto rules = [&](std::string_view more) {
    WriteFile(folder_ + "/rules.yaml",
              fmt::format("rule_set: secrets\nmode: enforce\nrules:\n"
                          "  - {{name: gone, on: file.unlink, when: 'file.path == \"{}\"', then: "
                          "deny, guard: off}}\n"
                          "  - {{name: run, on: process.exec, when: 'process.binary == \"{}\"', "
                          "then: deny, guard: off}}\n"
                          "  - {{name: asked, on: process.signal, when: 'target.uid == 7 && "
                          "signal.number == 0', then: deny, guard: off}}\n{}",
                          kept, program, more));
  };
  Child target([] {
    Must(setresuid(7, 7, 7), "setresuid");
    Tell(1);
    char end = 0;
    return static_cast<int>(read(STDIN_FILENO, &end, 1));
  });
  target.Next();
  const auto refused = [&] {
    Child remover([&] { return unlink(kept.c_str()) == 0 ? 0 : errno; });
    EXPECT_EQ(WEXITSTATUS(remover.Finish()), EPERM);
    Child runner([&]() -> int {
      char* const none[] = {nullptr};
      execve(program.c_str(), none, none);
      return errno;
    });
    EXPECT_EQ(WEXITSTATUS(runner.Finish()), EPERM);
    Child asker([&] { return kill(target.pid(), 0) == 0 ? 0 : errno; });
    EXPECT_EQ(WEXITSTATUS(asker.Finish()), EPERM);
  };
  rules("");
  StartDaemon("first");
  refused();
  EndDaemon(SIGKILL);
  refused();
  // One more class, whose hook the next daemon attaches beside those that it finds.
  rules(fmt::format("  - {{name: mode, on: file.chmod, when: 'file.path == \"{}\"', then: deny}}\n",
                    kept));
  StartDaemon("second");
  refused();
  Child mode([&] { return chmod(kept.c_str(), 0600) == 0 ? 0 : errno; });
  EXPECT_EQ(WEXITSTATUS(mode.Finish()), EPERM);
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  const std::string events = ReadFile(folder_ + "/second");
  // What the first one had not read when it was killed, it tells too.
  EXPECT_GE(CountOf(events, "\"verdict\":\"denied\""), 7u) << events;
  refused();
  EXPECT_EQ(Kentry({"enforce", "release"}), 0) << answer_;
  EXPECT_TRUE(Until([&] { return unlink(kept.c_str()) == 0; }));
}

TEST_F(PinTest, AfterAnOrderlyEndNothingIsMissing) {
  StartDaemon("first");
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  EXPECT_EQ(Open(), EPERM);
  StartDaemon("second");
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  const std::string both = ReadFile(folder_ + "/first") + ReadFile(folder_ + "/second");
  EXPECT_EQ(CountOf(both, "\"verdict\":\"denied\""), 2u);
  if (HooksCanBeSkipped()) return;
  EXPECT_EQ(CountOf(both, "\"class\":\"sensor.loss\""), 0u) << both;
}

TEST_F(PinTest, NotOneOpenSucceedsWhileTheDaemonIsKilledAtAnyMoment) {
  StartDaemon("out");
  Opener opener(secret_.path());
  std::mt19937 random(std::random_device{}());
  const int kills = Count(8, 300);
  for (int i = 0; i < kills; ++i) {
    EndDaemon(SIGKILL);
    LaunchDaemon({"--pin"});
    // From its first instructions to long after the rules are in force.
    usleep(static_cast<useconds_t>(random() % 1'500'000));
  }
  EndDaemon(SIGKILL);
  StartDaemon("out");
  EXPECT_EQ(opener.Finish(), 0);
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  EXPECT_EQ(CountOf(ReadFile(folder_ + "/log"), "error:"), 0u) << ReadFile(folder_ + "/log");
}

// The next version of the program can't read the records that this one left, and says so; nor can
// this one, when it comes back. Other options are another generation too, whose records are read.
// Of another layout of the pins nothing but the links can be trusted; they are ended all the same.
TEST_F(PinTest, AnotherVersionTakesOverWithoutAGap) {
  const std::vector<std::string> small = {"--pin", "--ring-size", "4M"};
  const auto told_of_other_build = [&](const std::string& out) {
    return LinesWith(ReadFile(folder_ + "/" + out), "\"reason\":\"other_build\"").size();
  };
  StartDaemon("first");
  Opener opener(secret_.path());
  EndDaemon(SIGKILL);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Open(), EPERM);
  program_ = kNext;
  StartDaemon("second");
  EXPECT_TRUE(Gone(std::string(kPins) + "/g1"));
  EXPECT_FALSE(Gone(std::string(kPins) + "/g2"));
  EXPECT_EQ(Open(), EPERM);
  EndDaemon(SIGKILL);
  EXPECT_NE(ReadFile(folder_ + "/second").find("-next\""), std::string::npos);
  EXPECT_EQ(told_of_other_build("second"), 1u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Open(), EPERM);
  program_ = kKentry;
  StartDaemon("third", small);
  EXPECT_TRUE(Gone(std::string(kPins) + "/g2"));
  EXPECT_EQ(Open(), EPERM);
  EndDaemon(SIGKILL);
  EXPECT_EQ(told_of_other_build("third"), 1u);
  EXPECT_EQ(Open(), EPERM);

  StartDaemon("fourth");
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  const auto denied = LinesWith(ReadFile(folder_ + "/fourth"), "\"verdict\":\"denied\"");
  EXPECT_GT(denied.size(), 2u);
  for (const std::string& line : denied) {
    EXPECT_NE(line.find("\"guarded\""), std::string::npos) << line;
  }
  EXPECT_EQ(told_of_other_build("fourth"), 0u);

  ChangeIdentity(4, [](PinIdentity* identity) { ++identity->abi; });
  EXPECT_EQ(Open(), EPERM);
  StartDaemon("fifth");
  EXPECT_TRUE(Gone(std::string(kPins) + "/g4"));
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  EXPECT_EQ(opener.Finish(), 0);
}

TEST_F(PinTest, APauseHoldsWithoutADaemonAndInTheNextOne) {
  StartDaemon("first");
  EXPECT_EQ(Kentry({"enforce", "pause", "--socket", folder_ + "/sock"}), 0) << answer_;
  EXPECT_EQ(Open(), 0);
  EXPECT_EQ(Kentry({"enforce", "resume", "--socket", folder_ + "/sock"}), 0) << answer_;
  EXPECT_EQ(Open(), EPERM);
  EndDaemon(SIGKILL);
  EXPECT_EQ(Kentry({"enforce", "pause", "--socket", folder_ + "/sock"}), 0) << answer_;
  EXPECT_EQ(Open(), 0);
  StartDaemon("second");
  EXPECT_EQ(Open(), 0);
  EXPECT_NE(Status().find("\"paused\":true"), std::string::npos) << answer_;
  EXPECT_EQ(EndDaemon(SIGTERM), 0);
  EXPECT_EQ(Kentry({"enforce", "resume", "--socket", folder_ + "/sock"}), 0) << answer_;
  EXPECT_EQ(Open(), EPERM);
  EXPECT_GE(CountOf(ReadFile(folder_ + "/second"), "\"verdict\":\"would_deny\""), 2u);
}

// Nobody reads what a dead daemon's hooks record: when its rings are full, its strict rules let go.
TEST_F(PinTest, AStrictRuleOfADeadDaemonLocksNothingUnlessItsSetSaysSo) {
  constexpr int kMany = 600;  // more than both rings of a CPU hold
  const std::vector<std::string> small = {"--pin", "--ring-size", "64K", "--ring-priority-size",
                                          "64K"};
  const auto rules = [&](std::string_view set) {
    WriteFile(folder_ + "/rules.yaml",
              fmt::format("mode: enforce\nstall-after: 1s\n{}rules:\n  - {{name: strict, on: "
                          "file.open, when: 'file.path == \"{}\"', record: required}}\n",
                          set, secret_.path()));
  };
  // Opens while nobody reads: how many were refused.
  const auto refused = [&] {
    sleep(2);
    Child child([&] {
      PinToCpu(0);
      int count = 0;
      for (int i = 0; i < kMany; ++i) count += OpenAndClose(secret_.path()) == EPERM ? 1 : 0;
      Tell(count);
      return 0;
    });
    const int64_t count = child.Next().value_or(-1);
    EXPECT_EQ(child.Finish(), 0);
    return count;
  };
  // What a daemon tells of them.
  const auto told = [&](const std::string& out, const std::string& reason) {
    std::vector<std::string> lines;
    EXPECT_TRUE(Until([&] {
      lines = LinesWith(ReadFile(folder_ + "/" + out), "\"reason\":\"" + reason + "\"");
      return !lines.empty();
    }));
    EXPECT_EQ(lines.size(), 1u);
    const size_t at = lines.empty() ? std::string::npos : lines[0].find("\"count\":");
    return at == std::string::npos ? -1 : std::strtoll(lines[0].c_str() + at + 8, nullptr, 10);
  };
  rules("");
  StartDaemon("first", small);
  EndDaemon(SIGKILL);
  EXPECT_EQ(refused(), 0);
  rules("on-stall: deny\n");
  StartDaemon("second", small);
  EXPECT_EQ(Open(), 0);
  const int64_t stalled = told("second", "strict_stalled");
  EXPECT_GT(stalled, 0);
  EXPECT_LT(stalled, kMany);
  EndDaemon(SIGKILL);
  const int64_t locked = refused();
  EXPECT_GT(locked, 0);
  EXPECT_LT(locked, kMany);
  StartDaemon("third", small);
  EXPECT_EQ(Open(), 0);
  EXPECT_EQ(told("third", "strict_refused"), locked);
}

// Also by another build: that one has a list of its own.
TEST_F(PinTest, ATrustedProgramStaysTrusted) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  StartDaemon("out");
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(Kentry({"enforce", "trust", "--socket", folder_ + "/sock", self}), 0) << answer_;
  EXPECT_EQ(Open(), 0);
  EndDaemon(SIGKILL);
  EXPECT_EQ(Open(), 0);
  EXPECT_NE(Status().find(fmt::format("\"trusted\":[\"{}\"]", self)), std::string::npos) << answer_;
  EXPECT_EQ(Kentry({"enforce", "untrust", "--socket", folder_ + "/sock", self}), 3) << answer_;
  ChangeIdentity(1, [](PinIdentity* identity) { ++identity->hash; });
  StartDaemon("other");
  EXPECT_EQ(Open(), 0);
  EXPECT_EQ(Kentry({"enforce", "untrust", "--socket", folder_ + "/sock", self}), 0) << answer_;
  EXPECT_EQ(Open(), EPERM);
  EXPECT_EQ(Kentry({"enforce", "pause", "--socket", folder_ + "/sock"}), 0) << answer_;
  EXPECT_EQ(Open(), 0);
  EndDaemon(SIGTERM);
  const std::string told = ReadFile(folder_ + "/other");
  for (const std::string change : {"untrusted", "paused"}) {
    EXPECT_EQ(CountOf(told, fmt::format("\"change\":\"{}\"", change)), 1u) << told;
  }
}

}  // namespace
}  // namespace kentry::vm
