// SPDX-License-Identifier: Apache-2.0
// A program that a rule may deny, and how it is tried.
#ifndef KENTRY_TESTS_VM_EXEC_DENY_H_
#define KENTRY_TESTS_VM_EXEC_DENY_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {

inline std::string Rule(std::string_view mode, std::string_view condition,
                        std::string_view action = "deny") {
  return fmt::format(
      "mode: {}\nrules:\n  - {{name: guard, on: process.exec, when: '{}', then: {}, severity: "
      "critical, guard: off}}\n",
      mode, condition, action);
}

inline bool Exists(const std::string& path) {
  struct stat file {};
  return lstat(path.c_str(), &file) == 0;
}

// Tries `program` as the command `touch made`; returns the error, for it does not return else.
inline int TryTouch(const std::string& program, const std::string& made) {
  std::string name = "touch", file = made;
  char* argv[] = {name.data(), file.data(), nullptr};
  char* envp[] = {nullptr};
  execve(program.c_str(), argv, envp);
  return errno;
}

inline int TryTouch(int fd, const std::string& made) {
  std::string name = "touch", file = made;
  char* argv[] = {name.data(), file.data(), nullptr};
  char* envp[] = {nullptr};
  syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
  return errno;
}

class ExecDenyTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    mkdir(bin_.c_str(), 0755);
    CopyFile("/bin/busybox", program_, 0755);
  }
  std::string OfProgram() const { return fmt::format("process.binary == \"{}\"", program_); }
  // The child's wait status when it tries the program, after `prepare`.
  int Try(const std::function<void()>& prepare = {}) {
    Child child([&] {
      if (prepare) prepare();
      return TryTouch(program_, made_);
    });
    return child.Finish();
  }
  void ExpectDenied(const std::function<void()>& prepare = {}) {
    EXPECT_EQ(WEXITSTATUS(Try(prepare)), EPERM);
    EXPECT_FALSE(Exists(made_));
  }
  void ExpectRuns(const std::function<void()>& prepare = {}) {
    EXPECT_EQ(Try(prepare), 0);
    EXPECT_TRUE(Exists(made_));
    unlink(made_.c_str());
  }
  // The one alert of the rule; its verdict is checked.
  Seen Only(std::string_view verdict) {
    const std::vector<Seen> alerts = Alerts("guard");
    EXPECT_EQ(alerts.size(), 1u);
    if (alerts.empty()) {
      EventBuilder nothing;
      nothing.Begin(EventClass::kProcessExec);
      return Seen(nothing.View());
    }
    EXPECT_EQ(alerts[0].Text(FieldId::kAlertVerdict), verdict) << alerts[0].Describe();
    return alerts[0];
  }
  std::string ChosenHook() {
    std::string name;
    sensor().pipeline().Ask([&] {
      for (const Backend& backend : sensor().pipeline().kernel().backends()) {
        if (backend.feature == "process.exec (deny)" && backend.chosen) name = backend.name;
      }
    });
    return name;
  }
  bool KnowsCapabilities() { return ChosenHook() == "BPF LSM bprm_creds_from_file"; }

  const std::string folder_ = NewFolder();
  const std::string bin_ = folder_ + "/bin";
  const std::string program_ = bin_ + "/touch";
  const std::string made_ = folder_ + "/made";
};

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_EXEC_DENY_H_
