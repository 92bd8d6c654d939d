// SPDX-License-Identifier: Apache-2.0
// The interpreters of a script, as the kernel went through them.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

class ChainTest : public SensorTest {
 protected:
  void SetUp() override {
    SensorTest::SetUp();
    sensor().pipeline().Ask([&] {
      for (const Backend& backend : sensor().pipeline().kernel().backends()) {
        if (backend.feature == "process.interpreters" && backend.chosen) backend_ = backend.name;
      }
    });
    ASSERT_FALSE(backend_.empty());
  }
  bool derived() const { return backend_ == "derived from argv"; }

  // Scripts, each the interpreter of the one before; the last one's is the hold program. Returns
  // their paths, the one to execute first.
  std::vector<std::string> Scripts(int depth) {
    std::vector<std::string> scripts;
    std::string interpreter = kHold;
    for (int i = 0; i < depth; ++i) {
      std::string path = fmt::format("{}/s{}", NewFolder(), i);
      WriteFile(path, "#!" + interpreter + "\n");
      interpreter = path;
      scripts.insert(scripts.begin(), path);
    }
    return scripts;
  }

  std::string backend_;
};

TEST_F(ChainTest, ScriptAndItsInterpreter) {
  const std::string script = Scripts(1)[0];
  const Seen exec = RunProgram({.path = script, .args = {"name", "x"}});
  EXPECT_EQ(exec.Text(kProcessBinary), kHold);
  EXPECT_EQ(exec.Text(kProcessScript), script);
  EXPECT_EQ(exec.List(kProcessInterpreters), std::vector<std::string>{kHold});
  EXPECT_EQ(exec.List(kProcessArgs), (std::vector<std::string>{kHold, script, "x"}));
  EXPECT_EQ(exec.Is(kProcessInterpretersDerived), derived());
}

TEST_F(ChainTest, OptionIsNoInterpreter) {
  if (derived()) GTEST_SKIP() << "interpreters derived from argv: an option looks like one";
  const std::string script = NewFolder() + "/with-option";
  WriteFile(script, fmt::format("#!{} -e some option\n", kHold));
  const Seen exec = RunProgram({.path = script});
  EXPECT_EQ(exec.List(kProcessInterpreters), std::vector<std::string>{kHold});
  EXPECT_EQ(exec.List(kProcessArgs)[1], "-e some option");
}

TEST_F(ChainTest, FiveDeep) {
  const std::vector<std::string> scripts = Scripts(5);
  const Seen exec = RunProgram({.path = scripts[0]});
  EXPECT_EQ(exec.Text(kProcessScript), scripts[0]);
  EXPECT_EQ(exec.Text(kProcessBinary), kHold);
  std::vector<std::string> interpreters(scripts.begin() + 1, scripts.end());
  interpreters.push_back(kHold);
  EXPECT_EQ(exec.List(kProcessInterpreters), interpreters);
}

TEST_F(ChainTest, ScriptIsNamedAsTheCallerNamedIt) {
  const std::string script = Scripts(1)[0];
  const std::string folder = script.substr(0, script.rfind('/'));
  const Seen exec = RunProgram({.path = "./s0"}, [&] { Must(chdir(folder.c_str()), "chdir"); });
  EXPECT_EQ(exec.Text(kProcessScript), "./s0");
  EXPECT_EQ(exec.Text(kProcessCwd), folder);
}

TEST_F(ChainTest, ScriptByDescriptor) {
  const std::string script = Scripts(1)[0];
  const int fd = open(script.c_str(), O_RDONLY);  // the interpreter opens it again
  const Seen exec = RunProgram({.fd = fd});
  EXPECT_EQ(exec.Text(kProcessScript), fmt::format("/dev/fd/{}", fd));
  EXPECT_EQ(exec.List(kProcessInterpreters), std::vector<std::string>{kHold});
  close(fd);
}

TEST_F(ChainTest, FailedExecLeavesNothingBehind) {
  const std::vector<std::string> too_deep = Scripts(7);
  const std::string good = Scripts(1)[0];
  const auto fail_first = [&] {
    char* const none[] = {nullptr};
    if (execve(too_deep[0].c_str(), none, none) != -1 || errno != ELOOP) Must(-1, "ELOOP expected");
  };
  const Seen plain = RunProgram({}, fail_first);
  EXPECT_FALSE(plain.Has(kProcessScript));
  EXPECT_FALSE(plain.Has(kProcessInterpreters));
  const Seen script = RunProgram({.path = good}, fail_first);
  EXPECT_EQ(script.List(kProcessInterpreters), std::vector<std::string>{kHold});
}

TEST_F(ChainTest, LongScriptNameIsWhole) {
  std::string path = NewFolder() + "/";
  path += std::string(200, 'p');
  WriteFile(path, fmt::format("#!{}\n", kHold));
  EXPECT_EQ(RunProgram({.path = path}).Text(kProcessScript), path);
}

}  // namespace
}  // namespace kentry::vm
