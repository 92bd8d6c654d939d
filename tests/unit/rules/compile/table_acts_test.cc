// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <csignal>
#include <cstring>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/compile/compiler.h"
#include "rules/parse/load.h"

namespace kentry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::unique_ptr<CompiledRules> Compile(const std::string& yaml, Diagnostics* diagnostics) {
  const LoadResult loaded = ParseRules({{"test.yaml", yaml}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  const auto no_ends = [](std::string_view) { return PatternEnds(); };
  return CompiledRules::Compile(loaded.rules, no_ends, {1, 2}, diagnostics);
}

std::unique_ptr<CompiledRules> Compile(const std::string& yaml) {
  Diagnostics diagnostics;
  auto compiled = Compile(yaml, &diagnostics);
  EXPECT_NE(compiled, nullptr) << diagnostics.all()[0].message;
  return compiled;
}

std::string Rule(std::string_view on, std::string_view then, std::string_view when = "true") {
  static int number = 0;
  return fmt::format("  - {{name: r{}, on: {}, then: {}, when: '{}'}}\n", number++, on, then, when);
}

std::vector<size_t> BitsOf(const ke_row& row) {
  std::vector<size_t> bits;
  for (size_t i = 0; i < KE_CLAUSES; ++i) {
    if ((row.words[i / 64] >> (i % 64) & 1) != 0) bits.push_back(i);
  }
  return bits;
}

// The clauses of a row by its number; the row 0 has none.
std::vector<size_t> Clauses(const CompiledRules& rules, uint32_t row) {
  return BitsOf(rules.tables().rows.at(row));
}

TEST(TableActsTest, EachActionHasTheRowOfItsClauses) {
  const auto rules =
      Compile("mode: enforce\nrules:\n" + Rule("file.open", "alert", "process.uid == 1") +
              Rule("file.open", "deny", "process.uid == 2 || process.gid == 2") +
              Rule("file.open", "kill", "process.uid == 3") +
              Rule("file.open", "{signal: TERM}", "process.uid == 4"));
  const ke_rule_config& config = rules->tables().config;
  EXPECT_THAT(config.signals, ElementsAre(SIGKILL, SIGTERM, 0, 0));
  const ke_acts& acts = config.acts[KE_RC_OPEN];
  EXPECT_THAT(Clauses(*rules, acts.any), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Clauses(*rules, acts.deny), ElementsAre(1, 2));
  EXPECT_THAT(Clauses(*rules, acts.signals[0]), ElementsAre(3));
  EXPECT_THAT(Clauses(*rules, acts.signals[1]), ElementsAre(4));
  EXPECT_EQ(acts.signals[2], 0u);
  EXPECT_EQ(acts.signals[3], 0u);
}

TEST(TableActsTest, ClassesHaveTheirOwnRowsAndTheSameSignals) {
  const auto rules =
      Compile("mode: enforce\nrules:\n" + Rule("process.exec", "alert", "process.uid == 1") +
              Rule("process.exec", "{signal: USR1}", "process.uid == 2") +
              Rule("file.open", "{signal: USR1}", "process.uid == 3") +
              Rule("file.open", "{signal: HUP}", "process.uid == 4"));
  const ke_rule_config& config = rules->tables().config;
  EXPECT_THAT(config.signals, ElementsAre(SIGKILL, SIGHUP, SIGUSR1, 0));
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_EXEC].any), ElementsAre(1));
  EXPECT_EQ(config.acts[KE_RC_EXEC].signals[1], 0u);
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_EXEC].signals[2]), ElementsAre(1));
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_OPEN].any), ElementsAre(0, 1));
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_OPEN].signals[1]), ElementsAre(1));
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_OPEN].signals[2]), ElementsAre(0));
  EXPECT_EQ(config.acts[KE_RC_OPEN].signals[0], 0u) << "nobody kills";
}

TEST(TableActsTest, SignalKillIsKill) {
  const auto rules =
      Compile("rules:\n" + Rule("process.exec", "{signal: KILL}") + Rule("process.exec", "kill"));
  const ke_rule_config& config = rules->tables().config;
  EXPECT_THAT(config.signals, ElementsAre(SIGKILL, 0, 0, 0));
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_EXEC].signals[0]), ElementsAre(0, 1));
}

TEST(TableActsTest, RecordsOfRulesThatAlertActOrAreStrictAreUrgent) {
  const auto strict = [](std::string_view action, std::string_view when) {
    return Rule("file.open", std::string(action) + ", record: required", when);
  };
  const auto rules = Compile(
      "mode: enforce\nrules:\n" + Rule("file.open", "alert", "process.uid == 1") +
      Rule("file.open", "log", "process.uid == 2") + Rule("file.open", "drop", "process.uid == 3") +
      Rule("file.open", "deny", "process.uid == 4") + strict("log", "process.uid == 5") +
      strict("alert", "process.uid == 6") + Rule("file.unlink", "log", "process.uid == 7") +
      Rule("process.exec", "alert", "process.uid == 8"));
  const ke_rule_config& config = rules->tables().config;
  const ke_acts& open = config.acts[KE_RC_OPEN];
  EXPECT_THAT(Clauses(*rules, open.urgent), ElementsAre(0, 3, 4, 5));
  EXPECT_THAT(Clauses(*rules, open.strict), ElementsAre(4, 5));
  EXPECT_NE(config.acts[KE_RC_CHANGE].urgent, 0u);
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_CHANGE].urgent), IsEmpty());
  EXPECT_EQ(config.acts[KE_RC_CHANGE].strict, 0u);
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_EXEC].urgent), ElementsAre(0))
      << "it leaves room for strict ones";
}

TEST(TableActsTest, WhereAllRecordsAreUrgentNothingIsCompared) {
  const auto rules =
      Compile("rules:\n" + Rule("file.open", "alert") + Rule("file.open", "kill") +
              Rule("process.exec", "alert") + Rule("process.exec", "log", "process.uid == 1") +
              "  - {name: off, on: file.open, when: true, record: required, enabled: false}\n");
  const ke_rule_config& config = rules->tables().config;
  EXPECT_EQ(config.acts[KE_RC_OPEN].urgent, 0u);
  EXPECT_EQ(config.acts[KE_RC_CHANGE].urgent, 0u);
  EXPECT_THAT(Clauses(*rules, config.acts[KE_RC_EXEC].urgent), ElementsAre(0));
  EXPECT_EQ(config.strict, 0u);
}

TEST(TableActsTest, HowStrictRulesAreMeantIsTheSets) {
  const std::string text = "rules:\n" + Rule("file.open", "log, record: required");
  const auto strict = [&](const std::string& set) { return Compile(set + text)->tables().config; };
  EXPECT_EQ(strict("").strict, KE_STRICT_ANY);
  EXPECT_EQ(strict("").stall_ns, 10'000'000'000u);
  EXPECT_EQ(strict("mode: enforce\n").strict, KE_STRICT_ANY | KE_STRICT_ENFORCED);
  const ke_rule_config locks = strict("mode: enforce\non-stall: deny\nstall-after: 3s\n");
  EXPECT_EQ(locks.strict, KE_STRICT_ANY | KE_STRICT_ENFORCED | KE_STRICT_STALLED);
  EXPECT_EQ(locks.stall_ns, 3'000'000'000u);
  EXPECT_EQ(Compile("mode: enforce\non-stall: deny\nrules:\n" + Rule("file.open", "deny"))
                ->tables()
                .config.strict,
            0u);
}

TEST(TableActsTest, SetThatOnlyWatchesHasNoActs) {
  const auto rules = Compile(
      "mode: monitor\nrules:\n" + Rule("file.open", "alert") + Rule("file.open", "drop") +
      "  - {name: off, on: file.open, then: deny, when: process.uid == 1, enabled: false}\n");
  const ke_rule_config& config = rules->tables().config;
  EXPECT_THAT(config.signals, ElementsAre(0, 0, 0, 0));
  for (ke_acts acts : config.acts) {
    const ke_acts none{};
    acts.urgent = 0;
    EXPECT_EQ(std::memcmp(&acts, &none, sizeof(acts)), 0);
  }
}

TEST(TableActsTest, DenyAloneSendsNothing) {
  const auto rules = Compile("rules:\n" + Rule("file.open", "deny"));
  EXPECT_THAT(rules->tables().config.signals, ElementsAre(0, 0, 0, 0));
}

TEST(TableActsTest, InMonitorModeAllActsAreQuietInEnforceNone) {
  const std::string text = "rules:\n" + Rule("file.open", "alert", "process.uid == 1") +
                           Rule("file.open", "deny", "process.uid == 2") +
                           Rule("file.open", "kill", "process.uid == 3");
  const auto monitor = Compile("mode: monitor\n" + text);
  EXPECT_THAT(Clauses(*monitor, monitor->tables().config.acts[KE_RC_OPEN].quiet),
              ElementsAre(1, 2));
  const auto enforce = Compile("mode: enforce\n" + text);
  const uint32_t quiet = enforce->tables().config.acts[KE_RC_OPEN].quiet;
  EXPECT_NE(quiet, 0u);
  EXPECT_THAT(Clauses(*enforce, quiet), IsEmpty());
}

// Whether a number of a row stands in more than one place.
TEST(TableActsTest, QuietRowIsNobodyElses) {
  const auto rules =
      Compile("mode: monitor\nrules:\n" + Rule("file.open", "kill") + Rule("process.exec", "kill"));
  const RuleTables& tables = rules->tables();
  const ke_acts& open = tables.config.acts[KE_RC_OPEN];
  const ke_acts& exec = tables.config.acts[KE_RC_EXEC];
  ASSERT_THAT(Clauses(*rules, open.quiet), ElementsAre(0)) << "as the other rows are";
  for (const uint32_t other : {open.any, open.signals[0], exec.any, exec.quiet, exec.signals[0],
                               tables.config.class_row[KE_RC_OPEN]}) {
    EXPECT_NE(other, open.quiet);
  }
  EXPECT_EQ(std::count(tables.index.begin(), tables.index.end(), open.quiet), 0);
}

TEST(TableActsTest, RulesCanBeSilenced) {
  const std::string text = "rules:\n" + Rule("file.open", "alert", "process.uid == 1") +
                           Rule("file.open", "deny", "process.uid == 2 || process.gid == 2") +
                           Rule("file.open", "kill", "process.uid == 3") +
                           Rule("process.exec", "kill", "process.uid == 4");
  const auto enforce = Compile("mode: enforce\n" + text);
  EXPECT_THAT(BitsOf(enforce->QuietRow(KE_RC_OPEN, {})), IsEmpty());
  EXPECT_THAT(BitsOf(enforce->QuietRow(KE_RC_OPEN, {1, 3})), ElementsAre(1, 2));
  EXPECT_THAT(BitsOf(enforce->QuietRow(KE_RC_OPEN, {0, 2})), ElementsAre(3));
  EXPECT_THAT(BitsOf(enforce->QuietRow(KE_RC_EXEC, {3})), ElementsAre(0));
  const auto monitor = Compile("mode: monitor\n" + text);
  EXPECT_THAT(BitsOf(monitor->QuietRow(KE_RC_OPEN, {2})), ElementsAre(1, 2, 3));
}

TEST(TableActsTest, FallbackIsWhatTheKernelDoes) {
  const auto rules = Compile(R"(rules:
  - {name: a, on: process.exec, then: deny, fallback: kill, when: process.env_cut}
  - {name: b, on: process.exec, then: kill, fallback: alert, when: '"x" in process.args'})");
  EXPECT_EQ(rules->effect(0).action, RuleAction::kKill);
  EXPECT_EQ(rules->effect(1).action, RuleAction::kAlert);
  const ke_acts& acts = rules->tables().config.acts[KE_RC_EXEC];
  EXPECT_THAT(Clauses(*rules, acts.any), ElementsAre(0));
  EXPECT_EQ(acts.deny, 0u);
  EXPECT_THAT(Clauses(*rules, acts.signals[0]), ElementsAre(0));
}

TEST(TableActsTest, SaysWhetherExecsAreDeniedByCapabilities) {
  const auto asks = [](const std::string& action, const std::string& when) {
    return Compile("rules:\n" + Rule("process.exec", action, when) +
                   Rule("process.exec", "deny", "process.uid == 1"))
        ->tables()
        .exec_denies_by_caps;
  };
  EXPECT_TRUE(asks("deny", "process.gained_file_caps"));
  EXPECT_TRUE(asks("deny", "process.uid == 2 || process.cap_effective.hasAny(CAP_KILL)"));
  EXPECT_FALSE(asks("deny", "process.gained_setuid && process.from_memfd"));
  EXPECT_FALSE(asks("kill", "process.gained_file_caps"));
}

TEST(TableActsTest, MoreSignalsThanFitAreNamed) {
  const std::string three = "rules:\n" + Rule("process.exec", "{signal: HUP}") +
                            Rule("process.exec", "{signal: TERM}") +
                            Rule("file.open", "{signal: 40}");
  EXPECT_THAT(Compile(three)->tables().config.signals, ElementsAre(SIGKILL, SIGHUP, SIGTERM, 40));
  Diagnostics diagnostics;
  EXPECT_EQ(Compile(three + "  - {name: one-more, on: file.open, then: {signal: USR1}, when: true}",
                    &diagnostics),
            nullptr);
  ASSERT_EQ(diagnostics.errors(), 1u);
  const std::string& message = diagnostics.all().back().message;
  EXPECT_THAT(message, HasSubstr("4 different signals beside SIGKILL; at most 3: SIGHUP (\"r"));
  EXPECT_THAT(message, HasSubstr("SIGUSR1 (\"one-more\")"));
  EXPECT_THAT(message, HasSubstr("signal 40 (\"r"));
}

}  // namespace
}  // namespace kentry
