// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/rule_engine.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/parse/load.h"
#include "tests/unit/exporters/encode/sample_events.h"

namespace kentry {
namespace {

using enum FieldId;
using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Result = RuleEngine::Result;

constexpr EventClass kExec = EventClass::kProcessExec;
constexpr uint64_t kSecond = 1'000'000'000;

std::shared_ptr<const RuleSet> Parse(const std::string& yaml) {
  LoadResult loaded = ParseRules({{"test.yaml", yaml}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  return loaded.rules;
}

class RuleEngineTest : public testing::Test {
 protected:
  void Load(const std::string& yaml) {
    Diagnostics diagnostics;
    engine_ = RuleEngine::Create(Parse(yaml), &diagnostics);
    ASSERT_NE(engine_, nullptr);
    EXPECT_EQ(diagnostics.errors(), 0u);
  }

  // The clause words of a record for which all clauses of these rules hold.
  std::vector<uint64_t> ClausesOf(const std::vector<std::string>& rules, ke_rule_class cls) const {
    std::vector<uint64_t> words(KE_WORDS);
    const std::vector<Clause>& clauses = engine_->compiled().clauses(cls);
    for (size_t i = 0; i < clauses.size(); ++i) {
      const std::string& name = engine_->rules().rules[clauses[i].rule].name;
      if (std::count(rules.begin(), rules.end(), name) != 0) {
        words[i / 64] |= uint64_t{1} << (i % 64);
      }
    }
    return words;
  }

  // Judges an event of which the kernel says that all clauses of `rules` hold.
  Result Judge(EventClass cls, std::initializer_list<SampleValue> values,
               const std::vector<std::string>& rules, bool undecided = false) {
    Sample(builder_, cls, values);
    builder_.header().boot_ns = now_ns_;
    std::vector<uint64_t> words;
    if (const auto kernel = KernelClass(cls); kernel) words = ClausesOf(rules, *kernel);
    return engine_->Judge(builder_.View(), words, undecided, nullptr);
  }

  // What the engine adds to the event that was judged last.
  EventView Described() {
    engine_->Describe(&builder_);
    return builder_.View();
  }
  static std::vector<std::string> List(EventView event, FieldId id) {
    std::vector<std::string> list;
    ForEachString(event.Text(id), [&](std::string_view item) { list.emplace_back(item); });
    return list;
  }

  std::unique_ptr<RuleEngine> engine_;
  EventBuilder builder_;
  uint64_t now_ns_ = 100 * kSecond;
};

TEST_F(RuleEngineTest, ExactClauseIsTrusted) {
  Load(R"(rules: [{name: a, on: process.exec, when: 'process.binary == "/a"'}])");
  ASSERT_TRUE(engine_->compiled().clauses(KE_RC_EXEC)[0].exact);
  // What the kernel saw decides, not what user space shows of it.
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/other")}, {"a"}), Result::kAlert);
  EXPECT_EQ(engine_->counters()[0].hits, 1u);
  EXPECT_EQ(engine_->counters()[0].uncertain, 0u);
}

TEST_F(RuleEngineTest, WhatTheKernelLeftIsEvaluated) {
  Load(R"(rules:
  - {name: a, on: process.exec, when: 'process.binary == "/bin/sh" && "-c" in process.args'})");
  ASSERT_FALSE(engine_->compiled().clauses(KE_RC_EXEC)[0].exact);
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/bin/sh"), Str(kProcessArgs, "sh\0"sv)}, {"a"}),
            Result::kNone);
  EXPECT_EQ(engine_->counters()[0].hits, 0u);
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/bin/sh"), Str(kProcessArgs, "sh\0-c\0"sv)}, {"a"}),
            Result::kAlert);
  EXPECT_EQ(engine_->counters()[0].hits, 1u);
}

TEST_F(RuleEngineTest, UndecidedRecordHasItsExactClausesEvaluatedToo) {
  Load(R"(rules:
  - {name: a, on: process.exec, when: 'process.binary == "/a"'}
  - {name: b, on: process.exec, when: 'process.binary == "/b"'})");
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/c")}, {"a", "b"}, true), Result::kNone);
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/b")}, {"a", "b"}, true), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("b"));
}

TEST_F(RuleEngineTest, NoClauseNoAlert) {
  Load(R"(rules: [{name: a, on: process.exec, when: 'process.binary == "/a"'}])");
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/a")}, {}), Result::kNone);
  EXPECT_EQ(engine_->Judge(builder_.View(), {}, true, nullptr), Result::kNone);
}

TEST_F(RuleEngineTest, ClausesThatTheSetDoesNotHaveAreIgnored) {
  Load(R"(rules: [{name: a, on: file.open, when: 'process.binary == "/a"'}])");
  Sample(builder_, EventClass::kFileOpen, {Str(kProcessBinary, "/a")});
  std::vector<uint64_t> words(KE_WORDS + 1, UINT64_MAX);
  words[0] -= 1;  // all but the one that there is
  EXPECT_EQ(engine_->Judge(builder_.View(), words, false, nullptr), Result::kNone);
  words[0] = UINT64_MAX;
  EXPECT_EQ(engine_->Judge(builder_.View(), words, false, nullptr), Result::kAlert);
  EXPECT_EQ(engine_->counters()[0].hits, 1u);
}

TEST_F(RuleEngineTest, SeveralClausesOfARuleAreOneMatch) {
  Load(R"(rules:
  - {name: a, on: process.exec, mark: m, when: 'process.binary == "/a" || process.uid == 3'})");
  ASSERT_EQ(engine_->compiled().clauses(KE_RC_EXEC).size(), 2u);
  EXPECT_EQ(Judge(kExec, {Str(kProcessBinary, "/a"), Num(kProcessUid, 3)}, {"a"}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("a"));
  EXPECT_EQ(engine_->counters()[0].hits, 1u);
  EXPECT_EQ(engine_->marks().size(), 1u);
}

TEST_F(RuleEngineTest, ClassWithoutKernelFilterIsJudgedByUserSpace) {
  Load(R"(rules:
  - {name: a, on: process.exit, when: 'exit.code == 1'}
  - {name: b, on: process.exit, when: 'exit.code == 1', enabled: false}
  - {name: c, on: process.fork, when: 'true'})");
  EXPECT_EQ(Judge(EventClass::kProcessExit, {Num(kExitCode, 1)}, {}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("a"));
  EXPECT_EQ(Judge(EventClass::kProcessExit, {Num(kExitCode, 2)}, {}), Result::kNone);
  EXPECT_EQ(Judge(EventClass::kCgroup, {}, {}), Result::kNone);
}

TEST_F(RuleEngineTest, DropWinsOverAlerts) {
  Load(R"(rules:
  - {name: alert, on: process.exec, when: 'process.uid == 1', severity: critical}
  - {name: drop, on: process.exec, when: 'process.uid == 1', then: drop})");
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"alert", "drop"}), Result::kDrop);
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"drop"}), Result::kDrop);
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"alert"}), Result::kAlert);
}

TEST_F(RuleEngineTest, UncertainDropDropsNothingAndIsNoAlert) {
  Load(R"(rules:
  - {name: drop, on: process.exec, when: 'process.binary == "/a"', then: drop}
  - {name: alert, on: process.exec, when: 'process.uid == 1'})");
  const auto binary = Str(kProcessBinary, "/a", kFieldCut);
  EXPECT_EQ(Judge(kExec, {binary, Num(kProcessUid, 1)}, {"drop"}, true), Result::kNone);
  EXPECT_EQ(Judge(kExec, {binary, Num(kProcessUid, 1)}, {"drop", "alert"}, true), Result::kAlert);
  const EventView event = Described();
  EXPECT_THAT(List(event, kAlertRules), ElementsAre("alert"));
  EXPECT_FALSE(event.Find(kAlertUncertain).has_value());
}

TEST_F(RuleEngineTest, LogIsReportedWithoutTheFlagForPeople) {
  Load(R"(rules:
  - {name: log, on: process.exec, when: 'process.uid == 1', then: log}
  - {name: alert, on: process.exec, when: 'process.uid == 1'})");
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"log"}), Result::kAlert);
  EventView event = Described();
  EXPECT_THAT(List(event, kAlertActions), ElementsAre("log"));
  EXPECT_EQ(event.header().flags & kEventAlert, 0u);
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"log", "alert"}), Result::kAlert);
  event = Described();
  EXPECT_THAT(List(event, kAlertActions), ElementsAre("log", "alert"));
  EXPECT_EQ(event.header().flags & kEventAlert, kEventAlert);
}

TEST_F(RuleEngineTest, LimitHoldsBackAlertsButCountsAndMarksAllMatches) {
  Load(R"(rules:
  - name: a
    on: process.exec
    when: 'process.uid == 1'
    limit: {events: 1, per: 1m, by: process.binary}
    mark: m)");
  const auto judge = [this](std::string_view binary) {
    return Judge(kExec, {Str(kProcessBinary, binary), Num(kProcessUid, 1)}, {"a"});
  };
  EXPECT_EQ(judge("/a"), Result::kAlert);
  EXPECT_EQ(judge("/a"), Result::kNone);
  EXPECT_EQ(engine_->marks().size(), 1u);
  EXPECT_EQ(judge("/b"), Result::kAlert);
  EXPECT_EQ(engine_->counters()[0].hits, 3u);

  now_ns_ += 60 * kSecond;
  std::vector<Limiter::Suppressed> suppressed;
  engine_->TakeSuppressed(now_ns_, &suppressed);
  ASSERT_EQ(suppressed.size(), 1u);
  EXPECT_EQ(suppressed[0].count, 1u);
  EXPECT_EQ(suppressed[0].key, "/a");
  EXPECT_EQ(judge("/a"), Result::kAlert);
}

TEST_F(RuleEngineTest, LimitOfOneRuleLeavesTheOthersMatch) {
  Load(R"(rules:
  - {name: a, on: process.exec, when: 'process.uid == 1', limit: {events: 1, per: 1m}}
  - {name: b, on: process.exec, when: 'process.uid == 1'})");
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"a", "b"}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("a", "b"));
  EXPECT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"a", "b"}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("b"));
}

TEST_F(RuleEngineTest, MostSevereComesFirstAndTheListsGoTogether) {
  Load(R"(rule_set: shop
mode: enforce
rules:
  - name: low
    on: process.exec
    when: 'process.uid == 1'
    severity: notice
    tags: {mitre: [T1059.004], cis: ["6.2.3.9"]}
    message: "{process.binary} by {process.uid} {container.id}"
  - name: high
    on: process.exec
    when: 'process.uid == 1'
    severity: critical
    tags: {mitre: [T1059, T1059.004]}
    description: Something grave.
    then: kill
  - {name: also-low, on: process.exec, when: 'process.uid == 1', severity: notice})");
  ASSERT_EQ(
      Judge(kExec, {Str(kProcessBinary, "/a"), Num(kProcessUid, 1)}, {"low", "high", "also-low"}),
      Result::kAlert);
  const EventView event = Described();
  EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
  EXPECT_THAT(List(event, kAlertRules), ElementsAre("high", "low", "also-low"));
  EXPECT_EQ(event.Text(kAlertSeverity), "critical");
  EXPECT_THAT(List(event, kAlertSeverities), ElementsAre("critical", "notice", "notice"));
  EXPECT_THAT(List(event, kAlertActions), ElementsAre("kill", "alert", "alert"));
  EXPECT_THAT(List(event, kAlertMessages), ElementsAre("Something grave.", "/a by 1 ", "also-low"));
  EXPECT_THAT(List(event, kAlertTags),
              ElementsAre("mitre:T1059", "mitre:T1059.004", "cis:6.2.3.9"));
  EXPECT_FALSE(event.Find(kAlertUncertain).has_value());
  EXPECT_EQ(event.Text(kAlertRuleSet), "shop");
  EXPECT_EQ(event.Text(kAlertRevision), engine_->rules().revision);
  EXPECT_EQ(event.Text(kAlertMode), "enforce");
  EXPECT_EQ(event.Text(kAlertVerdict), "observed");
  EXPECT_EQ(event.Text(kProcessBinary), "/a");
}

TEST_F(RuleEngineTest, EmptyMessageKeepsItsPlaceInTheList) {
  Load(R"(rules:
  - {name: a, on: process.exec, when: 'process.uid == 1', message: "{container.id}"}
  - {name: b, on: process.exec, when: 'process.uid == 1'})");
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"a", "b"}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertMessages), ElementsAre("", "b"));
}

TEST_F(RuleEngineTest, MatchOnAValueThatIsNotWholeIsUncertainAndMarksNothing) {
  Load(R"(rules:
  - {name: cut, on: process.exec, when: 'process.binary == "/a"', mark: m}
  - {name: whole, on: process.exec, when: 'process.uid == 1', mark: n})");
  ASSERT_EQ(Judge(kExec, {Str(kProcessBinary, "/a", kFieldCut), Num(kProcessUid, 1)},
                  {"cut", "whole"}, true),
            Result::kAlert);
  const EventView event = Described();
  EXPECT_THAT(List(event, kAlertRules), ElementsAre("cut", "whole"));
  EXPECT_THAT(List(event, kAlertUncertain), ElementsAre("cut"));
  EXPECT_NE(event.header().flags & kEventAlert, 0u);
  EXPECT_EQ(engine_->counters()[0].uncertain, 1u);
  EXPECT_EQ(engine_->counters()[1].uncertain, 0u);
  ASSERT_EQ(engine_->marks().size(), 1u);
  EXPECT_EQ(engine_->marks()[0]->name, "n");
}

TEST_F(RuleEngineTest, MarksAreThoseOfTheLastEvent) {
  Load(R"(rules:
  - {name: a, on: process.exec, when: 'process.uid == 1', mark: {name: m, lifetime: 30m}}
  - {name: b, on: process.exec, when: 'process.uid == 2', then: log, mark: n})");
  Judge(kExec, {Num(kProcessUid, 1)}, {"a"});
  ASSERT_EQ(engine_->marks().size(), 1u);
  EXPECT_EQ(engine_->marks()[0]->name, "m");
  EXPECT_EQ(engine_->marks()[0]->lifetime_ns, 1800 * kSecond);
  Judge(kExec, {Num(kProcessUid, 2)}, {"b"});
  ASSERT_EQ(engine_->marks().size(), 1u);
  EXPECT_EQ(engine_->marks()[0]->name, "n");
  EXPECT_EQ(engine_->marks()[0]->lifetime_ns, 0u);
  Judge(kExec, {}, {});
  EXPECT_TRUE(engine_->marks().empty());
}

TEST_F(RuleEngineTest, NothingOfOneEventIsLeftInTheNext) {
  Load(R"(rules:
  - name: a
    on: process.exec
    when: 'process.uid == 1'
    message: "{process.binary}"
    tags: {mitre: [T1059]}
  - {name: b, on: process.exec, when: 'process.uid == 2', severity: info})");
  ASSERT_EQ(Judge(kExec, {Str(kProcessBinary, "/a"), Num(kProcessUid, 1)}, {"a"}), Result::kAlert);
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 2)}, {"b"}), Result::kAlert);
  const EventView event = Described();
  EXPECT_THAT(List(event, kAlertRules), ElementsAre("b"));
  EXPECT_THAT(List(event, kAlertMessages), ElementsAre("b"));
  EXPECT_EQ(event.Text(kAlertSeverity), "info");
  EXPECT_FALSE(event.Find(kAlertTags).has_value());
}

TEST(RuleEngineCreateTest, RegexThatIsRefusedIsAnErrorAtItsPlace) {
  Diagnostics diagnostics;
  const auto rules = Parse(R"yaml(rules:
  - {name: a, on: process.exec, when: 'process.binary.matches("(?=a)")'})yaml");
  EXPECT_EQ(RuleEngine::Create(rules, &diagnostics), nullptr);
  ASSERT_EQ(diagnostics.errors(), 1u);
  EXPECT_EQ(diagnostics.all()[0].at.line, 2u);
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("is refused"));
}

TEST(RuleEngineCreateTest, MoreClausesThanTheKernelHasAreAnError) {
  std::string yaml = "rules:\n";
  for (int i = 0; i <= KE_CLAUSES; ++i) {
    yaml += fmt::format("  - {{name: r{0}, on: process.exec, when: process.uid == {0}}}\n", i);
  }
  Diagnostics diagnostics;
  EXPECT_EQ(RuleEngine::Create(Parse(yaml), &diagnostics), nullptr);
  ASSERT_EQ(diagnostics.errors(), 1u);
  EXPECT_THAT(diagnostics.all()[0].message, HasSubstr("need 1025 clauses; 1024 fit"));
}

TEST(RuleEngineCreateTest, SetWithoutRulesJudgesNothing) {
  Diagnostics diagnostics;
  const auto engine = RuleEngine::Create(Parse("rules: []"), &diagnostics);
  ASSERT_NE(engine, nullptr);
  EventBuilder builder;
  const std::vector<uint64_t> words(KE_WORDS, UINT64_MAX);
  EXPECT_EQ(engine->Judge(TypicalExec(builder), words, false, nullptr), Result::kNone);
  EXPECT_TRUE(engine->marks().empty());
}

}  // namespace
}  // namespace kentry
