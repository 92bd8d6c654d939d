// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sensor/cli/command_line.h"

namespace kentry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

RulesOptions Parse(const Words& words) {
  const auto command = ParseCommandLine(words);
  EXPECT_TRUE(command.ok()) << command.status();
  return command.ok() ? std::get<RulesOptions>(*command) : RulesOptions();
}

std::string Error(const Words& words) {
  return std::string(ParseCommandLine(words).status().message());
}

TEST(RulesSpecTest, CheckAndTestTakePaths) {
  const RulesOptions check = Parse({"rules", "check", "a.yaml", "dir", "-o", "json"});
  EXPECT_EQ(check.task, RulesOptions::Task::kCheck);
  EXPECT_THAT(check.rules.paths, ElementsAre("a.yaml", "dir"));
  EXPECT_EQ(check.format, EventFormat::kJson);
  const RulesOptions test = Parse({"rules", "test", "--rule", "x"});
  EXPECT_EQ(test.task, RulesOptions::Task::kTest);
  EXPECT_THAT(test.rules.paths, IsEmpty());
  EXPECT_EQ(test.rule, "x");
}

TEST(RulesSpecTest, HardeningIsOffUnlessAskedFor) {
  EXPECT_EQ(Parse({"rules", "check"}).rules.hardening, Hardening::kOff);
  EXPECT_EQ(Parse({"rules", "test", "--hardening", "monitor"}).rules.hardening,
            Hardening::kMonitor);
  EXPECT_EQ(Parse({"rules", "explain", "x.yaml", "--hardening", "enforce"}).rules.hardening,
            Hardening::kEnforce);
  EXPECT_THAT(Error({"rules", "check", "--hardening", "yes"}),
              HasSubstr("--hardening: \"yes\" is not one of monitor, enforce"));
}

TEST(RulesSpecTest, RunTakesRulesAndHardening) {
  const auto run = [](const Words& words) {
    const auto command = ParseCommandLine(words);
    EXPECT_TRUE(command.ok()) << command.status();
    return std::get<RunOptions>(*command).rules;
  };
  EXPECT_EQ(run({"run"}).hardening, Hardening::kOff);
  const RuleChoice both = run({"run", "--rules", "a", "--hardening", "enforce"});
  EXPECT_THAT(both.paths, ElementsAre("a"));
  EXPECT_EQ(both.hardening, Hardening::kEnforce);
  const RuleChoice alone = run({"run", "--rules", "none", "--hardening", "monitor"});
  EXPECT_TRUE(alone.none);
  EXPECT_THAT(alone.paths, IsEmpty());
}

TEST(RulesSpecTest, WrongWords) {
  EXPECT_THAT(Error({"rules"}), HasSubstr("kentry rules: which command? commands are rules check, "
                                          "rules test"));
  EXPECT_THAT(Error({"rules", "chek"}),
              HasSubstr("kentry rules: unknown command \"chek\"; did you mean \"check\"?"));
  EXPECT_THAT(Error({"rules", "check", "--rule", "x"}), HasSubstr("unknown option \"--rule\""));
  EXPECT_THAT(Error({"rules", "check", "-o", "xml"}), HasSubstr("--format"));
}

TEST(RulesSpecTest, HelpOfBoth) {
  for (const Words& words : {Words{"rules", "check", "--help"}, Words{"help", "rules", "check"}}) {
    const auto command = ParseCommandLine(words);
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_THAT(std::get<HelpOptions>(*command).text,
                HasSubstr("Usage: kentry rules check [PATH]..."));
  }
}

}  // namespace
}  // namespace kentry
