// SPDX-License-Identifier: Apache-2.0
#include "rules/library/builtin.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/match/rule_tests.h"
#include "rules/parse/load.h"
#include "sensor/pipeline/rule_engine.h"

namespace kentry {
namespace {

using testing::IsEmpty;
using testing::StartsWith;

std::vector<SourceFile> Both() {
  std::vector<SourceFile> files = BuiltinRules();
  std::vector<SourceFile> more = HardeningRules();
  std::move(more.begin(), more.end(), std::back_inserter(files));
  return files;
}

std::shared_ptr<const RuleSet> Load(std::vector<SourceFile> files) {
  LoadResult loaded = ParseRules(std::move(files));
  // An enforcing rule that the kernel can't decide is an error of the engine.
  if (loaded.rules != nullptr) RuleEngine::Create(loaded.rules, &loaded.diagnostics);
  for (const Diagnostic& found : loaded.diagnostics.all()) ADD_FAILURE() << found.message;
  return loaded.diagnostics.errors() == 0 ? loaded.rules : nullptr;
}

void ExpectTestsPassAndCover(const RuleSet& rules) {
  const TestReport report = RunRuleTests(rules, "");
  EXPECT_THAT(report.untested, IsEmpty());
  for (const TestResult& test : report.tests) {
    EXPECT_TRUE(test.passed) << test.rule << " " << test.name << " " << test.error;
  }
  for (const RuleCoverage& rule : report.rules) {
    for (const PartCoverage& part : rule.parts) {
      EXPECT_TRUE(part.ever_true && part.ever_false) << rule.rule << ": " << part.text;
    }
  }
}

TEST(BuiltinRulesTest, TheLibrarysTestsPass) {
  const auto rules = Load(BuiltinRules());
  ASSERT_NE(rules, nullptr);
  ExpectTestsPassAndCover(*rules);
}

TEST(BuiltinRulesTest, TheHardeningSetsTestsPassByItself) {
  const auto rules = Load(HardeningRules());
  ASSERT_NE(rules, nullptr);
  EXPECT_THAT(rules->files[0].name, StartsWith("library/hardening/"));
  ExpectTestsPassAndCover(*rules);
}

TEST(BuiltinRulesTest, BothGoTogetherInEitherOrder) {
  EXPECT_NE(Load(Both()), nullptr);
  std::vector<SourceFile> turned = Both();
  std::reverse(turned.begin(), turned.end());
  EXPECT_NE(Load(turned), nullptr);
}

// The rules of the library only watch: the hardening option changes the mode of them all.
TEST(BuiltinRulesTest, TheHardeningSetEnforcesAndTheLibraryDoesNot) {
  const auto rules = Load(Both());
  ASSERT_NE(rules, nullptr);
  size_t enforcing = 0;
  for (const Rule& rule : rules->rules) {
    const bool hardens = rule.name.starts_with("harden-");
    EXPECT_EQ(Enforces(rule.action), hardens) << rule.name;
    if (!hardens) continue;
    ++enforcing;
    EXPECT_EQ(rule.guard, 0u) << rule.name << ": a guard could be used up on purpose";
    EXPECT_FALSE(rule.description.empty() || rule.message.empty()) << rule.name;
    EXPECT_FALSE(rule.tags.empty() || rule.false_positives.empty()) << rule.name;
  }
  EXPECT_GE(enforcing, 15u);
}

}  // namespace
}  // namespace kentry
