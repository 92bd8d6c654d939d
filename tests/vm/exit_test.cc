// SPDX-License-Identifier: Apache-2.0
// process.exit: each way to die, once, with the status that the parent gets.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "fmt/format.h"
#include "sensor/util/clock.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

// Ends the calling thread alone.
[[noreturn]] void EndThread(int code) {
  syscall(SYS_exit, code);
  __builtin_unreachable();
}

class ExitTest : public SensorTest {
 protected:
  // Runs `action` to its end, compares the event with the wait status and returns it.
  Seen Die(const std::function<int()>& action, int* status_out = nullptr) {
    Child child(action);
    const auto pid = static_cast<uint64_t>(child.pid());
    const int status = child.Finish();
    const Seen exit = ExitOf(pid);
    if (WIFEXITED(status)) {
      EXPECT_TRUE(exit.Has(kExitCode));
      EXPECT_EQ(exit.Number(kExitCode), static_cast<uint64_t>(WEXITSTATUS(status)));
      EXPECT_FALSE(exit.Has(kExitSignal));
    } else {
      EXPECT_FALSE(exit.Has(kExitCode));
      EXPECT_EQ(exit.Number(kExitSignal), static_cast<uint64_t>(WTERMSIG(status)));
      EXPECT_EQ(exit.Is(kExitCoreDump), WCOREDUMP(status) != 0);
    }
    EXPECT_EQ(exit.Number(kProcessStart), ForkOf(pid).Number(kProcessStart));
    EXPECT_EQ(exit.Number(kParentPid), static_cast<uint64_t>(getpid()));
    EXPECT_FALSE(exit.Is(kProcessUnknown));
    sensor().Settle();
    EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, pid), 1u);
    if (status_out != nullptr) *status_out = status;
    return exit;
  }
};

TEST_F(ExitTest, Codes) {
  for (const int code : {0, 1, 2, 42, 126, 127, 128, 137, 255}) {
    const Seen exit = Die([code] { return code; });
    EXPECT_EQ(exit.Number(kExitCode), static_cast<uint64_t>(code));
    EXPECT_EQ(exit.Number(kExitLastTid), exit.pid());
    EXPECT_EQ(exit.Number(kExitLeaderAt), 0u);
    EXPECT_GT(exit.Number(kExitRuntime), 0u);
  }
}

TEST_F(ExitTest, Signals) {
  for (const int signal : {SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGXCPU, SIGRTMIN}) {
    const Seen exit = Die([signal] { return raise(signal); });
    EXPECT_EQ(exit.Number(kExitSignal), static_cast<uint64_t>(signal));
    EXPECT_FALSE(exit.Is(kExitCoreDump));
    if (signal == SIGKILL) {
      EXPECT_EQ(exit.Text(kExitSignalName), "SIGKILL");
    }
  }
}

TEST_F(ExitTest, SegmentationFaultWithAndWithoutCore) {
  const std::string before = ReadFile("/proc/sys/kernel/core_pattern");
  const std::string core = NewFolder() + "/core";
  WriteFile("/proc/sys/kernel/core_pattern", core);
  for (const rlim_t size : {rlim_t{0}, RLIM_INFINITY}) {
    const Seen exit = Die([size] {
      const rlimit limit{size, RLIM_INFINITY};
      Must(setrlimit(RLIMIT_CORE, &limit), "setrlimit");
      raise(SIGSEGV);
      return 0;
    });
    EXPECT_EQ(exit.Number(kExitSignal), static_cast<uint64_t>(SIGSEGV));
    EXPECT_EQ(exit.Is(kExitCoreDump), size != 0);
  }
  EXPECT_EQ(access((core).c_str(), F_OK), 0);
  unlink(core.c_str());
  WriteFile("/proc/sys/kernel/core_pattern", before);
}

TEST_F(ExitTest, LastThreadIsNotTheLeader) {
  const uint64_t before = BootNowNs();
  Child child([]() -> int {
    std::thread([] {
      Tell(gettid());
      char byte;
      while (read(STDIN_FILENO, &byte, 1) > 0) {
      }
      EndThread(5);
    }).detach();
    Tell(0);
    EndThread(3);
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  int64_t tid = 0;
  for (int i = 0; i < 2; ++i) {
    const std::optional<int64_t> number = child.Next();
    ASSERT_TRUE(number);
    tid += *number;
  }
  while (ReadFile(fmt::format("/proc/{}/stat", pid)).find(") Z ") == std::string::npos) {
    usleep(1000);  // until the leader is dead
  }
  sensor().Settle();
  EXPECT_EQ(sensor().CountOf(EventClass::kProcessExit, pid), 0u) << "the leader's end is none yet";
  const int status = child.Finish();
  const Seen exit = ExitOf(pid);
  // Which of the two codes is the process's depends on the kernel (the leader's before 5.17).
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(exit.Number(kExitCode), static_cast<uint64_t>(WEXITSTATUS(status)));
  EXPECT_EQ(exit.Number(kExitLastTid), static_cast<uint64_t>(tid));
  EXPECT_GE(exit.Number(kExitLeaderAt), before);
  EXPECT_LT(exit.Number(kExitLeaderAt), exit.view().header().boot_ns);
}

TEST_F(ExitTest, ExitGroupFromAnotherThread) {
  const Seen exit = Die([] {
    std::thread([] { _exit(9); }).join();
    return 1;
  });
  EXPECT_EQ(exit.Number(kExitCode), 9u);
}

TEST_F(ExitTest, LeaderLeavesAndAnotherThreadEndsAll) {
  const Seen exit = Die([]() -> int {
    std::thread([] {
      usleep(20'000);
      _exit(11);
    }).detach();
    EndThread(3);
  });
  EXPECT_EQ(exit.Number(kExitCode), 11u);
}

TEST_F(ExitTest, KillOfManyThreads) {
  const Seen exit = Die([] {
    for (int i = 0; i < 6; ++i) std::thread([] { pause(); }).detach();
    return kill(getpid(), SIGKILL);
  });
  EXPECT_EQ(exit.Number(kExitSignal), static_cast<uint64_t>(SIGKILL));
}

TEST_F(ExitTest, TwoThreadsEndingAtOnceAreOneExit) {
  std::vector<uint64_t> pids;
  const int tries = Count(200, 2000);
  for (int i = 0; i < tries; ++i) {
    Child child([]() -> int {
      std::atomic<int> waiting{2};
      std::thread other([&waiting] {
        --waiting;
        while (waiting != 0) {
        }
        EndThread(0);
      });
      --waiting;
      while (waiting != 0) {
      }
      EndThread(0);
    });
    pids.push_back(static_cast<uint64_t>(child.pid()));
    EXPECT_EQ(child.Finish(), 0);
  }
  sensor().Settle();
  size_t exits = 0;
  for (const uint64_t pid : pids) {
    const size_t count = sensor().CountOf(EventClass::kProcessExit, pid);
    EXPECT_LE(count, 1u) << pid;
    exits += count;
  }
  if (const uint64_t skipped = Skipped(); skipped != 0) {
    GTEST_SKIP() << "the kernel skipped " << skipped << " hooks; none was told twice";
  }
  EXPECT_EQ(exits, pids.size());
}

uint64_t Nanoseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_usec) * 1000;
}

void Burn(uint64_t cpu_ns) {
  const uint64_t end = NowNs(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;
  while (NowNs(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (int i = 0; i < 20'000; ++i) asm volatile("");
  }
}

TEST_F(ExitTest, CpuTimeOfAllThreads) {
  // The runtime sums are as old as the last tick, and an emulated CPU can stand still for longer:
  // one try of six has to be as exact as on a real one.
  constexpr uint64_t kTicks = 3 * 4 * kMillisecond;
  uint64_t shortfall = UINT64_MAX;
  for (int i = 0; i < 6 && shortfall > kTicks; ++i) {
    Child child([] {
      std::thread([] { Burn(100 * kMillisecond); }).join();
      std::thread([] { Burn(100 * kMillisecond); }).join();
      Burn(100 * kMillisecond);
      return 0;
    });
    const auto pid = static_cast<uint64_t>(child.pid());
    rusage usage{};
    EXPECT_EQ(child.Wait(&usage), 0);
    const uint64_t used = Nanoseconds(usage.ru_utime) + Nanoseconds(usage.ru_stime);
    const Seen exit = ExitOf(pid);
    const uint64_t seen = exit.Number(kExitCpu);
    EXPECT_GE(used, 300 * kMillisecond);
    EXPECT_LE(seen, used + 2 * 1000) << "the wait status has whole microseconds";
    shortfall = used > seen ? used - seen : 0;
    EXPECT_GT(exit.Number(kExitUser), exit.Number(kExitSystem)) << "it computed";
  }
  EXPECT_LE(shortfall, kTicks);
}

TEST_F(ExitTest, LargestResidentSet) {
  constexpr size_t kBytes = 40u << 20;
  Child child([] {
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(memory, 1, kBytes);
    munmap(memory, kBytes);
    return 0;
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  rusage usage{};
  EXPECT_EQ(child.Wait(&usage), 0);
  const uint64_t seen = ExitOf(pid).Number(kExitMaxRss);
  EXPECT_GE(seen, kBytes / 1024);
  EXPECT_EQ(seen, static_cast<uint64_t>(usage.ru_maxrss));
}

TEST_F(ExitTest, ProgramThatRanIsNamed) {
  Child child([]() -> int { Exec({.args = {"hold", "named"}}); });
  const auto pid = static_cast<uint64_t>(child.pid());
  ASSERT_TRUE(child.Execed());
  EXPECT_EQ(child.Finish(), 0);
  const Seen exit = ExitOf(pid);
  EXPECT_EQ(exit.Text(kProcessBinary), kHold);
  EXPECT_EQ(exit.Number(kCgroupId), ExecOf(pid).Number(kCgroupId));
}

}  // namespace
}  // namespace kentry::vm
