// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/kept_rules.h"

#include "gtest/gtest.h"
#include "sensor/app/rule_source.h"

namespace kentry {
namespace {

constexpr char kRules[] =
    "rule_set: mine\nmode: enforce\nrules:\n"
    "  - {name: one, on: file.open, when: 'file.path == \"/a\"', then: deny}\n"
    "  - {name: two, on: process.exec, when: 'process.binary == \"/b\"', mark: {name: seen}}\n";

std::unique_ptr<RuleEngine> Engine(const std::string& text) {
  return EngineOf({{.name = "rules.yaml", .text = text}}, RuleMode::kEnforce);
}

TEST(KeptRulesTest, AreRestoredWithTheSameClauses) {
  const auto engine = Engine(kRules);
  ASSERT_NE(engine, nullptr);
  const auto kept = ReadKeptRules(KeepRules(*engine, MarkPlaces()));
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto restored = RestoreEngine(*kept, EngineOf);
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(restored->rules().name, "mine");
  EXPECT_EQ(restored->rules().revision, engine->rules().revision);
}

// --hardening sets it over what the files say.
TEST(KeptRulesTest, TheModeIsTheOneInForce) {
  for (const RuleMode mode : {RuleMode::kEnforce, RuleMode::kMonitor, RuleMode::kOff}) {
    const auto engine = EngineOf({{.name = "rules.yaml", .text = kRules}}, mode);
    ASSERT_NE(engine, nullptr);
    const auto kept = ReadKeptRules(KeepRules(*engine, MarkPlaces()));
    ASSERT_TRUE(kept.ok()) << kept.status();
    const auto restored = RestoreEngine(*kept, EngineOf);
    ASSERT_NE(restored, nullptr);
    EXPECT_EQ(restored->rules().mode, mode);
  }
}

TEST(KeptRulesTest, OtherClausesAreNotTakenForThem) {
  const auto engine = Engine(kRules);
  ASSERT_NE(engine, nullptr);
  auto kept = ReadKeptRules(KeepRules(*engine, MarkPlaces()));
  ASSERT_TRUE(kept.ok());
  kept->files[0].text =
      "rules: [{name: two, on: process.exec, when: 'process.binary == \"/b\"'}]\n";
  EXPECT_EQ(RestoreEngine(*kept, EngineOf), nullptr);
}

TEST(KeptRulesTest, APartIsNoText) {
  const auto engine = Engine(kRules);
  ASSERT_NE(engine, nullptr);
  const std::string text = KeepRules(*engine, MarkPlaces());
  for (size_t size = 0; size < text.size(); size += 7) {
    EXPECT_FALSE(ReadKeptRules(std::string_view(text).substr(0, size)).ok()) << size;
  }
}

TEST(KeptRulesTest, MarksKeepTheirPlaces) {
  const auto engine = Engine(kRules);
  const auto first = Engine(
      "rules: [{name: x, on: process.exec, when: 'process.binary == \"/x\"', mark: {name: "
      "other}}]");
  ASSERT_NE(engine, nullptr);
  ASSERT_NE(first, nullptr);
  MarkPlaces places;
  places.Place(first->compiled().marks());
  const auto before = places.Place(engine->compiled().marks());
  const auto kept = ReadKeptRules(KeepRules(*engine, places));
  ASSERT_TRUE(kept.ok());
  MarkPlaces after = kept->places;
  const auto again = after.Place(engine->compiled().marks());
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(before[0].bit, 1u);
  EXPECT_EQ(again[0].bit, before[0].bit);
  EXPECT_EQ(again[0].certain, before[0].certain);
}

}  // namespace
}  // namespace kentry
