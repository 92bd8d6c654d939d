// SPDX-License-Identifier: Apache-2.0
// The hardening set in force beside the library, both in enforce mode: what it forbids doesn't
// happen, and ordinary work goes on.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

#include "fmt/format.h"
#include "rules/library/builtin.h"
#include "rules/parse/load.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
namespace fs = std::filesystem;

constexpr char kBusybox[] = "/bin/busybox";
// What an attacker has of his own; not below /tmp, where containers may not execute.
constexpr char kOwn[] = "/root/hardening";
constexpr char kGroup[] =
    "/sys/fs/cgroup/docker/5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a5e3a";

// Paths that end with a slash are folders, the others files; with `copy_of`, of a program.
struct Prop {
  const char* path;
  const char* copy_of = nullptr;
};
constexpr Prop kProps[] = {
    {"/root/hardening/"},
    {"/root/hardening/own"},
    {"/tmp/hardening/"},
    {"/tmp/hardening/busybox", kBusybox},
    {"/dev/shm/busybox", kBusybox},
    {"/usr/bin/victim"},
    {"/usr/bin/dpkg", kBusybox},
    {"/usr/sbin/usermod", kBusybox},
    {"/usr/sbin/logrotate", kBusybox},
    {"/usr/sbin/runc", kBusybox},
    {"/usr/lib/dotnet/dotnet", kBusybox},
    {"/etc/passwd"},
    {"/etc/shadow"},
    {"/etc/kentry/rules/own.yaml"},
    {"/var/log/auth.log"},
};

// Makes the props that are not there, and removes those when it goes.
class Props {
 public:
  Props() {
    for (const Prop& prop : kProps) Make(prop);
    fs::create_directories(kGroup);
  }
  ~Props() {
    for (int tries = 0; rmdir(kGroup) != 0 && errno == EBUSY && tries < 10'000; ++tries) {
      usleep(1000);
    }
    rmdir("/sys/fs/cgroup/docker");
    std::error_code ignored;
    for (const fs::path& path : made_) fs::remove_all(path, ignored);
  }
  Props(const Props&) = delete;
  Props& operator=(const Props&) = delete;

 private:
  void Make(const Prop& prop) {
    const std::string path = prop.path;
    fs::path top = path.ends_with('/') ? fs::path(path).parent_path() : fs::path(path);
    if (fs::exists(top)) return;
    while (!fs::exists(top.parent_path())) top = top.parent_path();
    made_.push_back(top);
    fs::create_directories(fs::path(path).parent_path());
    if (prop.copy_of != nullptr) {
      CopyFile(prop.copy_of, path, 0755);
    } else if (!path.ends_with('/')) {
      WriteFile(path, "as it was");
    }
  }
  std::vector<fs::path> made_;
};

// All that an attack could have changed: of each file what it is and how long.
std::map<std::string, std::string> State() {
  std::map<std::string, std::string> state;
  for (const char* folder : {kOwn, "/usr/bin", "/etc", "/etc/kentry/rules", "/var/log"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      struct stat file {};
      if (lstat(entry.path().c_str(), &file) != 0) continue;
      state[entry.path()] =
          fmt::format("{} {:o} {} {}", file.st_ino, file.st_mode, file.st_nlink, file.st_size);
    }
  }
  return state;
}

// For a child.
void EnterContainer() { WriteFile(std::string(kGroup) + "/cgroup.procs", "0"); }

int Busybox(const std::string& path, std::vector<std::string> args) {
  Exec({.path = path, .args = std::move(args)});
}
int Sh(const std::string& commands, const std::string& path = kBusybox) {
  return Busybox(path, {"sh", "-c", commands});
}

int Result(int64_t result) { return result >= 0 ? 0 : errno; }

int MapCode(const std::string& path) {
  const Fd fd(static_cast<int>(Must(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open")));
  void* at = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  return at == MAP_FAILED ? errno : 0;
}

// A program in memory; it outlives an exec.
int MemoryProgram(const char* name = "hidden") {
  const std::string program = ReadFile(kHold);
  const int fd = static_cast<int>(Must(memfd_create(name, 0), "memfd_create"));
  Must(write(fd, program.data(), program.size()), "write");
  return fd;
}

int MapMemory() {
  void* at = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, MemoryProgram(), 0);
  return at == MAP_FAILED ? errno : 0;
}

// By a program that may map memory as code: it may not execute it all the same.
int ExecMemory() {
  return Sh(fmt::format("exec /proc/self/fd/{}", MemoryProgram()), "/usr/lib/dotnet/dotnet");
}

int SetCapability() {
  const uint32_t cap[5] = {0x02000001, 1u << 21, 0, 0, 0};  // VFS_CAP_REVISION_2, effective
  return Result(setxattr("/root/hardening/own", "security.capability", cap, sizeof(cap), 0));
}

// All maps that can be had are looked for one of the rules'.
int ChangeTheRules() {
  uint32_t id = 0;
  while (bpf_map_get_next_id(id, &id) == 0) {
    if (!Fd(bpf_map_get_fd_by_id(id)).valid()) return errno;
  }
  return 0;
}

// In a new process, which fails.
struct Attack {
  const char* rule;
  std::string commands = {};
  int (*run)() = nullptr;  // instead of `commands`
  bool in_container = false;
};

const Attack kAttacks[] = {
    {.rule = "harden-exec-from-memfd", .run = ExecMemory},
    {.rule = "harden-memfd-mapping", .run = MapMemory},
    {"harden-exec-from-shared-memory", "/dev/shm/busybox touch /root/hardening/ran"},
    {.rule = "harden-mapping-from-shared-memory",
     .run = [] { return MapCode("/dev/shm/busybox"); }},
    {"harden-exec-from-tmp-in-container", "/tmp/hardening/busybox touch /root/hardening/ran",
     nullptr, true},
    {.rule = "harden-mapping-from-tmp-in-container",
     .run = [] { return MapCode("/tmp/hardening/busybox"); },
     .in_container = true},
    {"harden-program-written", "echo more >>/usr/bin/victim"},
    {"harden-program-written", "cp /bin/busybox /usr/bin/planted", nullptr, true},
    {"harden-program-removed", "rm /usr/bin/victim"},
    {"harden-program-renamed", "mv /usr/bin/victim /root/hardening/victim"},
    {"harden-program-renamed", "mv /root/hardening/own /usr/bin/victim"},
    {"harden-program-renamed", "mv /usr/bin /root/hardening/bin"},
    {"harden-program-linked", "ln /usr/bin/victim /root/hardening/victim"},
    {"harden-program-linked", "ln /root/hardening/own /usr/bin/planted"},
    {"harden-program-symlinked", "ln -s /root/hardening/own /usr/bin/planted"},
    {"harden-program-mode", "chmod 777 /usr/bin/victim"},
    {.rule = "harden-program-cut", .run = [] { return Result(truncate("/usr/bin/victim", 0)); }},
    {"harden-ld-preload-written", "echo /root/hardening/own >/etc/ld.so.preload"},
    {"harden-ld-preload-renamed", "mv /root/hardening/own /etc/ld.so.preload"},
    {"harden-ld-preload-linked", "ln /root/hardening/own /etc/ld.so.preload"},
    {"harden-ld-preload-symlinked", "ln -s /root/hardening/own /etc/ld.so.preload"},
    {"harden-account-file-written", "echo root2::0:0:::/bin/sh >>/etc/passwd"},
    {"harden-account-file-renamed", "mv /root/hardening/own /etc/shadow"},
    {"harden-account-file-renamed", "sed -i s/x/y/ /etc/passwd; exit 1"},
    {"harden-account-file-removed", "rm /etc/shadow"},
    {"harden-account-file-linked", "ln /etc/shadow /root/hardening/shadow"},
    {"harden-setuid-bit-set", "chmod 4755 /root/hardening/own"},
    {"harden-setgid-bit-set-in-container", "chmod 2755 /root/hardening/own", nullptr, true},
    {.rule = "harden-file-capabilities-set", .run = SetCapability},
    {"harden-device-made-in-container", "mknod /root/hardening/sda b 8 0", nullptr, true},
    {"harden-log-removed", "rm /var/log/auth.log"},
    {"harden-log-cut", ": >/var/log/auth.log"},
    {"harden-log-renamed", "mv /var/log/auth.log /root/hardening/log"},
    {"harden-sensor-file-written", "echo disable: >>/etc/kentry/rules/own.yaml"},
    {"harden-sensor-file-removed", "rm /etc/kentry/rules/own.yaml"},
    {.rule = "harden-sensor-file-cut",
     .run = [] { return Result(truncate("/etc/kentry/rules/own.yaml", 0)); }},
    {"harden-sensor-file-renamed", "mv /etc/kentry /etc/other"},
    {"harden-sensor-file-renamed", "mv /root/hardening/own /etc/kentry/rules/own.yaml"},
    {"harden-sensor-file-linked", "ln /etc/kentry/rules/own.yaml /root/hardening/rules"},
    {.rule = "harden-ptrace-out-of-container",
     .run =
         [] {
           Must(unshare(CLONE_NEWNS), "unshare");
           return Result(ptrace(PTRACE_SEIZE, 1, 0, 0));
         },
     .in_container = true},
    // The test is the sensor.
    {.rule = "harden-sensor-traced",
     .run = [] { return Result(ptrace(PTRACE_SEIZE, getppid(), 0, 0)); }},
    {.rule = "harden-sensor-signaled", .run = [] { return Result(kill(getppid(), SIGSTOP)); }},
    {.rule = "harden-sensor-signaled", .run = [] { return Result(kill(getppid(), SIGKILL)); }},
    {.rule = "harden-sensor-mount",
     .run = [] { return Result(mount("none", "/etc/kentry", "tmpfs", 0, nullptr)); }},
    {.rule = "harden-sensor-mount",
     .run = [] { return Result(mount("none", "/sys/fs/bpf", "tmpfs", 0, nullptr)); }},
    {.rule = "harden-sensor-unmount",
     .run = [] { return Result(umount2("/sys/fs/bpf", MNT_DETACH)); }},
    {.rule = "harden-sensor-unmount", .run = [] { return Result(umount2("/sys", MNT_DETACH)); }},
    {.rule = "harden-sensor-bpf", .run = ChangeTheRules},
    {"harden-tracing-switched-off", "echo 0 >/proc/sys/kernel/ftrace_enabled"},
    {"harden-sensor-file-symlinked", "ln -s /root/hardening/own /etc/kentry/rules/z.yaml"},
};

std::shared_ptr<const RuleSet> RulesOf(std::vector<SourceFile> files, RuleMode mode) {
  const LoadResult loaded = ParseRules(std::move(files));
  for (const Diagnostic& found : loaded.diagnostics.all()) ADD_FAILURE() << found.message;
  auto rules = std::make_shared<RuleSet>(*loaded.readable);
  rules->mode = mode;
  return rules;
}

// One sensor for all tests: a load of all these classes takes long in an emulated machine.
class HardeningTest : public OwnSensorTest {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite() {
    delete sensor_;
    sensor_ = nullptr;
    delete props_;
    props_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(sensor_, nullptr);
    sensor_->Clear();
  }

  // Its wait status.
  static int Perform(bool in_container, const std::function<int()>& act) {
    Child child([&] {
      const Fd silence(static_cast<int>(Must(open("/dev/null", O_WRONLY | O_CLOEXEC), "open")));
      Must(dup2(silence.get(), STDOUT_FILENO), "dup2");
      if (in_container) EnterContainer();
      return act();
    });
    return child.Finish();
  }
  // Events that an action was taken on, after all that happened before was read.
  static std::vector<Seen> Refused() {
    sensor_->Settle();
    return sensor_->Events([](const Seen& seen) {
      const std::string verdict = seen.Text(kAlertVerdict);
      return verdict != "" && verdict != "observed" && verdict != "exempt";
    });
  }
  static std::vector<Seen> Alerts(const std::string& rule) {
    sensor_->Settle();
    return sensor_->Events([&](const Seen& seen) {
      const std::vector<std::string> rules = seen.List(kAlertRules);
      return std::find(rules.begin(), rules.end(), rule) != rules.end();
    });
  }
  static void ExpectGoesOn(bool in_container, const std::function<int()>& act) {
    EXPECT_EQ(Perform(in_container, act), 0);
    for (const Seen& refused : Refused()) ADD_FAILURE() << refused.Describe();
    sensor_->Clear();
  }

  static Props* props_;
  static LiveSensor* sensor_;
};

Props* HardeningTest::props_ = nullptr;
LiveSensor* HardeningTest::sensor_ = nullptr;

void HardeningTest::SetUpTestSuite() {
  LiveSensor::StopShared();
  props_ = new Props;
  std::vector<SourceFile> files = HardeningRules();
  std::vector<SourceFile> library = BuiltinRules();
  std::move(library.begin(), library.end(), std::back_inserter(files));
  Diagnostics diagnostics;
  std::unique_ptr<RuleEngine> engine =
      RuleEngine::Create(RulesOf(std::move(files), RuleMode::kEnforce), &diagnostics);
  ASSERT_NE(engine, nullptr);
  std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
  ASSERT_NE(sensor, nullptr);
  const absl::Status loaded = sensor->pipeline().LoadRules(std::move(engine));
  ASSERT_TRUE(loaded.ok()) << loaded.ToString();
  sensor->Go();
  sensor_ = sensor.release();
}

TEST_F(HardeningTest, AttacksFail) {
  for (const Attack& attack : kAttacks) {
    SCOPED_TRACE(fmt::format("{}: {}", attack.rule, attack.commands));
    sensor_->Clear();
    const std::map<std::string, std::string> before = State();
    const int status = Perform(attack.in_container, [&] {
      return attack.run != nullptr ? attack.run() : Sh(attack.commands);
    });
    const bool kills = std::string_view(attack.rule) == "harden-exec-from-memfd";
    EXPECT_TRUE(kills ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                      : WIFEXITED(status) && WEXITSTATUS(status) != 0)
        << "status " << status;
    if (attack.run != nullptr && !kills) {
      EXPECT_EQ(WEXITSTATUS(status), EPERM);
    }
    const std::vector<Seen> alerts = Alerts(attack.rule);
    EXPECT_GE(alerts.size(), 1u);
    for (const Seen& seen : alerts) {
      EXPECT_EQ(seen.Text(kAlertVerdict), kills ? "killed" : "denied") << seen.Describe();
      EXPECT_TRUE(seen.List(kAlertUncertain).empty());
    }
    // What sed leaves behind beside the file is forbidden to nobody.
    std::map<std::string, std::string> after = State();
    std::erase_if(after, [](const auto& entry) { return entry.first.starts_with("/etc/sed"); });
    EXPECT_EQ(after, before);
  }
}

TEST_F(HardeningTest, ARuntimeMayRunItsCopyInMemoryAndNobodyElse) {
  constexpr char kCopy[] = "runc_cloned:/proc/self/exe";
  const auto run = [](const char* name, const char* by) {
    return [=] { return Sh(fmt::format("/proc/self/fd/{}; exit $?", MemoryProgram(name)), by); };
  };
  ExpectGoesOn(false, run(kCopy, "/usr/sbin/runc"));
  EXPECT_NE(Perform(false, run(kCopy, kBusybox)), 0);
  EXPECT_EQ(Alerts("harden-memfd-mapping").size(), 1u);
  EXPECT_NE(Perform(false, run("hidden", "/usr/sbin/runc")), 0);
  EXPECT_EQ(Alerts("harden-exec-from-memfd").size(), 1u);
}

TEST_F(HardeningTest, OrdinaryWorkGoesOn) {
  const std::string script = std::string(kOwn) + "/work.sh";
  WriteFile(script,
            "#!/bin/busybox sh\n"
            "set -e\n"
            "cd $(mktemp -d)\n"
            "mkdir -p log etc/cron.d; echo line >log/auth.log; : >log/auth.log\n"
            "cp /etc/passwd etc/passwd; sed -i s/a/b/ etc/passwd; mv etc/passwd etc/shadow\n"
            "ln etc/shadow etc/other; ln -s other etc/third; chmod 600 etc/shadow; rm etc/shadow\n"
            "tar cf all.tar log etc; gzip all.tar; rm -rf log etc\n"
            "cat /usr/bin/victim /etc/passwd /var/log/auth.log /etc/kentry/rules/own.yaml\n"
            "echo line >>/var/log/auth.log; echo line >/var/log/hardening.log\n"
            "mv /var/log/hardening.log /var/log/hardening.1; rm /var/log/hardening.1\n"
            "echo note >/etc/hardening.conf; rm /etc/hardening.conf\n"
            "echo note >/dev/shm/note; mv /dev/shm/note /dev/shm/n; rm /dev/shm/n\n"
            "mkfifo pipe; rm pipe; mkdir -m 1777 group; rmdir group\n"
            "sh -c 'id; date; uname -a; find /usr | sort | head -n 3'\n"
            // A program with shared libraries.
            "/bin/kentry_vm_test --gtest_list_tests >list; test -s list\n");
  chmod(script.c_str(), 0755);
  for (const bool in_container : {false, true}) {
    SCOPED_TRACE(in_container ? "in a container" : "on the host");
    ExpectGoesOn(in_container, [&] { return Busybox(script, {"work.sh"}); });
  }
  SCOPED_TRACE("what concerns no process outside");
  for (const bool in_container : {false, true}) {
    ExpectGoesOn(in_container, [] {
      const pid_t child = fork();
      if (child == 0) {
        for (;;) pause();
      }
      const int traced = Result(ptrace(PTRACE_SEIZE, child, 0, 0));
      return traced != 0 ? traced : Result(kill(child, SIGKILL));
    });
  }
  ExpectGoesOn(false, [] { return Result(kill(getppid(), 0)); });
  SCOPED_TRACE("what only containers may not");
  ExpectGoesOn(false, [] { return Sh("/tmp/hardening/busybox true"); });
  ExpectGoesOn(false, [] { return MapCode("/tmp/hardening/busybox"); });
  ExpectGoesOn(false, [] { return Sh("mknod /root/hardening/null c 1 3"); });
  ExpectGoesOn(false, [] { return Sh("chmod 2755 /root/hardening/own"); });
  fs::remove("/root/hardening/null");
}

TEST_F(HardeningTest, PackageManagersAccountToolsAndLogRotationWork) {
  struct Step {
    const char* program;
    std::vector<std::string> args;
  };
  const std::vector<Step> steps = {
      {"/usr/bin/dpkg", {"cp", kBusybox, "/usr/bin/tool.dpkg-new"}},
      {"/usr/bin/dpkg", {"chmod", "4755", "/usr/bin/tool.dpkg-new"}},
      {"/usr/bin/dpkg", {"mv", "/usr/bin/tool.dpkg-new", "/usr/bin/tool"}},
      {"/usr/bin/dpkg", {"ln", "/usr/bin/tool", "/usr/bin/tool.dpkg-tmp"}},
      {"/usr/bin/dpkg", {"mv", "/usr/bin/tool.dpkg-tmp", "/usr/bin/tool2"}},
      {"/usr/bin/dpkg", {"ln", "-s", "tool", "/usr/bin/tool3"}},
      {"/usr/bin/dpkg", {"rm", "/usr/bin/tool", "/usr/bin/tool2", "/usr/bin/tool3"}},
      {"/usr/sbin/usermod", {"cp", "/etc/shadow", "/etc/shadow+"}},
      {"/usr/sbin/usermod", {"mv", "/etc/shadow+", "/etc/shadow"}},
      {"/usr/sbin/logrotate", {"mv", "/var/log/auth.log", "/var/log/auth.log.1"}},
      {"/usr/sbin/logrotate", {"mv", "/var/log/auth.log.1", "/var/log/auth.log"}},
  };
  for (const Step& step : steps) {
    SCOPED_TRACE(fmt::format("{} as {}", step.program, fmt::join(step.args, " ")));
    ExpectGoesOn(false, [&] { return Busybox(step.program, step.args); });
  }
}

TEST_F(HardeningTest, TheLibrarysRulesOnlyAlert) {
  EXPECT_EQ(Perform(false, [] { return Sh("cat /etc/shadow"); }), 0);
  const std::vector<Seen> alerts = Alerts("password-hashes-read");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].Text(kAlertVerdict), "observed");
  EXPECT_EQ(alerts[0].Text(kAlertMode), "enforce");
}

TEST(HardeningAttacksTest, EveryRuleHasOne) {
  std::set<std::string> wanted;
  const std::shared_ptr<const RuleSet> rules = RulesOf(HardeningRules(), RuleMode::kEnforce);
  for (const Rule& rule : rules->rules) wanted.insert(rule.name);
  std::set<std::string> tried;
  for (const Attack& attack : kAttacks) tried.insert(attack.rule);
  EXPECT_EQ(tried, wanted);
}

}  // namespace
}  // namespace kentry::vm
