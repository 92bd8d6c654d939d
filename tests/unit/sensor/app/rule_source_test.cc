// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/rule_source.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace kentry {
namespace {

// A rule file that lasts as long as this.
class RuleFile {
 public:
  explicit RuleFile(const std::string& text)
      : path_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(path_) << text;
  }
  ~RuleFile() { std::remove(path_.c_str()); }
  RuleFile(const RuleFile&) = delete;
  RuleFile& operator=(const RuleFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string FirstOf(const LoadResult& loaded) {
  return loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message;
}

const Rule* Find(const RuleSet& rules, const std::string& name) {
  const auto at = std::find_if(rules.rules.begin(), rules.rules.end(),
                               [&](const Rule& rule) { return rule.name == name; });
  return at == rules.rules.end() ? nullptr : &*at;
}

TEST(RuleSourceTest, HardeningComesBeforeTheUsersFilesAndItsModeWins) {
  const RuleFile file(
      "mode: monitor\n"
      "extend: {lists: {hardening_installers: [/opt/agent]}}\n"
      "disable: [harden-setuid-bit-set]\n"
      "rules: [{name: own, on: process.exec, when: 'process.uid == 0'}]\n");
  const LoadResult loaded =
      LoadChosenRules({.paths = {file.path()}, .hardening = Hardening::kEnforce});
  ASSERT_NE(loaded.rules, nullptr) << FirstOf(loaded);
  EXPECT_EQ(loaded.rules->mode, RuleMode::kEnforce);
  EXPECT_EQ(loaded.readable, loaded.rules);
  EXPECT_NE(Find(*loaded.rules, "own"), nullptr);
  ASSERT_NE(Find(*loaded.rules, "harden-setuid-bit-set"), nullptr);
  EXPECT_FALSE(Find(*loaded.rules, "harden-setuid-bit-set")->enabled);
  EXPECT_TRUE(Find(*loaded.rules, "harden-program-written")->enabled);
  EXPECT_EQ(Find(*loaded.rules, "etc-write"), nullptr) << "the library was not asked for";
}

TEST(RuleSourceTest, WithoutHardeningTheFilesSayTheMode) {
  const RuleFile file("mode: enforce\nrules: []\n");
  const LoadResult loaded = LoadChosenRules({.paths = {file.path()}});
  ASSERT_NE(loaded.rules, nullptr) << FirstOf(loaded);
  EXPECT_EQ(loaded.rules->mode, RuleMode::kEnforce);
  EXPECT_TRUE(loaded.rules->rules.empty());
  const LoadResult watched =
      LoadChosenRules({.paths = {file.path()}, .hardening = Hardening::kMonitor});
  ASSERT_NE(watched.rules, nullptr) << FirstOf(watched);
  EXPECT_EQ(watched.rules->mode, RuleMode::kMonitor);
}

TEST(RuleSourceTest, NoRulesButTheHardeningSet) {
  const LoadResult loaded = LoadChosenRules({.none = true, .hardening = Hardening::kMonitor});
  ASSERT_NE(loaded.rules, nullptr) << FirstOf(loaded);
  EXPECT_FALSE(loaded.rules->rules.empty());
  for (const Rule& rule : loaded.rules->rules) {
    EXPECT_TRUE(rule.name.starts_with("harden-")) << rule.name;
  }
}

TEST(RuleSourceTest, AnErrorOfTheUsersIsFoundWithHardeningToo) {
  const RuleFile file("rules: [{name: own, on: process.exec, when: 'process.uidd == 0'}]\n");
  const LoadResult loaded =
      LoadChosenRules({.paths = {file.path()}, .hardening = Hardening::kEnforce});
  EXPECT_EQ(loaded.rules, nullptr);
  ASSERT_EQ(loaded.diagnostics.errors(), 1u);
  EXPECT_EQ(loaded.readable->files[loaded.diagnostics.all()[0].at.file].name, file.path());
}

}  // namespace
}  // namespace kentry
