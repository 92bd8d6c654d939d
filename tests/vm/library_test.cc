// SPDX-License-Identifier: Apache-2.0
// The rules that are part of the program, all in force at once, and what really happens.
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "fmt/format.h"
#include "rules/library/builtin.h"
#include "rules/parse/load.h"
#include "tests/vm/library_cases.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
namespace fs = std::filesystem;

std::shared_ptr<const RuleSet> LibraryRules() {
  LoadResult result = ParseRules(BuiltinRules());
  for (const Diagnostic& diagnostic : result.diagnostics.all()) {
    ADD_FAILURE() << diagnostic.at.line << ":" << diagnostic.at.column << " " << diagnostic.message;
  }
  return result.rules;
}

// The files of all cases. What it made is gone with it, so that other tests find the machine as it
// was.
class Stage {
 public:
  explicit Stage(const std::vector<LibraryCase>& cases) {
    Make(std::string(kLibraryFolder) + "/");
    for (const LibraryCase& one : cases) {
      for (const std::string& file : one.files) Make(file);
      for (const Raise& raise : one.raises) Install(raise.act);
      for (const Act& act : one.quiet) Install(act);
    }
    for (const LibraryCase& one : cases) {
      const bool can = one.filesystem.empty() || HasFilesystem(one.filesystem);
      if (one.setup && can) one.setup();
    }
    Make(Group() + "/");
  }
  ~Stage() {
    // The last process leaves its cgroup a moment after its parent was told of its end.
    for (int tries = 0; rmdir(Group().c_str()) != 0 && errno == EBUSY && tries < 10'000; ++tries) {
      usleep(1000);
    }
    rmdir(kGroups);
    std::error_code ignored;
    for (const std::string& path : made_) fs::remove_all(path, ignored);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  static bool HasFilesystem(const std::string& name) {
    return ReadFile("/proc/filesystems").find(name) != std::string::npos;
  }
  // Of the container.
  static std::string Group() { return fmt::format("{}/{}", kGroups, kLibraryContainer); }

 private:
  static constexpr char kGroups[] = "/sys/fs/cgroup/docker";

  // An empty file, or a folder when `path` ends with a slash.
  void Make(const std::string& path) {
    fs::path top = path;
    if (!top.has_filename()) top = top.parent_path();
    if (fs::exists(top)) return;
    while (!fs::exists(top.parent_path())) top = top.parent_path();
    if (!path.starts_with(kGroups)) made_.push_back(top);
    fs::create_directories(fs::path(path).parent_path());
    if (!path.ends_with("/")) CopyFile("/dev/null", path, 0644);
  }
  void Install(const Act& act) {
    const std::string& content = act.text.empty() ? act.copy_of : act.text;
    if (content.empty()) return;
    std::string& installed = installed_[act.path];
    EXPECT_TRUE(installed.empty() || installed == content) << act.path << " is two programs";
    if (!installed.empty()) return;
    installed = content;
    Make(act.path);
    if (act.text.empty()) {
      fs::copy_file(act.copy_of, act.path, fs::copy_options::overwrite_existing);
    } else {
      WriteFile(act.path, act.text);
    }
    chmod(act.path.c_str(), act.mode);
  }

  std::vector<std::string> made_;
  std::map<std::string, std::string> installed_;
};

// A terminal that lasts as long as this.
class Terminal {
 public:
  Terminal() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
    for (int i = 0; i < 2; ++i) {
      fcntl(ends[i], F_SETFD, FD_CLOEXEC);
      ends_[i] = Fd(ends[i]);
    }
  }
  // For a child: makes it the controlling terminal.
  void Control() const {
    Must(setsid(), "setsid");
    Must(ioctl(ends_[1].get(), TIOCSCTTY, 0), "TIOCSCTTY");
  }

 private:
  Fd ends_[2];
};

// One sensor for all tests of a suite.
class LibraryTest : public OwnSensorTest {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override {
    OwnSensorTest::SetUp();
    ASSERT_NE(shared_->sensor, nullptr);
    sensor().Clear();
  }
  void TearDown() override;

  static LiveSensor& sensor() { return *shared_->sensor; }
  static const Rule& RuleNamed(const std::string& name);
  // Events with an alert of the rule, of any with "", after all that happened before was read.
  static std::vector<Seen> Alerts(const std::string& rule);
  // Does it and waits for its end.
  static void Perform(const Act& act);

 private:
  struct Shared {
    std::unique_ptr<Stage> stage;
    std::shared_ptr<const RuleSet> rules;
    std::unique_ptr<LiveSensor> sensor;
  };
  static Shared* shared_;
};

LibraryTest::Shared* LibraryTest::shared_ = nullptr;

void LibraryTest::SetUpTestSuite() {
  LiveSensor::StopShared();
  shared_ = new Shared{.stage = std::make_unique<Stage>(LibraryCases()), .rules = LibraryRules()};
  ASSERT_NE(shared_->rules, nullptr);
  Diagnostics diagnostics;
  std::unique_ptr<RuleEngine> engine = RuleEngine::Create(shared_->rules, &diagnostics);
  ASSERT_NE(engine, nullptr);
  std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
  ASSERT_NE(sensor, nullptr);
  const absl::Status loaded = sensor->pipeline().LoadRules(std::move(engine));
  ASSERT_TRUE(loaded.ok()) << loaded.ToString();
  sensor->Go();
  shared_->sensor = std::move(sensor);
}

void LibraryTest::TearDownTestSuite() {
  delete shared_;
  shared_ = nullptr;
}

void LibraryTest::TearDown() {
  if (shared_->sensor == nullptr) return;
  sensor().Settle();
  const auto is_loss = [](const Seen& seen) {
    const bool skipped = HooksCanBeSkipped() && seen.Text(kLossReason) == "hook_missed";
    return seen.cls() == EventClass::kSensorLoss && !skipped;
  };
  for (const Seen& loss : sensor().Events(is_loss)) ADD_FAILURE() << "lost: " << loss.Describe();
  uint64_t errors = 0;
  ASSERT_TRUE(sensor().pipeline().Ask([&] { errors = sensor().pipeline().rules().errors(); }));
  EXPECT_EQ(errors, 0u);
}

const Rule& LibraryTest::RuleNamed(const std::string& name) {
  static const Rule kNone;
  for (const Rule& rule : shared_->rules->rules) {
    if (rule.name == name) return rule;
  }
  ADD_FAILURE() << "the library has no rule " << name;
  return kNone;
}

std::vector<Seen> LibraryTest::Alerts(const std::string& rule) {
  sensor().Settle();
  return sensor().Events([&](const Seen& seen) {
    const std::vector<std::string> rules = seen.List(kAlertRules);
    return rule.empty() ? !rules.empty()
                        : std::find(rules.begin(), rules.end(), rule) != rules.end();
  });
}

// For a child.
void EnterContainer() {
  const Fd fd(open((Stage::Group() + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  Must(fd.get(), "open cgroup.procs");
  Must(write(fd.get(), "0", 1), "enter the cgroup");
}

void LibraryTest::Perform(const Act& act) {
  const Terminal terminal;
  Child child([&]() -> int {
    const int silence = static_cast<int>(Must(open("/dev/null", O_WRONLY | O_CLOEXEC), "open"));
    Must(dup2(silence, STDOUT_FILENO), "dup2");
    if (act.in_container) EnterContainer();
    if (act.on_terminal) terminal.Control();
    const int fd = act.before ? act.before() : -1;
    if (act.uid != 0) Must(setresuid(act.uid, act.uid, act.uid), "setresuid");
    Exec({.path = act.path, .args = act.args, .fd = fd});
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_TRUE(child.Execed());
  const int status = child.Finish();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == act.exit_code) << "status " << status;
  EXPECT_TRUE(sensor().WaitFor(EventClass::kProcessExec, pid));
}

class LibraryCaseTest : public LibraryTest, public ::testing::WithParamInterface<LibraryCase> {
 protected:
  void SetUp() override {
    const std::string& filesystem = GetParam().filesystem;
    if (!filesystem.empty() && !Stage::HasFilesystem(filesystem)) {
      GTEST_SKIP() << "no " << filesystem << " in this kernel";
    }
    LibraryTest::SetUp();
  }
  // Compares all that the event says of the alert with the rule as it was written.
  void ExpectAlert(const Seen& seen, const Raise& raise);
};

void LibraryCaseTest::ExpectAlert(const Seen& seen, const Raise& raise) {
  const Rule& rule = RuleNamed(GetParam().rule);
  const std::vector<std::string> names = seen.List(kAlertRules);
  std::set<std::string> wanted(raise.also.begin(), raise.also.end());
  wanted.insert(rule.name);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), wanted);
  const auto at =
      static_cast<size_t>(std::find(names.begin(), names.end(), rule.name) - names.begin());
  const std::vector<std::string> severities = seen.List(kAlertSeverities);
  const std::vector<std::string> messages = seen.List(kAlertMessages);
  ASSERT_EQ(severities.size(), names.size());
  ASSERT_EQ(messages.size(), names.size());
  EXPECT_EQ(severities[at], SeverityName(rule.severity));
  EXPECT_EQ(messages[at].find_first_of("{}"), std::string::npos) << messages[at];
  EXPECT_NE(messages[at].find(raise.message), std::string::npos)
      << messages[at] << "\nwas to contain\n"
      << raise.message;
  const std::vector<std::string> tags = seen.List(kAlertTags);
  EXPECT_FALSE(rule.tags.empty());
  for (const RuleTag& tag : rule.tags) {
    EXPECT_EQ(std::count(tags.begin(), tags.end(), tag.scheme + ":" + tag.id), 1) << tag.id;
  }
  EXPECT_EQ(seen.List(kAlertUncertain), std::vector<std::string>{});
  EXPECT_EQ(seen.cls(), rule.on);
}

TEST_P(LibraryCaseTest, RaisesItsAlertAndNoneNextToIt) {
  const LibraryCase& one = GetParam();
  for (const Raise& raise : one.raises) {
    SCOPED_TRACE(fmt::format("{} {}", raise.act.path, fmt::join(raise.act.args, " ")));
    sensor().Clear();
    Perform(raise.act);
    const std::vector<Seen> alerts = Alerts(one.rule);
    EXPECT_EQ(alerts.size(), 1u);
    for (const Seen& alert : alerts) ExpectAlert(alert, raise);
  }
  for (const Act& act : one.quiet) {
    SCOPED_TRACE(fmt::format("quiet: {} {}", act.path, fmt::join(act.args, " ")));
    sensor().Clear();
    Perform(act);
    for (const Seen& alert : Alerts(one.rule)) ADD_FAILURE() << alert.Describe();
  }
}

std::string TestName(const ::testing::TestParamInfo<LibraryCase>& info) {
  std::string name = info.param.rule;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Rules, LibraryCaseTest, ::testing::ValuesIn(LibraryCases()), TestName);

using LibraryQuietTest = LibraryTest;

// What people, scripts and services do all day.
TEST_F(LibraryQuietTest, OrdinaryWorkRaisesNoAlert) {
  const std::string script = NewFolder() + "/work.sh";
  WriteFile(
      script,
      "#!/bin/busybox sh\n"
      "set -e\n"
      "cd $(mktemp -d)\n"
      "mkdir -p .ssh log etc/cron.d\n"
      "echo key >.ssh/id_rsa.pub; cat .ssh/id_rsa.pub\n"
      "echo line >>log/auth.log; : >log/auth.log; tail -n 1 log/auth.log\n"
      "cp /etc/passwd etc/shadow; cat etc/shadow; rm etc/shadow\n"
      "grep -e root /etc/passwd || true\n"
      "tar cf all.tar .ssh log; gzip all.tar; rm -rf log .ssh\n"
      "find /etc | sort | head -n 5; ls -l /usr/bin /dev; id; uname -a; date; ps\n"
      "cat /proc/sys/kernel/core_pattern /proc/cpuinfo; dd if=/dev/zero of=zero bs=1k count=4\n"
      "sh -c 'echo $$; sleep 0'; echo done >/dev/shm/note; cat /dev/shm/note\n"
      "rm /dev/shm/note; echo typed >>/root/.ash_history\n");
  for (const bool in_container : {false, true}) {
    SCOPED_TRACE(in_container ? "in a container" : "on the host");
    sensor().Clear();
    Perform({.path = script, .args = {"work.sh"}, .in_container = in_container});
    for (const Seen& alert : Alerts("")) ADD_FAILURE() << alert.Describe();
  }
}

TEST(LibraryCasesTest, EveryRuleOfTheLibraryHasOne) {
  const std::shared_ptr<const RuleSet> rules = LibraryRules();
  ASSERT_NE(rules, nullptr);
  std::vector<std::string> wanted;
  for (const Rule& rule : rules->rules) wanted.push_back(rule.name);
  std::vector<std::string> tested;
  for (const LibraryCase& one : LibraryCases()) {
    tested.push_back(one.rule);
    EXPECT_FALSE(one.raises.empty()) << one.rule;
    EXPECT_FALSE(one.quiet.empty()) << one.rule;
  }
  std::sort(wanted.begin(), wanted.end());
  std::sort(tested.begin(), tested.end());
  EXPECT_EQ(tested, wanted);
}

}  // namespace
}  // namespace kentry::vm
