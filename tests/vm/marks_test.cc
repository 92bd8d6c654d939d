// SPDX-License-Identifier: Apache-2.0
// Marks: set and tested in the kernel, handed on at forks, kept through reloads.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmt/format.h"
#include "tests/vm/library_acts.h"
#include "tests/vm/raw_sensor.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

void Open(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Must(fd.valid() ? 0 : -1, "open");
}

// Opens in a forked process.
void OpenInChild(const std::string& path) {
  const pid_t pid = fork();
  if (pid == 0) {
    Open(path);
    _exit(0);
  }
  int status = 0;
  Must(waitpid(pid, &status, 0), "waitpid");
  Must(status == 0 ? 0 : -1, "child");
}

class MarksTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    folder_ = NewFolder();
    file_ = folder_ + "/file";
    trigger_ = folder_ + "/trigger";
    for (const std::string& path : {file_, trigger_}) {
      const Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
      ASSERT_TRUE(fd.valid()) << path;
    }
  }

  // Opening the trigger marks; `test` on the file is rule "opened".
  std::string ByTrigger(const std::string& test, const std::string& mark = "touched") const {
    return fmt::format(
        "rules:\n"
        "  - {{name: touches, on: file.open, when: 'file.path == \"{}\"', mark: {}}}\n"
        "  - {{name: opened, on: file.open, when: '{} && file.path == \"{}\"'}}\n",
        trigger_, mark, test, file_);
  }

  // A copy of busybox, which takes the name for its own.
  std::string Program(const std::string& name) const {
    std::string path = fmt::format("{}/busybox-{}", folder_, name);
    if (access(path.c_str(), F_OK) != 0) CopyFile(kBusybox, path, 0755);
    return path;
  }
  static void Run(const std::string& program, const std::string& script) {
    Child child([&]() -> int { Exec({.path = program, .args = {"sh", "-c", script}}); });
    EXPECT_TRUE(child.Execed());
    EXPECT_EQ(child.Wait(), 0);
  }

  // Opens that the kernel has sent, and those that it left out.
  ke_counts Opens() { return Sum(sensor().pipeline().kernel(), KE_FILE_OPEN); }

  // Runs `action` in a child, and says how many opens of it the kernel sent.
  uint64_t SentOf(const std::function<void()>& action) {
    const uint64_t before = Opens().seq;
    Child child([&]() -> int {
      action();
      return 0;
    });
    EXPECT_EQ(child.Finish(), 0);
    return Opens().seq - before;
  }

  std::string folder_, file_, trigger_;
};

TEST_F(MarksTest, WhatAMarkedProgramStartsIsMarkedAndTheKernelLeavesOutTheOthers) {
  Load(fmt::format(
      "rules:\n"
      "  - {{name: starts, on: process.exec, when: 'process.binary == \"{0}/busybox-marker\"', "
      "mark: seen}}\n"
      "  - {{name: opened, on: file.open, when: '\"seen\" in process.marks && "
      "file.path == \"{0}/file\"'}}\n",
      folder_));
  const std::string other = Program("other");
  Run(Program("marker"), fmt::format("{} sh -c ': <{}; :'; :", other, file_));
  std::vector<Seen> alerts = Alerts("opened");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].Text(kProcessBinary), other);
  EXPECT_EQ(alerts[0].List(kProcessMarks), std::vector<std::string>{"seen"});
  const ke_counts before = Opens();
  const uint64_t judged_away = sensor().pipeline().stats().judged_away;
  Run(other, fmt::format("for i in 1 2 3 4 5 6 7 8 9; do : <{}; done", file_));
  const ke_counts after = Opens();
  EXPECT_EQ(after.seq, before.seq) << "the kernel sent opens of a process without the mark";
  EXPECT_GE(after.filtered, before.filtered + 9);
  EXPECT_EQ(Alerts("opened").size(), 1u);
  EXPECT_EQ(sensor().pipeline().stats().judged_away, judged_away);
}

TEST_F(MarksTest, AMarkReachesACachedMaskAndOnlyChildrenBornLater) {
  Load(ByTrigger("\"touched\" in process.marks"));
  const uint64_t sent = SentOf([&] {
    for (int i = 0; i < 5; ++i) Open(file_);  // the mask is cached now
    OpenInChild(file_);
    Open(trigger_);
    Open(file_);
    OpenInChild(file_);
  });
  EXPECT_EQ(sent, 3u) << "the trigger, and two opens after it";
  EXPECT_EQ(Alerts("opened").size(), 2u);
  EXPECT_EQ(Alerts("touches").size(), 1u);
}

// The open that marks is itself judged by the marks before it.
TEST_F(MarksTest, AnEventIsJudgedByTheMarksBeforeIt) {
  Load(fmt::format(
      "rules:\n  - {{name: first, on: file.open, when: '!(\"once\" in process.marks) && "
      "file.path == \"{}\"', mark: once}}\n",
      file_));
  SentOf([&] {
    for (int i = 0; i < 10; ++i) Open(file_);
  });
  EXPECT_EQ(Alerts("first").size(), 1u);
}

TEST_F(MarksTest, TheKernelLeavesOutWhoIsMarkedForCertain) {
  Load(ByTrigger("!(\"touched\" in process.marks)"));
  const uint64_t sent = SentOf([&] {
    for (int i = 0; i < 3; ++i) Open(file_);
    Open(trigger_);
    for (int i = 0; i < 20; ++i) Open(file_);
    OpenInChild(file_);
  });
  EXPECT_EQ(sent, 4u) << "three opens and the trigger";
  EXPECT_EQ(Alerts("opened").size(), 3u);
}

TEST_F(MarksTest, ALifetimeEnds) {
  Load(ByTrigger("\"touched\" in process.marks", "{name: touched, lifetime: 1s}"));
  const uint64_t sent = SentOf([&] {
    Open(trigger_);
    Open(file_);
    usleep(1'200'000);
    Open(file_);  // user space knows the end to the nanosecond
    sleep(4);
    OpenInChild(file_);  // the kernel looks when it has no mask yet
  });
  EXPECT_LE(sent, 3u) << "the kernel sent an open long after the mark's end";
  EXPECT_EQ(Alerts("opened").size(), 1u);
}

// What the kernel can't finish of a rule, it marks all the same: too much, until user space says.
TEST_F(MarksTest, ARuleThatUserSpaceFinishesMarksInTime) {
  Load(fmt::format(
      "rules:\n"
      "  - {{name: starts, on: process.exec, when: 'process.binary == \"{0}/busybox-marker\" && "
      "process.args.exists(a, a.contains(\"please\"))', mark: seen}}\n"
      "  - {{name: opened, on: file.open, when: '\"seen\" in process.marks && "
      "file.path == \"{0}/file\"'}}\n",
      folder_));
  Run(Program("marker"), fmt::format(": please; : <{}", file_));
  EXPECT_EQ(Alerts("opened").size(), 1u);
  Run(Program("marker"), fmt::format(": <{}", file_));
  EXPECT_EQ(Alerts("opened").size(), 1u);
  EXPECT_EQ(Alerts("starts").size(), 1u);
}

// Every open after the trigger is found, whatever reload it falls into.
TEST_F(MarksTest, ReloadsLoseNoMark) {
  const std::string rules = ByTrigger("\"touched\" in process.marks");
  Load(rules);
  Child child([&]() -> int {
    Open(trigger_);
    Tell(0);
    int64_t opens = 0;
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (char byte; read(0, &byte, 1) < 0; opens += 2) {
      Open(file_);
      OpenInChild(file_);
      usleep(2000);
    }
    Tell(opens);
    return 0;
  });
  ASSERT_TRUE(child.Next());
  for (int i = 0; i < 12; ++i) {
    // Other marks come first, so that the mark is another one in the set's order.
    std::string set = rules;
    for (int j = 0; j < i % 4; ++j) {
      set.insert(
          set.find("rules:\n") + 7,
          fmt::format("  - {{name: more-{0}, on: file.open, when: '\"m{0}\" in process.marks "
                      "&& file.path == \"/nowhere\"'}}\n",
                      i + j));
    }
    Load(set);
    usleep(20'000);
  }
  child.Release();
  const int64_t opens = child.Next().value_or(-1);
  EXPECT_EQ(child.Wait(), 0);
  const size_t alerts = Alerts("opened").size();
  if (sensor().Skipped() != 0) GTEST_SKIP() << "the kernel skipped hooks: nothing to count";
  EXPECT_EQ(static_cast<int64_t>(alerts), opens);
}

TEST_F(MarksTest, MarksOutliveRuleSetsThatDontSpeakOfThem) {
  const std::string rules = ByTrigger("\"touched\" in process.marks");
  Load(rules);
  Child child([&]() -> int {
    Open(trigger_);
    Tell(0);
    char byte = 0;
    Must(read(0, &byte, 1) >= 0 ? 0 : -1, "read");
    OpenInChild(file_);
    return 0;
  });
  ASSERT_TRUE(child.Next());
  Load(fmt::format("rules:\n  - {{name: plain, on: file.open, when: 'file.path == \"{}\"'}}\n",
                   trigger_));
  Load(rules);
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(Alerts("opened").size(), 1u);
}

}  // namespace
}  // namespace kentry::vm
