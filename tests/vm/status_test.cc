// SPDX-License-Identifier: Apache-2.0
// `kentry status` of a running daemon shows its rules: the program itself, asked through its
// socket.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

constexpr char kKentry[] = "/bin/kentry";

class StatusTest : public OwnSensorTest {
 protected:
  void SetUp() override {
    OwnSensorTest::SetUp();
    if (access(kKentry, X_OK) != 0) GTEST_SKIP() << "no " << kKentry << " in this machine";
    folder_ = NewFolder();
  }

  // What `kentry COMMAND…` writes; empty unless it ends well.
  std::string Ask(std::vector<std::string> args) {
    const std::string out = folder_ + "/out";
    args.insert(args.begin(), "kentry");
    args.insert(args.end(), {"--socket", folder_ + "/sock"});
    Child child([&]() -> int {
      const Fd fd(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
      Must(dup2(fd.get(), STDOUT_FILENO), "dup2");
      Exec({.path = kKentry, .args = args});
    });
    return child.Finish() == 0 ? ReadFile(out) : "";
  }
  // The status once it has `text` in it, or the last one that was had.
  std::string AskUntil(const std::string& text) {
    const absl::Time deadline = absl::Now() + kPatience;
    std::string status;
    while (absl::Now() < deadline) {
      status = Ask({"status", "-o", "json"});
      if (status.find(text) != std::string::npos) break;
      usleep(100'000);
    }
    return status;
  }
  void Expect(const std::string& status, const std::string& text) {
    EXPECT_NE(status.find(text), std::string::npos) << text << " is not in " << status;
  }

  std::string folder_;
};

TEST_F(StatusTest, ShowsTheRuleSetWhatItSaidAndARefusedReload) {
  const std::string rules = folder_ + "/rules.yaml";
  WriteFile(rules,
            "rule_set: mine\nrules:\n"
            "  - {name: held, on: process.exec, when: 'process.binary == \"/fixtures/hold\"'}\n"
            "  - {name: noted, on: process.exec, when: 'process.binary == \"/bin/nothing\"'}\n");
  Child daemon([&]() -> int {
    Exec({.path = kKentry,
          .args = {"kentry", "run", "--quiet", "--socket", folder_ + "/sock", "--rules", rules}});
  });
  const std::string before = AskUntil("\"rules\":{");
  Expect(before, "\"rules\":{\"epoch\":1,\"name\":\"mine\",");
  Expect(before, "\"count\":2,\"alerts\":0,");
  Expect(before, "\"rules_left_out\":0}");
  for (int i = 0; i < 3; ++i) {
    Child child([]() -> int { Exec({}); });
    EXPECT_EQ(child.Finish(), 0);
  }
  const std::string after = AskUntil("\"alerts\":3,");
  Expect(after, "\"count\":2,\"alerts\":3,\"logged\":0,\"dropped\":0,\"suppressed\":0,");
  Expect(after, "\"kernel_errors\":0,\"outdated\":0,\"file_roots\":0,");
  Expect(after,
         "\"rules\":[{\"name\":\"held\",\"hits\":3,\"uncertain\":0,\"suppressed\":0},"
         "{\"name\":\"noted\",\"hits\":0,\"uncertain\":0,\"suppressed\":0}]");

  WriteFile(rules, "rules: [{name: bad, on: process.exec, when: 'process.binry == \"\"'}]\n");
  const std::string refused = AskUntil("refused_error");
  Expect(refused, fmt::format("\"refused_error\":\"{}:1:46: unknown field ", rules));
  Expect(refused, "\"rules\":{\"epoch\":1,\"name\":\"mine\",");
  kill(daemon.pid(), SIGTERM);
  EXPECT_EQ(daemon.Finish(), 0);
}

TEST_F(StatusTest, SaysThatThereAreNoRules) {
  Child daemon([&]() -> int {
    Exec({.path = kKentry,
          .args = {"kentry", "run", "--quiet", "--socket", folder_ + "/sock", "--rules", "none"}});
  });
  EXPECT_NE(AskUntil("\"epoch\":0,").find("\"rules\":{\"epoch\":0,\"name\":\"\","),
            std::string::npos);
  Expect(Ask({"status"}), "none in force\n");
  kill(daemon.pid(), SIGTERM);
  EXPECT_EQ(daemon.Finish(), 0);
}

}  // namespace
}  // namespace kentry::vm
