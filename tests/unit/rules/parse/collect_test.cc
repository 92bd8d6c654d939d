// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/collect.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::ParseFiles;
using parse_testing::Report;
using parse_testing::Said;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kBase[] =
    "lists: {shells: [/bin/sh]}\n"
    "macros: {m: process.uid == 0}\n"
    "rules:\n"
    "  - name: r\n"
    "    on: process.exec\n"
    "    when: process.binary in shells && m\n"
    "    tags: {mitre: [T1059]}\n"
    "    tests: [{given: {}, expect: no match}]\n";

TEST(CollectTest, ExtendAddsToListsMacrosAndRules) {
  const auto result = ParseFiles({kBase,
                                  "extend:\n"
                                  "  lists: {shells: [/bin/ksh]}\n"
                                  "  macros: {m: process.gid == 0}\n"
                                  "  rules:\n"
                                  "    - name: r\n"
                                  "      when: process.name == 'x'\n"
                                  "      tags: {mitre: [T1059, T1060]}\n"
                                  "      tests: [{given: {}}]\n"
                                  "      severity: info\n"
                                  "      enabled: false\n"});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  const Rule& rule = result.rules->rules.at(0);
  EXPECT_EQ(rule.when.op, ExprOp::kOr);
  const Expr& first = rule.when.args.at(0);
  EXPECT_EQ(first.args.at(0).values.size(), 2u);
  EXPECT_EQ(first.args.at(1).op, ExprOp::kOr);
  EXPECT_EQ(rule.tags.size(), 2u);
  EXPECT_EQ(rule.tests.size(), 2u);
  EXPECT_EQ(rule.severity, RuleSeverity::kInfo);
  EXPECT_FALSE(rule.enabled);
}

TEST(CollectTest, OverrideReplacesWhatItNames) {
  const auto result = ParseFiles({kBase,
                                  "override:\n"
                                  "  lists: {shells: [/bin/ksh]}\n"
                                  "  macros: {m: process.gid == 0}\n"
                                  "  rules: [{name: r, tags: {mitre: [T1060]}, then: log}]\n"});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  const Rule& rule = result.rules->rules.at(0);
  EXPECT_THAT(rule.when.args.at(0).values, ElementsAre(Literal(std::string("/bin/ksh"))));
  EXPECT_EQ(rule.when.args.at(1).args.at(0).field, FieldId::kProcessGid);
  ASSERT_EQ(rule.tags.size(), 1u);
  EXPECT_EQ(rule.tags[0].id, "T1060");
  EXPECT_EQ(rule.action, RuleAction::kLog);
}

TEST(CollectTest, WhatIsNotThereCantBeExtended) {
  const auto result = ParseFiles({kBase,
                                  "extend:\n"
                                  "  lists: {shels: [a]}\n"
                                  "override:\n"
                                  "  macros: {n: true}\n"
                                  "  rules: [{name: rr, then: log}]\n"
                                  "disable: [q, r]\n"});
  EXPECT_THAT(
      Said(result),
      ElementsAre(StartsWith("2:11+5 unknown list \"shels\"; did you mean \"shells\"? | a list has "
                             "to be defined in this file or in one before it"),
                  StartsWith("4:12+1 unknown macro \"n\""),
                  StartsWith("5:18+2 unknown rule \"rr\""),
                  StartsWith("6:11+1 unknown rule \"q\"")));
}

TEST(CollectTest, ExtendRefusesKeysThatItCantAddTo) {
  const auto result = ParseFiles({kBase, "extend: {rules: [{name: r, then: log}]}\n"});
  EXPECT_THAT(Said(result), ElementsAre(HasSubstr("unknown key \"then\"")));
}

TEST(CollectTest, NothingIsDefinedTwice) {
  const auto result = ParseFiles({kBase,
                                  "lists: {shells: [a], m: [b]}\n"
                                  "macros: {m: true}\n"
                                  "rules: [{name: r, on: file.open, when: true}]\n"});
  EXPECT_THAT(
      Said(result),
      ElementsAre(StartsWith("1:9+6 list \"shells\" is defined already, in a.yaml:1 | to add"),
                  StartsWith("1:22+1 macro \"m\" is defined already, in a.yaml:2"),
                  StartsWith("2:10+1 macro \"m\" is defined already, in a.yaml:2"),
                  StartsWith("3:16+1 rule \"r\" is defined already, in a.yaml:4")));
}

TEST(CollectTest, DisableSwitchesOff) {
  const auto result = ParseFiles({kBase, "disable: [r]\n"});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  EXPECT_FALSE(result.rules->rules.at(0).enabled);
}

TEST(CollectTest, NameAndModeAreSaidOnce) {
  const auto result = ParseFiles({"rule_set: web\nmode: enforce\n", "rule_set: web\n"});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  EXPECT_EQ(result.rules->name, "web");
  EXPECT_EQ(result.rules->mode, RuleMode::kEnforce);
  EXPECT_THAT(
      Said(ParseFiles({"rule_set: web\nmode: off\n", "rule_set: db\nmode: monitor\n"})),
      ElementsAre(StartsWith("1:11+2 rule_set is \"db\" here, but something else in a.yaml:1"),
                  StartsWith("2:7+7 mode is \"monitor\" here, but something else in a.yaml:2")));
  EXPECT_THAT(Said(Parse("mode: on\n")), ElementsAre(HasSubstr("unknown mode \"on\"")));
  EXPECT_EQ(Parse("").rules->name, "default");
}

TEST(CollectTest, WhatHappensToStrictRulesOfAStalledReaderIsTheSets) {
  const auto plain = Parse("rule_set: web\n");
  ASSERT_TRUE(plain.rules != nullptr) << Report(plain);
  EXPECT_EQ(plain.rules->on_stall, OnStall::kAllowAndCount);
  EXPECT_EQ(plain.rules->stall_after_ns, 10'000'000'000u);
  const auto result = ParseFiles({"on-stall: deny\n", "stall-after: 1m\non-stall: deny\n"});
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  EXPECT_EQ(result.rules->on_stall, OnStall::kDeny);
  EXPECT_EQ(result.rules->stall_after_ns, 60'000'000'000u);
  EXPECT_THAT(
      Said(ParseFiles(
          {"on-stall: deny\nstall-after: 1m\n", "on-stall: allow-and-count\nstall-after: 2m\n"})),
      ElementsAre(
          StartsWith(
              "1:11+15 on-stall is \"allow-and-count\" here, but something else in a.yaml:1"),
          StartsWith("2:14+2 stall-after is \"2m\" here, but something else in a.yaml:2")));
  EXPECT_THAT(Said(Parse("on-stall: allow\nstall-after: 1\n")),
              ElementsAre(HasSubstr("unknown on-stall \"allow\""),
                          StartsWith("2:14+1 \"1\" is no duration from 1s to 365d")));
}

TEST(CollectTest, SectionsHaveTheirShape) {
  EXPECT_THAT(Said(Parse("rule: []\n")),
              ElementsAre(HasSubstr("unknown key \"rule\"; did you mean \"rules\"?")));
  EXPECT_THAT(Said(Parse("lists: [a]\nmacros: x\nrules: {a: b}\nextend: x\noverride: {x: y}\n"
                         "disable: r\n"))
                  .size(),
              6u);
  EXPECT_THAT(Said(Parse("- a\n")),
              ElementsAre(HasSubstr("a rule file is one mapping, not a list")));
  EXPECT_THAT(
      Said(Parse("lists: {process: [a], 1a: [b], CAP_BPF: [c]}\n")),
      ElementsAre(HasSubstr("the name \"process\" is taken"), HasSubstr("\"1a\" can't be a name"),
                  HasSubstr("the name \"CAP_BPF\" is taken")));
}

TEST(CollectTest, NamesOfAFileThatCantBeReadAreNoErrors) {
  const auto result =
      ParseFiles({"lists: {shells: [\n",
                  "rules: [{name: r, on: process.exec, when: process.binary in shells}]\n"});
  EXPECT_EQ(result.diagnostics.errors(), 1u) << Report(result);
}

}  // namespace
}  // namespace kentry
