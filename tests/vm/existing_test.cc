// SPDX-License-Identifier: Apache-2.0
// process.existing: who was there before the sensor, without a moment in which one is missed or
// told twice.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using ExistingTest = OwnSensorTest;
using Key = std::pair<uint64_t, uint64_t>;  // pid and start time

constexpr uint64_t kTickNs = 10'000'000;

bool IsBirth(const Seen& seen) {
  return seen.cls() == EventClass::kProcessFork || seen.cls() == EventClass::kProcessExisting;
}

bool IsExit(const Seen& seen) { return seen.cls() == EventClass::kProcessExit; }

Key KeyOf(const Seen& seen) { return {seen.pid(), seen.Number(kProcessStart)}; }

// How often each process was told of.
std::map<Key, int> Births(const LiveSensor& sensor) {
  std::map<Key, int> births;
  for (const Seen& seen : sensor.Events(IsBirth)) ++births[KeyOf(seen)];
  return births;
}

// Living processes: pid and start in hundredths of a second.
std::set<Key> Living() {
  std::set<Key> living;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const ProcFacts facts = ProcFacts::Of(std::stoi(name));
    const bool gone = facts.start_ticks == 0 && facts.name.empty();
    if (!gone && ReadFile("/proc/" + name + "/stat").find(") Z ") == std::string::npos) {
      living.insert({facts.pid, facts.start_ticks});
    }
  }
  return living;
}

// Processes that the sensor takes for living ones, in the same units.
std::set<Key> BelievedLiving(LiveSensor& sensor) {
  std::set<Key> living;
  sensor.pipeline().Ask([&] {
    sensor.pipeline().processes().ForEach([&](const Process& process) {
      if (process.exited_ns == 0) {
        living.insert({process.image.tgid, process.image.start_ns / kTickNs});
      }
    });
  });
  return living;
}

// One sensor that starts when there are three programs, a process with a thread, and a zombie.
class OlderTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    LiveSensor::StopShared();
    for (int i = 0; i < 3; ++i) {
      older_.push_back(std::make_unique<Child>([i]() -> int {
        Must(chdir("/tmp"), "chdir");
        Exec({.args = {"hold", fmt::format("number {}", i), ""}});
      }));
      ASSERT_TRUE(older_.back()->Execed());
      while (ProcFacts::Of(older_.back()->pid()).cmdline.empty()) usleep(1000);
    }
    threaded_ = std::make_unique<Child>([] {
      std::thread([] {
        Tell(gettid());
        pause();
      }).join();
      return 0;
    });
    tid_ = static_cast<uint64_t>(threaded_->Next().value_or(0));
    zombie_ = std::make_unique<Child>([] { return 0; });
    const std::string stat = fmt::format("/proc/{}/stat", zombie_->pid());
    while (ReadFile(stat).find(") Z ") == std::string::npos) usleep(1000);
    sensor_ = LiveSensor::Start();
    ASSERT_NE(sensor_, nullptr);
    sensor_->Go();
  }
  static void TearDownTestSuite() {
    older_.clear();
    threaded_.reset();
    zombie_.reset();
    sensor_.reset();
  }
  void SetUp() override { ASSERT_NE(sensor_, nullptr); }

  static inline std::vector<std::unique_ptr<Child>> older_;
  static inline std::unique_ptr<Child> threaded_;
  static inline std::unique_ptr<Child> zombie_;
  static inline std::unique_ptr<LiveSensor> sensor_;
  static inline uint64_t tid_ = 0;
};

TEST_F(OlderTest, ProcessesAreToldOnceWithAllThatProcSays) {
  for (size_t i = 0; i < older_.size(); ++i) {
    const auto pid = static_cast<uint64_t>(older_[i]->pid());
    const std::optional<Seen> existing = sensor_->WaitFor(EventClass::kProcessExisting, pid);
    ASSERT_TRUE(existing);
    ExpectSameProcess(*existing, ProcFacts::Of(older_[i]->pid()));
    EXPECT_EQ(existing->Text(kProcessBinary), kHold);
    EXPECT_EQ(existing->Text(kProcessCwd), "/tmp");
    EXPECT_EQ(existing->List(kProcessArgs),
              (std::vector<std::string>{"hold", fmt::format("number {}", i), ""}));
    EXPECT_EQ(existing->Text(kParentBinary), ProcFacts::Of(getpid()).exe);
    EXPECT_EQ(older_[i]->Finish(), 0);
    const std::optional<Seen> exit = sensor_->WaitFor(EventClass::kProcessExit, pid);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->Number(kProcessStart), existing->Number(kProcessStart));
    EXPECT_FALSE(exit->Is(kProcessUnknown));
    EXPECT_EQ(sensor_->EventsOf(pid).size(), 2u);
  }
}

TEST_F(OlderTest, KernelThreadsAreMarked) {
  const std::optional<Seen> kthreadd = sensor_->WaitFor(EventClass::kProcessExisting, 2);
  ASSERT_TRUE(kthreadd);
  EXPECT_TRUE(kthreadd->Is(kProcessKernelThread));
  EXPECT_EQ(kthreadd->Text(kProcessName), "kthreadd");
  const std::optional<Seen> init = sensor_->WaitFor(EventClass::kProcessExisting, 1);
  ASSERT_TRUE(init);
  EXPECT_FALSE(init->Is(kProcessKernelThread));
}

TEST_F(OlderTest, ThreadsAreNotTold) {
  ASSERT_NE(tid_, 0u);
  const auto pid = static_cast<uint64_t>(threaded_->pid());
  EXPECT_TRUE(sensor_->WaitFor(EventClass::kProcessExisting, pid));
  sensor_->Settle();
  EXPECT_TRUE(sensor_->EventsOf(tid_).empty());
}

TEST_F(OlderTest, ZombieIsNotTakenForAlive) {
  const auto pid = static_cast<uint64_t>(zombie_->pid());
  sensor_->Settle();
  for (const Key& key : BelievedLiving(*sensor_)) EXPECT_NE(key.first, pid);
  EXPECT_EQ(sensor_->CountOf(EventClass::kProcessExit, pid), 0u) << "it ended before the sensor";
}

volatile sig_atomic_t storm_over = 0;

// A process that forks as fast as it can, from threads too, until SIGUSR1: most children end at
// once, some live for a while, a few until the end of this one.
int Storm() {
  signal(SIGUSR1, [](int) { storm_over = 1; });
  std::deque<pid_t> kept;
  for (int i = 0; storm_over == 0; ++i) {
    const bool keep = i % 8 == 0;
    pid_t pid = 0;
    const auto make = [keep, &pid] {
      pid = fork();
      if (pid != 0) return;
      if (keep) {
        signal(SIGUSR1, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
      }
      _exit(0);
    };
    // The death signal of a thread's child comes with the thread's end: those are not kept.
    if (i % 4 == 1) {
      std::thread(make).join();
    } else {
      make();
    }
    if (!keep) waitpid(pid, nullptr, 0);
    if (keep) kept.push_back(pid);
    if (kept.size() > 12) {
      kill(kept.front(), SIGKILL);
      waitpid(kept.front(), nullptr, 0);
      kept.pop_front();
    }
  }
  Tell(1);
  pause();
  return 0;
}

TEST_F(ExistingTest, StormOfForksDuringTheStartMissesAndDoublesNone) {
  const int rounds = Count(1, 10);
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::unique_ptr<Child>> stormers;
    for (int i = 0; i < 4; ++i) stormers.push_back(std::make_unique<Child>(Storm));
    const std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
    ASSERT_NE(sensor, nullptr);
    sensor->Go();
    usleep(300'000);
    for (const auto& stormer : stormers) kill(stormer->pid(), SIGUSR1);
    for (const auto& stormer : stormers) ASSERT_TRUE(stormer->Next());
    sensor->Settle();
    size_t forks = 0;
    for (const auto& [key, count] : Births(*sensor)) {
      EXPECT_EQ(count, 1) << "pid " << key.first << " was told of that often";
      ++forks;
    }
    EXPECT_GT(forks, 50u) << "that was no storm";
    const std::set<Key> living = Living();
    const std::set<Key> believed = BelievedLiving(*sensor);
    if (const uint64_t skipped = sensor->Skipped(); skipped != 0) {
      GTEST_SKIP() << "the kernel skipped " << skipped << " hooks; none was told twice";
    }
    std::set<Key> told;
    for (const auto& [key, count] : Births(*sensor)) told.insert({key.first, key.second / kTickNs});
    for (const Key& key : living) {
      EXPECT_TRUE(told.contains(key)) << "pid " << key.first << " was never told of";
      EXPECT_TRUE(believed.contains(key)) << "pid " << key.first << " is not in the table";
    }
    // Kernel workers come and go between the two looks: only what forked here counts.
    for (const Key& key : believed) {
      EXPECT_TRUE(living.contains(key) || kill(static_cast<pid_t>(key.first), 0) == 0)
          << "pid " << key.first << " is dead and in the table as alive";
    }
    EXPECT_EQ(sensor->pipeline().stats().lost, 0u);
  }
}

constexpr int kForks = 700;

// Makes `count` processes that end at once, one after the other.
bool MakeShortLived(int count) {
  while (count-- > 0) {
    const pid_t pid = vfork();
    if (pid == 0) _exit(0);
    if (pid < 0 || waitpid(pid, nullptr, 0) != pid) return false;
  }
  return true;
}

// Small enough for the pids to come round several times.
constexpr char kPidMax[] = "/proc/sys/kernel/pid_max";

TEST_F(ExistingTest, ReusedPidsAreOtherProcesses) {
  const std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
  ASSERT_NE(sensor, nullptr);
  sensor->Go();
  const std::string before = ReadFile(kPidMax);
  WriteFile(kPidMax, "400");
  std::vector<std::unique_ptr<Child>> makers;
  for (int i = 0; i < 2; ++i) {
    makers.push_back(std::make_unique<Child>([] {
      if (!MakeShortLived(kForks)) return 1;
      Tell(1);
      pause();
      return 0;
    }));
  }
  for (const auto& maker : makers) ASSERT_TRUE(maker->Next());
  sensor->Settle();
  WriteFile(kPidMax, before);
  for (const auto& [key, count] : Births(*sensor)) EXPECT_EQ(count, 1) << "pid " << key.first;
  if (const uint64_t skipped = sensor->Skipped(); skipped != 0) {
    GTEST_SKIP() << "the kernel skipped " << skipped << " hooks; no identity came twice";
  }
  std::map<Key, int> exits;
  for (const Seen& exit : sensor->Events(IsExit)) ++exits[KeyOf(exit)];
  for (const auto& maker : makers) {
    const ProcFacts facts = ProcFacts::Of(maker->pid());
    std::set<uint64_t> pids;
    std::set<Key> keys;
    const auto children = sensor->Events([&](const Seen& seen) {
      return seen.cls() == EventClass::kProcessFork && seen.Number(kParentPid) == facts.pid &&
             seen.Number(kParentStart) / kTickNs == facts.start_ticks;
    });
    EXPECT_EQ(children.size(), static_cast<size_t>(kForks));
    for (const Seen& fork : children) {
      pids.insert(fork.pid());
      EXPECT_TRUE(keys.insert(KeyOf(fork)).second) << "two processes with one identity";
      EXPECT_EQ(exits[KeyOf(fork)], 1) << "exits of pid " << fork.pid();
    }
    EXPECT_LT(pids.size(), static_cast<size_t>(kForks)) << "no pid came back";
  }
  const auto is_loss = [](const Seen& seen) { return seen.cls() == EventClass::kSensorLoss; };
  for (const Seen& loss : sensor->Events(is_loss)) ADD_FAILURE() << "lost: " << loss.Describe();
}

}  // namespace
}  // namespace kentry::vm
