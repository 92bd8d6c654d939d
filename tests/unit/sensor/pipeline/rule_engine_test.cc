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
               const std::vector<std::string>& rules, bool undecided = false,
               uint32_t verdict = 0) {
    Sample(builder_, cls, values);
    builder_.header().boot_ns = now_ns_;
    std::vector<uint64_t> words;
    if (const auto kernel = KernelClass(cls); kernel) words = ClausesOf(rules, *kernel);
    return engine_->Judge(builder_.View(),
                          {.clauses = words, .undecided = undecided, .verdict = verdict}, nullptr);
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
  EXPECT_EQ(engine_->Judge(builder_.View(), {.undecided = true}, nullptr), Result::kNone);
}

TEST_F(RuleEngineTest, ClausesThatTheSetDoesNotHaveAreIgnored) {
  Load(R"(rules: [{name: a, on: file.open, when: 'process.binary == "/a"'}])");
  Sample(builder_, EventClass::kFileOpen, {Str(kProcessBinary, "/a")});
  std::vector<uint64_t> words(KE_WORDS + 1, UINT64_MAX);
  words[0] -= 1;  // all but the one that there is
  EXPECT_EQ(engine_->Judge(builder_.View(), {.clauses = words}, nullptr), Result::kNone);
  words[0] = UINT64_MAX;
  EXPECT_EQ(engine_->Judge(builder_.View(), {.clauses = words}, nullptr), Result::kAlert);
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

constexpr uint32_t kKilled = KE_VERDICT_SIGNALED | 9u << 8;

TEST_F(RuleEngineTest, VerdictOfTheRecordIsToldWithItsRules) {
  Load(R"(mode: enforce
rules:
  - {name: kill, on: process.exec, when: 'process.uid == 1', then: kill}
  - {name: log, on: process.exec, when: 'process.uid == 1', then: log})");
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"kill", "log"}, false, kKilled), Result::kAlert);
  EventView event = Described();
  EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
  EXPECT_EQ(event.Text(kAlertVerdict), "killed");
  EXPECT_EQ(event.Number(kAlertSignal), 9u);
  EXPECT_EQ(event.Text(kAlertOutcome), "ok");
  EXPECT_THAT(List(event, kAlertRules), ElementsAre("kill", "log"));
  EXPECT_EQ(engine_->Killer(), "kill");
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"log"}), Result::kAlert);
  EXPECT_EQ(engine_->Killer(), "");
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"kill"}), Result::kAlert);
  event = Described();
  EXPECT_EQ(event.Text(kAlertVerdict), "observed") << "nothing of the event before";
  EXPECT_FALSE(event.Find(kAlertSignal).has_value());
}

TEST_F(RuleEngineTest, ActionIsTheOneInEffect) {
  Load(R"(rules:
  - {name: a, on: process.exec, then: deny, fallback: kill, when: 'process.env_cut'}
  - {name: b, on: process.exec, then: kill, fallback: log, when: '"x" in process.args'})");
  ASSERT_EQ(Judge(kExec, {Str(kProcessArgs, "x\0"sv)}, {"a", "b"}), Result::kAlert);
  EXPECT_THAT(List(Described(), kAlertActions), ElementsAre("kill", "log"));
  ASSERT_EQ(Judge(kExec, {Str(kProcessArgs, "x\0"sv)}, {"b"}), Result::kAlert);
  EXPECT_EQ(Described().header().flags & kEventAlert, 0u) << "it only logs";
}

TEST_F(RuleEngineTest, DropHidesNoAction) {
  Load(R"(mode: enforce
rules:
  - {name: kill, on: process.exec, when: 'process.uid == 1', then: kill}
  - {name: drop, on: process.exec, when: 'process.uid == 1', then: drop})");
  const auto judge = [this](uint32_t verdict) {
    return Judge(kExec, {Num(kProcessUid, 1)}, {"kill", "drop"}, false, verdict);
  };
  for (const uint32_t verdict :
       {kKilled, uint32_t{KE_VERDICT_WOULD_SIGNAL}, KE_VERDICT_FAILED | 3u << 24}) {
    ASSERT_EQ(judge(verdict), Result::kAlert) << verdict;
    EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("kill"));
  }
  EXPECT_EQ(judge(0), Result::kDrop);
  EXPECT_EQ(judge(KE_VERDICT_EXEMPT), Result::kDrop);
}

TEST_F(RuleEngineTest, LimitHidesNoAction) {
  Load(R"(mode: enforce
rules:
  - {name: kill, on: process.exec, when: 'process.uid == 1', then: kill, limit: {events: 1, per: 1m}}
  - {name: tell, on: process.exec, when: 'process.uid == 1', limit: {events: 1, per: 1m}})");
  const auto judge = [this](uint32_t verdict) {
    return Judge(kExec, {Num(kProcessUid, 1)}, {"kill", "tell"}, false, verdict);
  };
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(judge(kKilled), Result::kAlert);
    EXPECT_THAT(List(Described(), kAlertRules), testing::Contains("kill"));
  }
  EXPECT_THAT(List(Described(), kAlertRules), ElementsAre("kill"))
      << "the other rule has its limit";
  EXPECT_EQ(engine_->suppressed(0), 0u);
  EXPECT_EQ(judge(0), Result::kAlert) << "actions don't count";
  EXPECT_EQ(judge(0), Result::kNone);
  EXPECT_EQ(engine_->suppressed(0), 1u);
}

TEST_F(RuleEngineTest, ActionWithoutARuleThatMatchesIsToldAllTheSame) {
  Load(R"(mode: enforce
rules: [{name: deny, on: file.open, when: 'process.uid == 1', then: deny}])");
  constexpr EventClass kOpen = EventClass::kFileOpen;
  for (const std::vector<std::string>& rules : {std::vector<std::string>{"deny"}, {}}) {
    ASSERT_EQ(Judge(kOpen, {Num(kProcessUid, 2)}, rules, true, KE_VERDICT_DENIED), Result::kAlert);
    const EventView event = Described();
    EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
    EXPECT_FALSE(event.Find(kAlertRules).has_value());
    EXPECT_FALSE(event.Find(kAlertSeverity).has_value());
    EXPECT_EQ(event.Text(kAlertVerdict), "denied");
    EXPECT_EQ(event.Text(kAlertOutcome), "eperm");
    EXPECT_NE(event.header().flags & kEventAlert, 0u);
  }
  EXPECT_EQ(engine_->Judge(builder_.View(), {.verdict = KE_VERDICT_DENIED}, nullptr),
            Result::kAlert);
}

TEST_F(RuleEngineTest, WhatTheKernelCouldNotDecideHasFailedWhenARuleWouldHaveActed) {
  const std::string rules = R"(
rules:
  - {name: kill, on: process.exec, when: 'process.binary == "/a"', then: kill}
  - {name: drop, on: process.exec, when: 'process.uid == 1', then: drop}
  - {name: tell, on: process.exec, when: 'process.uid == 1'})";
  constexpr uint32_t kUndecided = KE_VERDICT_UNDECIDED;
  const auto judge = [this](std::string_view binary, uint16_t flags, uint32_t verdict) {
    return Judge(kExec, {Str(kProcessBinary, binary, flags), Num(kProcessUid, 1)},
                 {"kill", "drop", "tell"}, true, verdict);
  };
  Load("mode: enforce" + rules);
  ASSERT_EQ(judge("/a", 0, kUndecided), Result::kAlert);
  EXPECT_EQ(Described().Text(kAlertVerdict), "failed");
  ASSERT_EQ(judge("/a", kFieldCut, kUndecided), Result::kAlert) << "it may match";
  EventView event = Described();
  EXPECT_EQ(event.Text(kAlertVerdict), "failed");
  EXPECT_THAT(List(event, kAlertUncertain), ElementsAre("kill"));
  EXPECT_EQ(judge("/b", 0, kUndecided), Result::kDrop) << "nobody would have acted";
  EXPECT_EQ(judge("/a", 0, kUndecided | KE_VERDICT_EXEMPT), Result::kDrop);
  EXPECT_EQ(judge("/a", 0, 0), Result::kDrop);
  ASSERT_EQ(judge("/a", 0, kUndecided | kKilled), Result::kAlert);
  EXPECT_EQ(Described().Text(kAlertVerdict), "killed") << "another rule did";
  Load("mode: monitor" + rules);
  EXPECT_EQ(judge("/a", 0, kUndecided), Result::kDrop) << "nothing was to be done";
}

TEST_F(RuleEngineTest, ExemptProcessIsNamedSo) {
  Load(R"(mode: enforce
rules: [{name: kill, on: process.exec, when: 'process.uid == 1', then: kill}])");
  ASSERT_EQ(Judge(kExec, {Num(kProcessUid, 1)}, {"kill"}, false, KE_VERDICT_EXEMPT),
            Result::kAlert);
  EXPECT_EQ(Described().Text(kAlertVerdict), "exempt");
}

TEST(RuleEngineCreateTest, ActionThatTheKernelCantDoIsAnErrorBesideThoseOfRegexes) {
  const auto rules = Parse(R"yaml(rules:
  - {name: a, on: process.exec, when: 'process.binary.matches("(?=a)")'}
  - {name: b, on: process.exec, then: deny, when: 'process.env_cut'})yaml");
  Diagnostics created;
  EXPECT_EQ(RuleEngine::Create(rules, &created), nullptr);
  Diagnostics checked;
  RuleEngine::Check(*rules, &checked);
  for (const Diagnostics* diagnostics : {&created, &checked}) {
    ASSERT_EQ(diagnostics->errors(), 2u);
    EXPECT_THAT(diagnostics->all()[0].message, HasSubstr("is refused"));
    EXPECT_THAT(diagnostics->all()[1].message, HasSubstr("rule \"b\" can't deny"));
  }
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
  EXPECT_EQ(engine->Judge(TypicalExec(builder), {.clauses = words}, nullptr), Result::kNone);
  EXPECT_TRUE(engine->marks().empty());
}

}  // namespace
}  // namespace kentry
