// SPDX-License-Identifier: Apache-2.0
// Rules in force: reloads under load, limits, drops, marks, and what is not known.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "fmt/format.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

void Touch(const std::string& path) {
  const Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
  EXPECT_TRUE(fd.valid()) << path;
}

std::string ContainerFolder(char letter) {
  mkdir("/sys/fs/cgroup/docker", 0755);
  return "/sys/fs/cgroup/docker/" + std::string(64, letter);
}

void RemoveFolder(const std::string& folder) {
  for (int tries = 0; rmdir(folder.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
}

class RulesTest : public RuleTest {};

TEST_F(RulesTest, WithoutRulesNothingIsJudged) {
  StartAnew();
  const std::string folder = NewFolder();
  Touch(folder + "/file");
  Child child([&] { return OpenAndClose(folder + "/file"); });
  EXPECT_EQ(child.Finish(), 0);
  sensor().Settle();
  EXPECT_TRUE(
      sensor().Events([](const Seen& s) { return s.cls() == EventClass::kFileOpen; }).empty());
}

TEST_F(RulesTest, EveryRuleThatMatchesIsInOneEventMostSevereFirst) {
  Load(
      "rules:\n"
      "  - {name: small, on: process.exec, when: 'process.binary == \"/fixtures/hold\"', "
      "severity: info}\n"
      "  - {name: big, on: process.exec, when: 'process.binary.endsWith(\"/hold\")', "
      "severity: critical, tags: {mitre: [T1059]}, message: \"{process.binary} by "
      "{process.uid}\"}\n"
      "  - {name: other, on: process.exec, when: 'process.binary == \"/fixtures/held\"'}\n");
  Child child([]() -> int { Exec({}); });
  EXPECT_TRUE(child.Execed());
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(child.Finish(), 0);
  const std::vector<Seen> alerts = Alerts("big");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].pid(), pid);
  EXPECT_EQ(alerts[0].List(kAlertRules), (std::vector<std::string>{"big", "small"}));
  EXPECT_EQ(alerts[0].List(kAlertSeverities), (std::vector<std::string>{"critical", "info"}));
  EXPECT_EQ(alerts[0].List(kAlertMessages)[0], "/fixtures/hold by 0");
  EXPECT_EQ(alerts[0].List(kAlertTags), (std::vector<std::string>{"mitre:T1059"}));
}

TEST_F(RulesTest, ParentsAndAncestorsAreFound) {
  Load(
      "rules:\n"
      "  - {name: by-parent, on: process.exec, when: 'parent.binary.endsWith(\"/kentry_vm_test\") "
      "&& "
      "process.binary == \"/fixtures/hold\"'}\n"
      "  - {name: by-ancestor, on: process.exec, when: 'process.binary == \"/fixtures/hold\" && "
      "ancestors.exists(a, a.binary.endsWith(\"/kentry_vm_test\"))'}\n"
      "  - {name: by-none, on: process.exec, when: 'process.binary == \"/fixtures/hold\" && "
      "ancestors.exists(a, a.binary == \"/nowhere\")'}\n");
  Child child([]() -> int { Exec({}); });
  EXPECT_TRUE(child.Execed());
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(Alerts("by-parent").size(), 1u);
  EXPECT_EQ(Alerts("by-ancestor").size(), 1u);
  EXPECT_EQ(Alerts("by-none").size(), 0u);
}

TEST_F(RulesTest, ADropRuleKeepsItsEventsOut) {
  Load(
      "rules:\n  - {name: quiet, on: process.exec, when: 'process.binary == \"/fixtures/hold\"', "
      "then: drop}\n");
  Child child([]() -> int { Exec({}); });
  EXPECT_TRUE(child.Execed());
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(child.Finish(), 0);
  sensor().Settle();
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExec, pid), 0u);
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, pid), 1u);
}

TEST_F(RulesTest, ALimitHoldsBackAndTellsHowMany) {
  const std::string folder = NewFolder();
  Touch(folder + "/file");
  Load(
      fmt::format("rules:\n  - {{name: few, on: file.open, when: 'file.path == \"{}/file\"', "
                  "limit: {{events: 3, per: 1s}}}}\n",
                  folder));
  Child child([&]() -> int {
    for (int i = 0; i < 20; ++i) {
      if (OpenAndClose(folder + "/file") != 0) return 1;
    }
    return 0;
  });
  EXPECT_EQ(child.Finish(), 0);
  const auto held_back =
      sensor().Wait([](const Seen& seen) { return seen.cls() == EventClass::kSensorSuppressed; });
  ASSERT_TRUE(held_back);
  EXPECT_EQ(held_back->Text(kSuppressedRule), "few");
  EXPECT_EQ(Alerts("few").size() + held_back->Number(kSuppressedCount), 20u);
}

TEST_F(RulesTest, AContainersProcessesAreKnownFromTheFirstOn) {
  Load(
      "rules:\n  - {name: inside, on: process.exec, when: 'container.id != \"\" && "
      "process.binary == \"/fixtures/hold\"'}\n"
      "  - {name: outside, on: process.exec, when: 'container.id == \"\" && "
      "process.binary == \"/fixtures/hold\"'}\n");
  const std::string folder = ContainerFolder('e');
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(mkdir(folder.c_str(), 0755), 0);
    Child child([&]() -> int {
      WriteFile(folder + "/cgroup.procs", "0");
      Exec({});
    });
    EXPECT_TRUE(child.Execed());
    EXPECT_EQ(child.Finish(), 0);
    RemoveFolder(folder);
  }
  Child host([]() -> int { Exec({}); });
  EXPECT_TRUE(host.Execed());
  EXPECT_EQ(host.Finish(), 0);
  EXPECT_EQ(Alerts("inside").size(), 3u);
  EXPECT_EQ(Alerts("outside").size(), 1u);
}

// Masks are cached: that of a process in a cgroup which the kernel has not heard of must not be.
TEST_F(RulesTest, EachOpenInANewContainerIsJudgedByIt) {
  const std::string file = NewFolder() + "/file";
  Touch(file);
  const std::string folder = ContainerFolder('c');
  Load(fmt::format(
      "rules:\n"
      "  - {{name: inside, on: file.open, when: 'file.path == \"{0}\" && container.id == "
      "\"{1}\"'}}\n"
      "  - {{name: outside, on: file.open, when: 'file.path == \"{0}\" && container.id == "
      "\"\"'}}\n",
      file, std::string(64, 'c')));
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_EQ(mkdir(folder.c_str(), 0755), 0);
    Child child([&]() -> int {
      if (OpenAndClose(file) != 0) return 1;  // outside: this mask must not hold inside
      WriteFile(folder + "/cgroup.procs", "0");
      for (int i = 0; i < 3; ++i) {
        if (OpenAndClose(file) != 0) return 1;
        usleep(300'000);  // longer than the sensor's longest pause: it tells the kernel meanwhile
      }
      return 0;
    });
    EXPECT_EQ(child.Finish(), 0);
    RemoveFolder(folder);
  }
  EXPECT_EQ(Alerts("inside").size(), 3u * kRounds);
  EXPECT_EQ(Alerts("outside").size(), 1u * kRounds);
}

// A sensor with so small rings that a burst of cgroups fits neither of a CPU's.
TEST(CgroupLossTest, CgroupsWhoseRecordsWereLostAreToldToTheKernel) {
  LiveSensor::StopShared();
  PipelineOptions options;
  options.kernel.ring_bytes = options.kernel.prio_ring_bytes = 64 * 1024;
  const auto sensor = LiveSensor::Start(std::move(options));
  ASSERT_NE(sensor, nullptr);
  sensor->Go();
  const std::string file = NewFolder() + "/file";
  Touch(file);
  // The kernel decides it for a cgroup that it knows, and lets any other's opens through.
  LoadRules(*sensor, fmt::format("rules:\n  - {{name: other, on: file.open, when: 'file.path == "
                                 "\"{}\" && container.runtime == \"podman\"'}}\n",
                                 file));
  constexpr int kCgroups = 1500;
  const std::string container = ContainerFolder('d');
  const auto folder = [&](int i) { return fmt::format("{}/{}", container, i); };
  ASSERT_TRUE(sensor->pipeline().Ask([&] {  // nobody reads meanwhile
    Child child([&] {
      PinToCpu(0);  // so that all records are for the same rings
      Must(mkdir(container.c_str(), 0755), "mkdir");
      for (int i = 0; i < kCgroups; ++i) Must(mkdir(folder(i).c_str(), 0755), "mkdir");
      return 0;
    });
    EXPECT_EQ(child.Finish(), 0);
  }));
  ASSERT_TRUE(sensor->Wait([](const Seen& seen) {
    return seen.cls() == EventClass::kSensorLoss && seen.Text(kLossClass) == "cgroup.change";
  }));
  const auto judged_away = [&] {
    uint64_t count = 0;
    sensor->Settle();
    sensor->pipeline().Ask([&] { count = sensor->pipeline().stats().judged_away; });
    return count;
  };
  // The last one was certainly lost. Within seconds its opens stay in the kernel.
  bool told = false;
  for (int tries = 0; tries < 60 && !told; ++tries) {
    const uint64_t before = judged_away();
    Child child([&]() -> int {
      WriteFile(folder(kCgroups - 1) + "/cgroup.procs", "0");
      return OpenAndClose(file);
    });
    EXPECT_EQ(child.Finish(), 0);
    told = judged_away() == before;
    usleep(500'000);
  }
  EXPECT_TRUE(told);
  for (int i = 0; i < kCgroups; ++i) RemoveFolder(folder(i));
  RemoveFolder(container);
  sensor->Stop();
  EXPECT_EQ(sensor->pipeline().rules().errors(), 0u);
}

// What disturbs reloads: each opens `file` until its standard input ends, and tells how often.
class Disturbances {
 public:
  explicit Disturbances(std::string file) : file_(std::move(file)) {}

  int Plain() {
    return UntilReleased([](int64_t) {});
  }
  int Credentials() {
    return UntilReleased(
        [](int64_t i) { Must(setresuid(i % 2 == 0 ? 1500u : 0u, -1u, 0), "setresuid"); });
  }
  // Between two namespaces of host names.
  int Namespaces() {
    const Fd home(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
    Must(unshare(CLONE_NEWUTS), "unshare");
    const Fd away(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
    return UntilReleased([&](int64_t i) {
      Must(setns(i % 2 == 0 ? home.get() : away.get(), CLONE_NEWUTS), "setns");
    });
  }
  // Between the host and a container.
  int Cgroups(const std::string& container) {
    return UntilReleased([&](int64_t i) {
      WriteFile((i % 2 == 0 ? container : "/sys/fs/cgroup") + "/cgroup.procs", "0");
    });
  }
  // Programs one after the other that do the opening.
  int Execs() {
    std::string cat = "cat";
    std::array<char*, 3> args = {cat.data(), file_.data(), nullptr};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    return UntilReleased(
        [&](int64_t) {
          pid_t pid = 0;
          errno = posix_spawn(&pid, "/bin/busybox", &quiet, nullptr, args.data(), nullptr);
          Must(errno == 0 ? 0 : -1, "posix_spawn");
          int status = 0;
          Must(waitpid(pid, &status, 0), "waitpid");
          Must(status == 0 ? 0 : -1, "cat");
        },
        /*open_here=*/false);
  }

 private:
  int UntilReleased(const std::function<void(int64_t)>& before, bool open_here = true) {
    int64_t opens = 0;
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (char byte; read(0, &byte, 1) < 0; ++opens) {
      before(opens);
      if (open_here) Must(OpenAndClose(file_) == 0 ? 0 : -1, "open");
      usleep(2000);  // the rings must hold what comes during a reload
    }
    Tell(opens);
    return 0;
  }

  std::string file_;
};

uint64_t HomeNamespace() {
  static const uint64_t home = NamespaceOf(getpid(), "uts");
  return home;
}

// Three pairs of rules: of each, one holds for any open of the file.
std::string PairsOfRules(const char* set, const std::string& file) {
  const auto rule = [&](const char* name, const std::string& condition) {
    return fmt::format("  - {{name: {}-{}, on: file.open, when: 'file.path == \"{}\" && {}'}}\n",
                       set, name, file, condition);
  };
  const uint64_t home = HomeNamespace();
  return fmt::format("rule_set: {0}\nrules:\n", set) + rule("root", "process.uid == 0") +
         rule("user", "process.uid != 0") + rule("inside", "container.id != \"\"") +
         rule("outside", "container.id == \"\"") +
         rule("home", fmt::format("process.ns_uts == {}", home)) +
         rule("away", fmt::format("process.ns_uts != {}", home)) +
         fmt::format(
             "  - {{name: {}-exec, on: process.exec, when: "
             "'process.binary in [\"/fixtures/hold\", \"/bin/busybox\"]'}}\n",
             set);
}

// The rules of PairsOfRules that an event must name, by what it says itself.
std::set<std::string> NamesFor(const Seen& seen) {
  const std::string set = seen.Text(kAlertRuleSet);
  if (seen.cls() == EventClass::kProcessExec) return {set + "-exec"};
  const bool home = seen.Number(kProcessNsUts) == HomeNamespace();
  return {set + (seen.Number(kProcessUid) == 0 ? "-root" : "-user"),
          set + (seen.Text(kContainerId).empty() ? "-outside" : "-inside"),
          set + (home ? "-home" : "-away")};
}

// What the events of a load say, counted as they come.
struct Verdicts {
  std::map<uint64_t, int64_t> opens;  // by process
  int64_t execs = 0;
  std::string wrong;  // the first event whose rules are not those of NamesFor

  // For LiveSensor::Take.
  bool Take(const Seen& seen) {
    const std::vector<std::string> names = seen.List(kAlertRules);
    const bool is_open = seen.cls() == EventClass::kFileOpen;
    if (is_open || !names.empty()) {
      const bool right = std::set<std::string>(names.begin(), names.end()) == NamesFor(seen);
      if (!right && wrong.empty()) wrong = seen.Describe();
      ++(is_open ? opens[seen.pid()] : execs);
      return true;
    }
    if (seen.cls() != EventClass::kProcessExit) return seen.cls() == EventClass::kProcessFork;
    return seen.Number(kParentPid) != static_cast<uint64_t>(getpid());
  }
};

// Two rule sets take turns while programs are executed one after the other and processes change
// their credentials, move between cgroups and namespaces, and open one file all the time. Each open
// and each exec must be judged by one of the two sets, whole.
TEST_F(RulesTest, ReloadsUnderLoadLeaveNoOpenUnjudgedAndNoneJudgedByAMixture) {
  const std::string folder = NewFolder();
  const std::string file = folder + "/file";
  Touch(file);
  chmod(file.c_str(), 0666);
  chmod(folder.c_str(), 0755);
  const std::string container = "/sys/fs/cgroup/docker/" + std::string(64, 'd');
  mkdir("/sys/fs/cgroup/docker", 0755);
  ASSERT_EQ(mkdir(container.c_str(), 0755), 0);
  Load(PairsOfRules("even", file));
  const bool full = std::getenv("KENTRY_FULL") != nullptr;
  const int reloads = !full ? 16 : KernelVersion() == "6.1" ? 1000 : 200;
  Verdicts verdicts;
  sensor().Take([&](const Seen& seen) { return verdicts.Take(seen); });
  Disturbances disturb(file);
  Child plain([&] { return disturb.Plain(); });
  Child creds([&] { return disturb.Credentials(); });
  Child spaces([&] { return disturb.Namespaces(); });
  Child mover([&] { return disturb.Cgroups(container); });
  Child execs([&] { return disturb.Execs(); });
  for (int i = 1; i <= reloads; ++i) {
    LoadRules(sensor(), PairsOfRules(i % 2 == 0 ? "even" : "odd", file));
    Child child([&]() -> int { Exec({}); });
    EXPECT_TRUE(child.Execed());
    child.Finish();
    if (i % 20 == 0) std::printf("%d reloads\n", i);  // a machine that says nothing counts as hung
  }
  // By process; 0 = of the programs that were executed.
  std::map<uint64_t, int64_t> opened;
  for (Child* child : {&plain, &creds, &spaces, &mover, &execs}) {
    child->Release();
    opened[child == &execs ? 0 : static_cast<uint64_t>(child->pid())] = child->Next().value_or(-1);
    EXPECT_EQ(child->Wait(), 0);
  }
  sensor().Settle();
  sensor().Take({});
  EXPECT_TRUE(verdicts.wrong.empty()) << verdicts.wrong;
  std::map<uint64_t, int64_t> judged;
  for (const auto& [pid, count] : verdicts.opens) judged[opened.contains(pid) ? pid : 0] += count;
  for (int tries = 0; rmdir(container.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
  if (sensor().Skipped() != 0) GTEST_SKIP() << "the kernel skipped hooks: nothing to count";
  EXPECT_EQ(judged, opened);
  EXPECT_EQ(verdicts.execs, opened[0] + reloads);
  for (const auto& [pid, count] : opened) EXPECT_GT(count, reloads / 4) << pid;
  if (!HasFailure()) return;
  for (const Seen& loss :
       sensor().Events([](const Seen& s) { return s.cls() == EventClass::kSensorLoss; })) {
    std::printf("lost: %s\n", loss.Describe().c_str());
  }
}

// The pipeline is busy with five reloads while the records of what happened before wait for it.
TEST_F(RulesTest, WhatASetNoLongerKeptJudgedIsCountedAndNotLost) {
  const std::string folder = NewFolder();
  Touch(folder + "/file");
  const auto rules = [&](int set) {
    return fmt::format(
        "rule_set: s{0}\nrules:\n"
        "  - {{name: open{0}, on: file.open, when: 'file.path == \"{1}/file\"'}}\n"
        "  - {{name: other{0}, on: file.open, when: 'file.path == \"{1}/other\"'}}\n"
        "  - {{name: exec{0}, on: process.exec, when: 'process.binary == \"/fixtures/hold\"'}}\n",
        set, folder);
  };
  Load(rules(0));
  std::vector<std::unique_ptr<RuleEngine>> engines;
  for (int set = 1; set <= 5; ++set) engines.push_back(MakeEngine(rules(set)));
  uint64_t pid = 0;
  ASSERT_TRUE(sensor().pipeline().Ask([&] {
    Child child([&]() -> int {
      if (OpenAndClose(folder + "/file") != 0) return 1;
      Exec({});
    });
    EXPECT_TRUE(child.Execed());
    pid = static_cast<uint64_t>(child.pid());
    EXPECT_EQ(child.Finish(), 0);
    for (std::unique_ptr<RuleEngine>& engine : engines) {
      ASSERT_NE(engine, nullptr);
      EXPECT_TRUE(sensor().pipeline().LoadRules(std::move(engine)).ok());
    }
  }));
  sensor().Settle();
  if (sensor().Skipped() != 0) GTEST_SKIP() << "the kernel skipped hooks: nothing to count";
  const auto of_child = [&](EventClass cls) {
    return sensor().Events([&](const Seen& s) { return s.cls() == cls && s.pid() == pid; });
  };
  const std::vector<Seen> opens = of_child(EventClass::kFileOpen);
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].List(kAlertRules), (std::vector<std::string>{"open5"}));
  EXPECT_TRUE(opens[0].List(kAlertUncertain).empty());
  const std::vector<Seen> execs = of_child(EventClass::kProcessExec);
  ASSERT_EQ(execs.size(), 1u);
  EXPECT_FALSE(execs[0].Has(kAlertRules));
  uint64_t outdated = 0;
  sensor().pipeline().Ask([&] { outdated = sensor().pipeline().stats().outdated; });
  EXPECT_GE(outdated, 2u);
}

TEST_F(RulesTest, RacingRenamesAndMountsNeverMakeAnotherFileTheNamedOne) {
  const std::string folder = NewFolder();
  for (const char* name : {"/a", "/b"}) {
    mkdir((folder + name).c_str(), 0755);
    Touch(folder + name + "/file");
  }
  Load(fmt::format(
      "rules:\n  - {{name: watch, on: file.open, when: 'file.path == \"{}/a/file\"'}}\n", folder));
  struct stat a {};
  stat((folder + "/a/file").c_str(), &a);
  // One child swaps the directories and covers one with a mount; another opens both names.
  Child swap([&]() -> int {
    Must(unshare(CLONE_NEWNS), "unshare");
    Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (char byte; read(0, &byte, 1) < 0;) {
      Must(renameat2(AT_FDCWD, (folder + "/a").c_str(), AT_FDCWD, (folder + "/b").c_str(),
                     RENAME_EXCHANGE),
           "exchange");
      Must(mount("none", (folder + "/b").c_str(), "tmpfs", 0, nullptr), "mount");
      Must(umount(((folder + "/b").c_str())), "umount");
    }
    return 0;
  });
  Child opener([&]() -> int {
    for (int i = 0; i < 3000; ++i) {
      (void)OpenAndClose(folder + "/a/file");
      (void)OpenAndClose(folder + "/b/file");
    }
    return 0;
  });
  EXPECT_EQ(opener.Finish(), 0);
  swap.Finish();
  const std::vector<Seen> alerts = Alerts("watch");
  EXPECT_FALSE(alerts.empty());
  for (const Seen& alert : alerts) {
    // Certain alerts say the named path, or that this inode is known by it.
    const std::vector<std::string> aliases = alert.List(kFileAliases);
    const bool named =
        alert.Text(kFilePath) == folder + "/a/file" ||
        std::find(aliases.begin(), aliases.end(), folder + "/a/file") != aliases.end();
    EXPECT_TRUE(named || !alert.List(kAlertUncertain).empty()) << alert.Describe();
  }
}

}  // namespace
}  // namespace kentry::vm
