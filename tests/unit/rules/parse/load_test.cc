// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/load.h"

#include <sys/stat.h>

#include <unistd.h>
#include <chrono>

#include <filesystem>
#include <fstream>

#include "rules/parse/limits.h"
#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::Report;
using parse_testing::Said;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LoadTest : public testing::Test {
 protected:
  LoadTest() { std::filesystem::create_directories(dir_); }
  ~LoadTest() override { std::filesystem::remove_all(dir_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
  }
  LoadResult Load(const std::vector<std::string>& paths) { return LoadRuleFiles(paths); }

  // Both shards run at once.
  std::string dir_ = fmt::format("{}kentry_rules_load_test.{}", testing::TempDir(), getpid());
};

std::string RuleNamed(std::string_view name) {
  return fmt::format("rules: [{{name: {}, on: process.exec, when: true}}]\n", name);
}

TEST_F(LoadTest, ADirectoryIsOneSetInTheOrderOfNames) {
  Write("b.yaml", RuleNamed("second"));
  Write("a.yml", RuleNamed("first"));
  Write(".hidden.yaml", "wrong");
  Write("notes.txt", "wrong");
  std::filesystem::create_directories(dir_ + "/sub.yaml");
  const auto result = Load({dir_});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  ASSERT_EQ(result.rules->rules.size(), 2u);
  EXPECT_EQ(result.rules->rules[0].name, "first");
  EXPECT_EQ(result.rules->files[1].name, dir_ + "/b.yaml");
}

TEST_F(LoadTest, WhatCantBeReadIsAnErrorBesideTheOthers) {
  Write("a.yaml", "mode: on\n");
  ASSERT_EQ(mkfifo((dir_ + "/pipe.yaml").c_str(), 0600), 0);
  const auto result = Load({dir_, "/nonexistent", "/dev/null"});
  EXPECT_EQ(result.rules, nullptr);
  EXPECT_THAT(Said(result), ElementsAre("0:0+1 is no regular file",
                                        "0:0+1 can't be read: No such file or directory",
                                        "0:0+1 is no regular file", HasSubstr("unknown mode")));
}

TEST_F(LoadTest, AnEmptyDirectoryIsAWarning) {
  const auto result = Load({dir_});
  EXPECT_NE(result.rules, nullptr);
  EXPECT_THAT(Said(result), ElementsAre(HasSubstr("the directory holds no rule files")));
}

TEST_F(LoadTest, FilesHaveALimit) {
  Write("a.yaml", "# " + std::string(kMaxRuleFileBytes, 'x'));
  EXPECT_THAT(Said(Load({dir_})), ElementsAre("0:0+1 the file is larger than 10 MiB"));
  const std::string most = "#" + std::string(kMaxRuleFileBytes - 1, 'x');
  EXPECT_NE(Parse(most).rules, nullptr);
  std::vector<SourceFile> files(7, {.name = "a", .text = most});
  EXPECT_THAT(Said(ParseRules(std::move(files))),
              ElementsAre("0:0+1 the rule files are larger than 64 MiB together"));
}

TEST(ParseRulesTest, TheRevisionFollowsNamesAndContents) {
  const auto revision = [](const char* name, const char* text) {
    return ParseRules({{.name = name, .text = text}}).rules->revision;
  };
  EXPECT_EQ(revision("a", "").size(), 12u);
  EXPECT_EQ(revision("a", "mode: off\n"), revision("a", "mode: off\n"));
  EXPECT_NE(revision("a", "mode: off\n"), revision("b", "mode: off\n"));
  EXPECT_NE(revision("a", "mode: off\n"), revision("a", "mode: off \n"));
  EXPECT_NE(ParseRules({{"a", "#b"}, {"c", ""}}).rules->revision,
            ParseRules({{"a", "#"}, {"bc", ""}}).rules->revision);
}

TEST(ParseRulesTest, RulesWithoutAnErrorAreReadableBesideOthers) {
  const auto result = Parse(
      "rules:\n  - {name: a, on: process.exec, when: nope}\n"
      "  - {name: b, on: process.exec, when: true}\n");
  EXPECT_EQ(result.rules, nullptr);
  ASSERT_EQ(result.readable->rules.size(), 1u);
  EXPECT_EQ(result.readable->rules[0].name, "b");
}

// The bound is far above what it takes: it is about growth, not about the machine.
void ExpectBounded(const std::string& text, bool right) {
  const auto start = std::chrono::steady_clock::now();
  const auto result = Parse(text);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(result.rules != nullptr, right) << Report(result).substr(0, 500);
}

TEST(ParseRulesTest, TenThousandRulesLoad) {
  std::string text = "rules:\n";
  for (int i = 0; i < 10000; ++i) {
    text += fmt::format(
        "  - name: r{0}\n    on: process.exec\n    when: process.binary in ['/a{0}', '/b'] && "
        "container.id != '' && !parent.binary.startsWith('/x{0}')\n    message: "
        "'{{process.binary}}'\n    tests: [{{given: {{process: {{binary: /a}}}}}}]\n",
        i);
  }
  ExpectBounded(text, true);
}

TEST(ParseRulesTest, BombsEnd) {
  std::string macros = "macros:\n  m0: process.uid == 0\n";
  std::string lists = "lists:\n  l0: [a, b]\n";
  for (int i = 1; i < 50; ++i) {
    macros += fmt::format("  m{}: m{} && m{}\n", i, i - 1, i - 1);
    lists += fmt::format("  l{}: [$l{}, $l{}]\n", i, i - 1, i - 1);
  }
  ExpectBounded(macros + "rules: [{name: r, on: process.exec, when: m49}]\n", false);
  ExpectBounded(lists, false);
  std::string chain = "macros:\n";
  for (int i = 0; i < 5000; ++i) chain += fmt::format("  m{}: m{}\n", i, i + 1);
  ExpectBounded(chain, false);
  std::string unknown = "rules:\n";
  for (int i = 0; i < 5000; ++i) {
    unknown += fmt::format("  - {{name: r{}, on: process.exec, when: x{} && y && z}}\n", i, i);
  }
  const auto result = Parse(unknown);
  EXPECT_EQ(result.diagnostics.errors(), 15000u);
  EXPECT_EQ(result.diagnostics.all().size(), Diagnostics::kMax);
}

}  // namespace
}  // namespace kentry
