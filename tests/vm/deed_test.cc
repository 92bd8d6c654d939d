// SPDX-License-Identifier: Apache-2.0
// What one process does to another: what a rule denies doesn't happen, by no way; what it only
// watches happens; and the events say of both processes what is true.
#include <fcntl.h>
#include <linux/capability.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr uid_t kVictimUid = 7;
constexpr char kGroup[] =
    "/sys/fs/cgroup/docker/7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e7d3e";

// What the target of deeds shares with the test.
struct Shared {
  volatile uint64_t word = 0;        // to be read and written from outside
  volatile sig_atomic_t caught = 0;  // the last signal that it got
};
Shared* shared = nullptr;

// A process that waits for its end, with a thread beside its first.
class Target {
 public:
  explicit Target(uid_t uid) : child_([uid] { return Wait(uid); }) {
    thread_ = static_cast<pid_t>(child_.Next().value_or(0));
    shared->word = 0x1234;
    shared->caught = 0;
  }
  pid_t pid() const { return child_.pid(); }
  pid_t thread() const { return thread_; }
  bool alive() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }

 private:
  static int Wait(uid_t uid) {
    for (const int signal : {SIGTERM, SIGUSR1, SIGCONT}) {
      std::signal(signal, [](int number) { shared->caught = number; });
    }
    Must(setpgid(0, 0), "setpgid");
    static std::atomic<pid_t> thread = 0;
    std::thread beside([] {
      thread = gettid();
      for (;;) pause();
    });
    while (thread == 0) usleep(1000);
    Must(setresuid(uid, uid, uid), "setresuid");
    Tell(thread);
    char end = 0;
    while (read(STDIN_FILENO, &end, 1) < 0 && errno == EINTR) continue;
    _exit(0);
  }

  Child child_;
  pid_t thread_ = 0;
};

int Result(int64_t result) { return result >= 0 ? 0 : errno; }

int Attached(int64_t result, pid_t to) {
  if (result < 0) return errno;
  int status = 0;
  waitpid(to, &status, __WALL);
  return WIFSTOPPED(status) ? 0 : -1;
}

int OpenProc(const Target& t, const char* file, int flags) {
  const std::string path = fmt::format("/proc/{}/{}", t.pid(), file);
  const Fd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) return errno;
  // From 6.x on some files ask when they are read.
  char byte = 0;
  return (flags & O_ACCMODE) == O_RDONLY && std::string_view(file) != "mem"
             ? Result(read(fd.get(), &byte, 1))
             : 0;
}

// By a process that may not watch the whole system: newer kernels let one with CAP_PERFMON read
// about memory whatever the security modules say.
int LookInto(const Target& t, const char* file) {
  struct {
    uint32_t version = 0x20080522;  // _LINUX_CAPABILITY_VERSION_3
    int pid = 0;
  } header;
  uint32_t sets[6] = {};
  Must(syscall(SYS_capget, &header, sets), "capget");
  sets[0] &= ~(1u << CAP_SYS_ADMIN);
  sets[3] &= ~(1u << (CAP_PERFMON - 32));
  Must(syscall(SYS_capset, &header, sets), "capset");
  return OpenProc(t, file, O_RDONLY);
}

int ReadMemory(const Target& t) {
  uint64_t word = 0;
  const iovec mine{&word, sizeof(word)};
  const iovec theirs{const_cast<uint64_t*>(&shared->word), sizeof(word)};
  const int result = Result(process_vm_readv(t.pid(), &mine, 1, &theirs, 1, 0));
  return (result == 0) == (word == 0x1234) ? result : -1;
}

int WriteMemory(const Target& t) {
  uint64_t word = 0x4321;
  const iovec mine{&word, sizeof(word)};
  const iovec theirs{const_cast<uint64_t*>(&shared->word), sizeof(word)};
  return Result(process_vm_writev(t.pid(), &mine, 1, &theirs, 1, 0));
}

int QueueSignal(const Target& t) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return Result(syscall(SYS_rt_sigqueueinfo, t.pid(), SIGUSR1, &info));
}

int SignalByPidfd(const Target& t) {
  const Fd fd(static_cast<int>(syscall(SYS_pidfd_open, t.pid(), 0)));
  return Result(syscall(SYS_pidfd_send_signal, fd.get(), SIGTERM, nullptr, 0));
}

// A file of the target's through its pidfd.
int TakeFile(const Target& t) {
  const Fd fd(static_cast<int>(syscall(SYS_pidfd_open, t.pid(), 0)));
  return Result(syscall(SYS_pidfd_getfd, fd.get(), STDIN_FILENO, 0));
}

#if defined(__x86_64__)
// A 32-bit call, which programs of either kind may make.
int Call32(int64_t number, int64_t first, int64_t second) {
  int64_t result = number;
  asm volatile("int $0x80" : "+a"(result) : "b"(first), "c"(second), "d"(0), "S"(0) : "memory");
  return result < 0 ? static_cast<int>(-result) : 0;
}
#endif

// One way to do something to a target, in a child.
struct Deed {
  const char* name;
  const char* rule;
  int refused;  // what the call gives when it is denied
  int (*run)(const Target&);
  bool (*done)(const Target&);
  uint64_t number;  // ptrace.mode or signal.number
};

using T = Target;
bool Written(const T&) { return shared->word != 0x1234; }
bool Caught(const T&) {
  for (int tries = 0; shared->caught == 0 && tries < 200; ++tries) usleep(1000);
  return shared->caught != 0;
}

const Deed kDeeds[] = {
    {"PTRACE_ATTACH", "attach", EPERM,
     [](const T& t) { return Attached(ptrace(PTRACE_ATTACH, t.pid(), 0, 0), t.pid()); }, nullptr,
     0x12},
    {"PTRACE_ATTACH of a thread", "attach", EPERM,
     [](const T& t) { return Attached(ptrace(PTRACE_ATTACH, t.thread(), 0, 0), t.thread()); },
     nullptr, 0x12},
    {"PTRACE_SEIZE", "attach", EPERM,
     [](const T& t) { return Result(ptrace(PTRACE_SEIZE, t.pid(), 0, 0)); }, nullptr, 0x12},
    {"process_vm_readv", "attach", EPERM, ReadMemory, nullptr, 0x12},
    {"process_vm_writev", "attach", EPERM, WriteMemory, Written, 0x12},
    {"/proc/PID/mem", "attach", EACCES, [](const T& t) { return OpenProc(t, "mem", O_RDWR); },
     nullptr, 0xa},
    {"pidfd_getfd", "attach", EPERM, TakeFile, nullptr, 0x12},
    {"/proc/PID/environ", "look", EACCES, [](const T& t) { return LookInto(t, "environ"); },
     nullptr, 0x9},
    {"/proc/PID/maps", "look", EACCES, [](const T& t) { return LookInto(t, "maps"); }, nullptr,
     0x9},
    {"/proc/PID/exe", "look", EACCES,
     [](const T& t) {
       char name[256];
       return Result(readlink(fmt::format("/proc/{}/exe", t.pid()).c_str(), name, sizeof(name)));
     },
     nullptr, 0x9},
    {"SIGTERM", "signal", EPERM, [](const T& t) { return Result(kill(t.pid(), SIGTERM)); }, Caught,
     SIGTERM},
    {"tgkill", "signal", EPERM,
     [](const T& t) { return Result(syscall(SYS_tgkill, t.pid(), t.thread(), SIGUSR1)); }, Caught,
     SIGUSR1},
    {"tkill", "signal", EPERM,
     [](const T& t) { return Result(syscall(SYS_tkill, t.thread(), SIGUSR1)); }, Caught, SIGUSR1},
    {"rt_sigqueueinfo", "signal", EPERM, QueueSignal, Caught, SIGUSR1},
    {"pidfd_send_signal", "signal", EPERM, SignalByPidfd, Caught, SIGTERM},
    {"its group", "signal", EPERM, [](const T& t) { return Result(kill(-t.pid(), SIGTERM)); },
     Caught, SIGTERM},
    {"signal 0", "asked", EPERM, [](const T& t) { return Result(kill(t.pid(), 0)); }, nullptr, 0},
#if defined(__x86_64__)
    {"32-bit ptrace", "attach", EPERM,
     [](const T& t) {
       const int result = Call32(26, PTRACE_ATTACH, t.pid());
       return result != 0 ? result : Attached(0, t.pid());
     },
     nullptr, 0x12},
    {"32-bit kill", "signal", EPERM, [](const T& t) { return Call32(37, t.pid(), SIGUSR1); },
     Caught, SIGUSR1},
#endif
    {"SIGKILL", "signal", EPERM, [](const T& t) { return Result(kill(t.pid(), SIGKILL)); },
     [](const T& t) {
       for (int tries = 0; t.alive() && tries < 200; ++tries) usleep(1000);
       return !t.alive();
     },
     SIGKILL},
};

std::string RulesOf(std::string_view mode) {
  return fmt::format(
      "mode: {}\nrules:\n"
      "  - {{name: attach, on: process.ptrace, when: 'target.uid == 7 && ptrace.attach', then: "
      "deny, guard: off}}\n"
      "  - {{name: look, on: process.ptrace, when: 'target.uid == 7 && !ptrace.attach', then: "
      "deny, guard: off}}\n"
      "  - {{name: signal, on: process.signal, when: 'target.uid == 7 && signal.number > 0', then: "
      "deny, guard: off}}\n"
      "  - {{name: asked, on: process.signal, when: 'target.uid == 7 && signal.number == 0', then: "
      "deny, guard: off}}\n",
      mode);
}

class DeedTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    void* at =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(at, MAP_FAILED);
    shared = new (at) Shared;
  }
  void TearDown() override {
    munmap(shared, sizeof(Shared));
    RuleTest::TearDown();
  }

  // The alerts of the rule that this process's deeds caused.
  std::vector<Seen> AlertsBy(uint64_t pid, const std::string& rule) {
    std::vector<Seen> alerts = Alerts(rule);
    std::erase_if(alerts, [pid](const Seen& seen) { return seen.pid() != pid; });
    return alerts;
  }
  // What a child gets from `act`, and its pid.
  static std::pair<int, uint64_t> Try(const std::function<int()>& act) {
    Child child(act);
    const auto pid = static_cast<uint64_t>(child.pid());
    return {WEXITSTATUS(child.Finish()), pid};
  }

  static void ExpectSays(const Seen& seen, const Deed& deed, const Target& target) {
    const bool signal = seen.cls() == EventClass::kProcessSignal;
    EXPECT_EQ(seen.Number(signal ? kSignalNumber : kPtraceMode), deed.number) << seen.Describe();
    EXPECT_EQ(seen.Is(kPtraceAttach), std::string_view(deed.rule) == "attach");
    EXPECT_EQ(seen.Number(kTargetPid), static_cast<uint64_t>(target.pid()));
    EXPECT_EQ(seen.Number(kTargetUid), kVictimUid);
    EXPECT_TRUE(seen.Is(kTargetSameContainer));
    EXPECT_FALSE(seen.Is(kTargetChild));
    EXPECT_FALSE(seen.Is(kTargetSensor));
    EXPECT_EQ(seen.Number(kProcessTid), seen.pid());
    EXPECT_EQ(seen.Number(kProcessUid), 0u);
    EXPECT_TRUE(seen.List(kAlertUncertain).empty());
  }
};

TEST_F(DeedTest, WhatIsDeniedDoesNotHappenAndWhatIsWatchedDoes) {
  for (const bool deny : {true, false}) {
    Load(RulesOf(deny ? "enforce" : "monitor"));
    for (const Deed& deed : kDeeds) {
      SCOPED_TRACE(fmt::format("{}, {}", deed.name, deny ? "enforce" : "monitor"));
      const Target target(kVictimUid);
      const auto [result, pid] = Try([&] { return deed.run(target); });
      EXPECT_EQ(result, deny ? deed.refused : 0);
      EXPECT_TRUE(deed.done == nullptr || deed.done(target) != deny);
      const std::vector<Seen> alerts = AlertsBy(pid, deed.rule);
      ASSERT_GE(alerts.size(), 1u);
      for (const Seen& seen : alerts) {
        EXPECT_EQ(seen.Text(kAlertVerdict), deny ? "denied" : "would_deny") << seen.Describe();
        EXPECT_EQ(seen.Text(kAlertOutcome), deny ? "eperm" : "attempted");
        ExpectSays(seen, deed, target);
      }
      sensor().Clear();
      if (!deny) continue;
      const Target another(0);
      const auto [other, other_pid] = Try([&] { return deed.run(another); });
      EXPECT_EQ(other, 0);
      EXPECT_TRUE(deed.done == nullptr || deed.done(another));
      EXPECT_TRUE(AlertsBy(other_pid, deed.rule).empty());
    }
  }
}

TEST_F(DeedTest, TheEventSaysWhoTheTargetIs) {
  Load(
      "mode: enforce\nrules:\n"
      "  - {name: look, on: process.ptrace, when: 'target.uid == 7', then: deny}\n"
      "  - {name: thread, on: process.signal, when: 'target.uid == 7 && signal.number == "
      "SIGUSR1'}\n"
      "  - {name: sensor, on: process.signal, when: 'target.sensor', then: deny}\n"
      "  - {name: hands-off, on: process.ptrace, when: 'target.sensor', then: deny}\n"
      "  - {name: child, on: process.ptrace, when: 'target.is_child && process.uid == 9'}\n"
      "  - {name: traceme, on: process.ptrace, when: 'ptrace.traceme && process.uid == 8', then: "
      "deny}\n");
  const Target target(kVictimUid);
  const ProcFacts facts = ProcFacts::Of(target.pid());
  const auto look = [&] { return LookInto(target, "maps"); };

  const auto [looked, looker] = Try(look);
  EXPECT_EQ(looked, EACCES);
  const std::vector<Seen> looks = AlertsBy(looker, "look");
  ASSERT_GE(looks.size(), 1u);
  EXPECT_EQ(looks[0].Number(kTargetStart) / 10'000'000, facts.start_ticks);
  EXPECT_EQ(looks[0].Text(kTargetBinary), facts.exe);
  EXPECT_EQ(looks[0].Text(kTargetName), facts.name);
  EXPECT_EQ(looks[0].Text(kTargetContainer), "");

  const auto [thread, by_thread] =
      Try([&] { return Result(syscall(SYS_tkill, target.thread(), SIGUSR1)); });
  EXPECT_EQ(thread, 0);
  const std::vector<Seen> threads = AlertsBy(by_thread, "thread");
  ASSERT_EQ(threads.size(), 1u);
  EXPECT_EQ(threads[0].Number(kTargetTid), static_cast<uint64_t>(target.thread()));
  EXPECT_EQ(threads[0].Text(kSignalName), "SIGUSR1");

  // The test is the sensor.
  const pid_t sensor_pid = getpid();
  EXPECT_EQ(Try([&] { return Result(kill(sensor_pid, SIGKILL)); }).first, EPERM);
  EXPECT_EQ(Try([&] { return Result(ptrace(PTRACE_SEIZE, sensor_pid, 0, 0)); }).first, EPERM);
  EXPECT_EQ(kill(target.pid(), SIGUSR1), 0) << "what the sensor does is no event";
  ASSERT_EQ(Alerts("sensor").size(), 1u);
  EXPECT_TRUE(Alerts("sensor")[0].Is(kTargetSensor));
  EXPECT_EQ(Alerts("hands-off").size(), 1u);

  const auto [offered, _] = Try([] {
    return InClone(0, [] {
      Must(setresuid(8, 8, 8), "setresuid");
      return Result(ptrace(PTRACE_TRACEME, 0, 0, 0));
    });
  });
  EXPECT_EQ(offered, EPERM);
  const std::vector<Seen> offers = Alerts("traceme");
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_TRUE(offers[0].Is(kPtraceTraceme));
  EXPECT_TRUE(offers[0].Is(kPtraceAttach));
  EXPECT_EQ(offers[0].Number(kPtraceMode), 0u);
  EXPECT_EQ(offers[0].Number(kTargetPid), offers[0].Number(kParentPid));

  const auto [own, parent] = Try([] {
    Must(setresuid(9, 9, 9), "setresuid");
    Must(prctl(PR_SET_DUMPABLE, 1), "prctl");
    const pid_t child = fork();
    if (child == 0) {
      for (;;) pause();
    }
    const int result = Attached(ptrace(PTRACE_ATTACH, child, 0, 0), child);
    kill(child, SIGKILL);
    return result;
  });
  EXPECT_EQ(own, 0);
  EXPECT_EQ(AlertsBy(parent, "child").size(), 1u);
}

TEST_F(DeedTest, AcrossContainersAndToItself) {
  std::filesystem::create_directories(kGroup);
  Load(
      "mode: enforce\nrules:\n"
      "  - {name: outside, on: process.ptrace, when: 'process.in_container && "
      "!target.same_container', then: deny}\n"
      "  - {name: dies, on: process.ptrace, when: 'target.uid == 7 && process.in_container && "
      "target.same_container && !ptrace.attach', then: kill}\n"
      "  - {name: all, on: process.ptrace, when: 'process.uid == 11', then: deny}\n"
      "  - {name: all-signals, on: process.signal, when: 'process.uid == 11', then: deny}\n"
      "  - {name: no-signals, on: process.signal, when: 'target.uid == 12', then: deny}\n"
      "  - {name: group, on: process.signal, when: 'target.uid == 7 && signal.number == SIGCONT', "
      "then: deny}\n");
  sensor().Settle();  // the kernel has been told of the container
  const Target target(kVictimUid);
  const auto enter = [] { WriteFile(std::string(kGroup) + "/cgroup.procs", "0"); };
  const auto [across, by] = Try([&] {
    enter();
    Must(unshare(CLONE_NEWNS), "unshare");
    return ReadMemory(target);
  });
  EXPECT_EQ(across, EPERM);
  const std::vector<Seen> outside = AlertsBy(by, "outside");
  ASSERT_EQ(outside.size(), 1u);
  EXPECT_FALSE(outside[0].Is(kTargetSameContainer));
  EXPECT_EQ(outside[0].Text(kContainerId).substr(0, 8), "7d3e7d3e");
  EXPECT_EQ(outside[0].Text(kTargetContainer), "");

  Child killed([&] {
    enter();
    return OpenProc(target, "maps", O_RDONLY);
  });
  const int status = killed.Finish();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  ASSERT_GE(Alerts("dies").size(), 1u);
  EXPECT_EQ(Alerts("dies")[0].Text(kAlertVerdict), "killed");

  // A process's own threads, and what the kernel sends, concern no rule.
  const auto [own, self] = Try([] {
    int pipes[2];
    Must(pipe(pipes), "pipe");
    Must(close(pipes[0]), "close");
    static volatile sig_atomic_t caught = 0;
    std::signal(SIGUSR1, [](int) { caught = caught + 1; });
    std::signal(SIGPIPE, [](int) { caught = caught + 1; });
    Must(setresuid(11, 11, 11), "setresuid");
    Must(prctl(PR_SET_DUMPABLE, 1), "prctl");
    std::thread beside([] { pause(); });
    Must(kill(getpid(), SIGUSR1), "kill");
    Must(raise(SIGUSR1), "raise");
    if (write(pipes[1], "x", 1) >= 0 || errno != EPIPE) return 98;
    const Fd mem(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    if (!mem.valid() || caught < 3) return 97;
    _exit(0);
  });
  EXPECT_EQ(own, 0);
  EXPECT_TRUE(AlertsBy(self, "all").empty());
  EXPECT_TRUE(AlertsBy(self, "all-signals").empty());

  // Ctrl-C is the kernel's.
  int ends[2];
  ASSERT_EQ(openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
  const Fd keyboard(ends[0]);
  const Fd terminal(ends[1]);
  Child typed_at([&] {
    std::signal(SIGINT, SIG_DFL);
    Must(setsid(), "setsid");
    Must(ioctl(terminal.get(), TIOCSCTTY, 0), "TIOCSCTTY");
    Must(setresuid(12, 12, 12), "setresuid");
    Tell(1);
    for (;;) pause();
    return 0;
  });
  typed_at.Next();
  EXPECT_EQ(Try([&] { return Result(kill(typed_at.pid(), SIGINT)); }).first, EPERM);
  ASSERT_EQ(write(keyboard.get(), "\x03", 1), 1);
  const int interrupted = typed_at.Wait();
  EXPECT_TRUE(WIFSIGNALED(interrupted) && WTERMSIG(interrupted) == SIGINT) << interrupted;
  EXPECT_EQ(Alerts("no-signals").size(), 1u);

  // Those of many that a rule protects are passed over.
  Child beside([] {
    std::signal(SIGCONT, [](int) { shared->word = 0x5678; });
    Tell(1);
    char end = 0;
    while (read(STDIN_FILENO, &end, 1) < 0 && errno == EINTR) continue;
    return 0;
  });
  beside.Next();
  shared->caught = 0;
  EXPECT_EQ(Try([] { return Result(kill(-1, SIGCONT)); }).first, 0);
  for (int tries = 0; shared->word != 0x5678 && tries < 1000; ++tries) usleep(1000);
  EXPECT_EQ(shared->word, 0x5678u);
  EXPECT_EQ(shared->caught, 0);
  EXPECT_EQ(Alerts("group").size(), 1u);
  std::filesystem::remove(kGroup);
  std::filesystem::remove("/sys/fs/cgroup/docker");
}

}  // namespace
}  // namespace kentry::vm
