// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/marks.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/compile/compiler.h"
#include "rules/compile/mark_places.h"
#include "rules/parse/load.h"

namespace kentry {
namespace {

using testing::ElementsAre;

std::shared_ptr<const RuleSet> Parse(const std::string& rules) {
  LoadResult loaded = ParseRules({{"test.yaml", "rules:\n" + rules}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  return loaded.rules;
}

std::string Sets(std::string_view mark, std::string_view on = "process.exec",
                 std::string_view when = "process.uid == 0") {
  static int count = 0;
  return fmt::format("  - {{name: sets-{}, on: {}, when: '{}', mark: {}}}\n", count++, on, when,
                     mark);
}

std::string Tests(std::string_view when, std::string_view on = "file.open") {
  static int count = 0;
  return fmt::format("  - {{name: tests-{}, on: {}, when: '{}'}}\n", count++, on, when);
}

std::unique_ptr<CompiledRules> Compile(const std::string& rules) {
  Diagnostics diagnostics;
  return CompiledRules::Compile(
      Parse(rules), [](std::string_view) { return PatternEnds{}; }, {1, 2}, &diagnostics);
}

bool Bit(const ke_row& row, size_t i) { return (row.words[i / 64] >> (i % 64) & 1) != 0; }

TEST(DecideMarkTest, EachCase) {
  EXPECT_EQ(DecideMark(nullptr, false), MarkTest::kTooMany);
  EXPECT_EQ(DecideMark(nullptr, true), MarkTest::kTooMany);
  const MarkInfo plain{.name = "m"};
  EXPECT_EQ(DecideMark(&plain, false), MarkTest::kPartly);
  EXPECT_EQ(DecideMark(&plain, true), MarkTest::kPartly);
  // What is set unseen is missed by a test for it; what is certain stays certain.
  const MarkInfo outside{.name = "m", .set_outside = true};
  EXPECT_EQ(DecideMark(&outside, false), MarkTest::kSetOutside);
  EXPECT_EQ(DecideMark(&outside, true), MarkTest::kPartly);
  // A mark that is there for too long lets too much through; taken for certain it would hide.
  const MarkInfo ends{.name = "m", .ends = true, .lifetime_s = 3};
  EXPECT_EQ(DecideMark(&ends, false), MarkTest::kPartly);
  EXPECT_EQ(DecideMark(&ends, true), MarkTest::kEnds);
  EXPECT_EQ(WhyNot(MarkTest::kPartly), "");
  for (const MarkTest why : {MarkTest::kTooMany, MarkTest::kSetOutside, MarkTest::kEnds}) {
    EXPECT_NE(WhyNot(why), "");
  }
}

TEST(MarkListTest, KnowsWhoSetsAMarkAndForHowLong) {
  const auto rules =
      Parse(Sets("a") + Sets("{name: b, lifetime: 1500ms}") + Sets("{name: b, lifetime: 10s}") +
            Sets("{name: c, lifetime: 1s}") + Sets("c") + Sets("{name: d, lifetime: 5s}") +
            Sets("d", "process.fork", "process.uid == 1") + Tests("\"c\" in process.marks"));
  const MarkList list(*rules);
  std::vector<std::string> names;
  for (const MarkInfo& mark : list.marks()) names.push_back(mark.name);
  EXPECT_THAT(names, ElementsAre("c", "a", "b", "d"));
  const auto mark = [&list](std::string_view name) { return list.marks()[list.Find(name)]; };
  EXPECT_FALSE(mark("a").ends);
  EXPECT_TRUE(mark("b").ends);
  EXPECT_EQ(mark("b").lifetime_s, 12u);
  EXPECT_TRUE(mark("c").ends);
  EXPECT_EQ(mark("c").lifetime_s, 0u);
  EXPECT_FALSE(mark("c").set_outside);
  EXPECT_TRUE(mark("d").set_outside);
  EXPECT_NE(list.Tested("c"), nullptr);
  EXPECT_EQ(list.Tested("a"), nullptr);
  EXPECT_EQ(list.Tested("nobody"), nullptr);
  EXPECT_TRUE(list.left_out().empty());
}

TEST(MarkListTest, WhatDoesntFitIsLeftToUserSpace) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += Tests(fmt::format("\"t{}\" in process.marks", i));
  for (int i = 0; i < 40; ++i) text += Sets(fmt::format("s{}", i));
  const MarkList list(*Parse(text));
  EXPECT_EQ(list.marks().size(), size_t{KE_MARKS_MAX});
  EXPECT_NE(list.Tested("t31"), nullptr);
  EXPECT_EQ(list.Tested("t32"), nullptr);
  EXPECT_LT(list.Find("s22"), list.marks().size());
  EXPECT_EQ(list.left_out().size(), 17u);
  EXPECT_EQ(list.left_out().front(), "s23");
}

TEST(MarkListTest, ATestAndItsNegationAreTwo) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += Tests(fmt::format("\"t{0}\" in process.marks || !(\"t{0}\" in process.marks)", i));
  }
  const MarkList list(*Parse(text));
  EXPECT_NE(list.Tested("t15"), nullptr);
  EXPECT_EQ(list.Tested("t16"), nullptr);
  EXPECT_NE(Compile(text), nullptr);
}

TEST(MarkCompilerTest, ATestAsksWhatMayBeItsNegationWhatIsCertain) {
  const auto compiled = Compile(Sets("m") + Tests("\"m\" in process.marks && file.path == \"/a\"") +
                                Tests("!(\"m\" in process.marks) && file.path == \"/a\""));
  const std::vector<Clause>& clauses = compiled->clauses(KE_RC_OPEN);
  ASSERT_EQ(clauses.size(), 2u);
  for (const Clause& clause : clauses) {
    EXPECT_FALSE(clause.exact) << "user space finishes";
    ASSERT_EQ(clause.conditions.size(), 2u);
    EXPECT_EQ(clause.conditions[0].kind, KernelCondition::Kind::kTest);
    EXPECT_EQ(clause.conditions[0].test.mask, 1u);
  }
  EXPECT_EQ(clauses[0].conditions[0].test.word, KE_WORD_MARKS);
  EXPECT_FALSE(clauses[0].conditions[0].negated);
  EXPECT_EQ(clauses[1].conditions[0].test.word, KE_WORD_MARKED);
  EXPECT_TRUE(clauses[1].conditions[0].negated);
  EXPECT_EQ(compiled->tables().stamp_flags, KE_STAMP_MARKS | KE_STAMP_MARKED);
}

TEST(MarkCompilerTest, WhatCantBeDecidedIsLeftOut) {
  const auto compiled =
      Compile(Sets("m", "process.exit", "exit.code == 1") + Sets("{name: n, lifetime: 1s}") +
              Tests("\"m\" in process.marks && file.path == \"/a\"") +
              Tests("!(\"n\" in process.marks) && file.path == \"/a\"") +
              Tests("\"n\" in process.marks && file.path == \"/a\""));
  const std::vector<Clause>& clauses = compiled->clauses(KE_RC_OPEN);
  ASSERT_EQ(clauses.size(), 3u);
  EXPECT_EQ(clauses[0].conditions.size(), 1u);
  EXPECT_EQ(clauses[1].conditions.size(), 1u);
  EXPECT_EQ(clauses[2].conditions.size(), 2u);
  const RulePlan* plan = compiled->plan(2);
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(plan->decisions[0].where, DecidedIn::kUserSpace);
  EXPECT_EQ(plan->decisions[0].why, WhyNot(MarkTest::kSetOutside));
  EXPECT_EQ(compiled->plan(3)->decisions[0].why, WhyNot(MarkTest::kEnds));
  EXPECT_EQ(compiled->plan(4)->decisions[0].where, DecidedIn::kPartly);
}

TEST(MarkCompilerTest, OnlyWholeClausesSetForCertain) {
  const auto compiled =
      Compile(Sets("m", "file.open", "file.path == \"/a\" || file.path.contains(\"b\")") +
              Tests("file.path == \"/c\"") + Sets("n", "process.exec", "process.binary == \"/n\""));
  const RuleTables& tables = compiled->tables();
  const auto row = [&](ke_rule_class cls, uint32_t offset) {
    return tables.rows[tables.index[tables.config.mark_base[cls] + offset]];
  };
  ASSERT_EQ(tables.config.marks_used, 2u);
  ASSERT_EQ(compiled->clauses(KE_RC_OPEN).size(), 3u);
  const ke_row may = row(KE_RC_OPEN, 0);
  const ke_row certain = row(KE_RC_OPEN, 1);
  EXPECT_TRUE(Bit(may, 0) && Bit(may, 1));
  EXPECT_FALSE(Bit(may, 2));
  EXPECT_TRUE(Bit(certain, 0));
  EXPECT_FALSE(Bit(certain, 1));
  EXPECT_FALSE(Bit(row(KE_RC_OPEN, 2), 0)) << "mark n is not for opens";
  EXPECT_TRUE(Bit(row(KE_RC_EXEC, 2), 0));
  EXPECT_TRUE(Bit(tables.rows[tables.config.mark_any[KE_RC_OPEN]], 1));
  EXPECT_EQ(tables.stamp_flags, KE_STAMP_MARKED);
}

TEST(MarkCompilerTest, PlacesMoveMasksAndMarks) {
  const auto compiled = Compile(Sets("a") + Sets("b") +
                                Tests("\"a\" in process.marks || \"b\" in process.marks || "
                                      "!(\"a\" in process.marks) || !(\"b\" in process.marks)"));
  compiled->PlaceMarks({{.bit = 7}, {.bit = 2, .all_seen = false, .certain = false}});
  const ke_rule_config& config = compiled->tables().config;
  EXPECT_EQ(config.marks[0].bit, 7u);
  EXPECT_EQ(config.marks[1].bit, 2u);
  ASSERT_EQ(config.tests_used, 4u);
  EXPECT_EQ(config.tests[0].mask, 1u << 7);
  EXPECT_EQ(config.tests[1].mask, KE_MARK_ALWAYS) << "always taken for carried";
  EXPECT_EQ(config.tests[2].mask, 1u << 7);
  EXPECT_EQ(config.tests[3].mask, 0u) << "never taken for certain";
}

MarkList ListOf(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += Sets(name);
  return MarkList(*Parse(text));
}

TEST(MarkPlacesTest, ANameKeepsItsPlace) {
  MarkPlaces places;
  const auto first = places.Place(ListOf({"a", "b", "c"}));
  const auto second = places.Place(ListOf({"c", "x", "a"}));
  EXPECT_EQ(second[0].bit, first[2].bit);
  EXPECT_EQ(second[2].bit, first[0].bit);
  EXPECT_EQ(second[1].bit, 3u) << "b's place is not given away while others are free";
  EXPECT_TRUE(second[1].all_seen && second[1].certain);
  const auto third = places.Place(ListOf({"b"}));
  EXPECT_EQ(third[0].bit, first[1].bit);
  EXPECT_TRUE(third[0].all_seen && third[0].certain);
}

TEST(MarkPlacesTest, APlaceThatIsGivenAwayIsNeverCertainAndItsMarkNeverAllSeen) {
  MarkPlaces places;
  std::vector<std::string> old_names;
  std::vector<std::string> names;
  for (int i = 0; i < KE_MARKS_MAX; ++i) {
    old_names.push_back(fmt::format("old-{}", i));
    names.push_back(fmt::format("new-{}", i));
  }
  places.Place(ListOf(old_names));
  for (const MarkPlace& place : places.Place(ListOf(names))) {
    EXPECT_TRUE(place.all_seen) << "the new mark: nobody had it before";
    EXPECT_FALSE(place.certain);
  }
  const auto back = places.Place(ListOf({"old-3", "fresh"}));
  EXPECT_FALSE(back[0].all_seen) << "who carried it is forgotten";
  EXPECT_FALSE(back[0].certain);
  EXPECT_TRUE(back[1].all_seen);
}

TEST(MarkPlacesTest, WhatOneRuleSetDidToAMarkHoldsForTheNext) {
  MarkPlaces places;
  places.Place(MarkList(*Parse(Sets("unseen", "process.exit", "exit.code == 1") +
                               Sets("{name: ends, lifetime: 1s}"))));
  const auto later = places.Place(ListOf({"unseen", "ends"}));
  EXPECT_FALSE(later[0].all_seen);
  EXPECT_TRUE(later[1].all_seen);
  EXPECT_FALSE(later[1].certain);
}

TEST(MarkPlacesTest, MarksThatHadNoPlaceAreNotAllSeenLater) {
  MarkPlaces places;
  std::vector<std::string> names;
  for (int i = 0; i < KE_MARKS_MAX + 1; ++i) names.push_back(fmt::format("m-{}", i));
  places.Place(ListOf(names));
  EXPECT_FALSE(places.Place(ListOf({names.back()}))[0].all_seen);
  EXPECT_TRUE(places.Place(ListOf({names[1]}))[0].all_seen);
}

}  // namespace
}  // namespace kentry
