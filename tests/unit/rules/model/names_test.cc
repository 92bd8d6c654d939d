// SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "rules/model/rule_set.h"

namespace kentry {
namespace {

TEST(RuleNamesTest, AsTheLanguageSpellsThem) {
  EXPECT_EQ(ActionName(RuleAction::kAlert), "alert");
  EXPECT_EQ(ActionName(RuleAction::kSignal), "signal");
  EXPECT_EQ(ActionName(RuleAction::kDeny), "deny");
  EXPECT_EQ(SeverityName(RuleSeverity::kInfo), "info");
  EXPECT_EQ(SeverityName(RuleSeverity::kCritical), "critical");
  EXPECT_EQ(ModeName(RuleMode::kEnforce), "enforce");
  EXPECT_EQ(ModeName(RuleMode::kOff), "off");
}

TEST(DiagnosticsTest, BeyondTheBoundTheyAreCountedOnly) {
  Diagnostics diagnostics;
  for (size_t i = 0; i < Diagnostics::kMax + 5; ++i) diagnostics.Error({}, "", "x");
  diagnostics.Warning({}, "", "y");
  EXPECT_EQ(diagnostics.all().size(), Diagnostics::kMax);
  EXPECT_EQ(diagnostics.errors(), Diagnostics::kMax + 5);
  EXPECT_EQ(diagnostics.warnings(), 1u);
}

}  // namespace
}  // namespace kentry
