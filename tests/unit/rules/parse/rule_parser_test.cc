// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/rule_parser.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::Report;
using parse_testing::RuleError;
using parse_testing::Said;
using parse_testing::TheRule;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RuleParserTest, ARuleNeedsNameClassAndCondition) {
  EXPECT_THAT(Said(Parse("rules:\n  - name: r\n")),
              ElementsAre(StartsWith("2:11+1 rule \"r\" has no on: | classes are process.exec"),
                          StartsWith("2:11+1 rule \"r\" has no when: | write when: CONDITION")));
  EXPECT_THAT(Said(Parse("rules:\n  - on: process.exec\n    when: true\n")),
              ElementsAre("2:5+1 a rule without a name | write name: NAME"));
}

TEST(RuleParserTest, Defaults) {
  const Rule rule = TheRule("");
  EXPECT_EQ(rule.name, "r");
  EXPECT_EQ(rule.on, EventClass::kProcessExec);
  EXPECT_EQ(rule.action, RuleAction::kAlert);
  EXPECT_EQ(rule.severity, RuleSeverity::kWarning);
  EXPECT_TRUE(rule.enabled);
  EXPECT_FALSE(rule.limit.has_value());
  EXPECT_FALSE(rule.fallback.has_value());
  EXPECT_EQ(rule.when_at.line, 4u);
}

TEST(RuleParserTest, Names) {
  for (const char* const name : {"Shell", "-a", "a_b", "a b", "\"\""}) {
    const auto result =
        Parse(fmt::format("rules:\n  - name: {}\n    on: process.exec\n    when: true\n", name));
    EXPECT_THAT(Report(result), HasSubstr("can't be a name")) << name;
  }
  EXPECT_EQ(Parse("rules: [{name: 0-a, on: process.exec, when: true}]").diagnostics.errors(), 0u);
}

TEST(RuleParserTest, Classes) {
  for (const char* const cls :
       {"process.exec", "process.fork", "process.exit", "process.exec_failed", "file.open"}) {
    const auto result = Parse(fmt::format("rules: [{{name: r, on: {}, when: true}}]", cls));
    EXPECT_EQ(result.diagnostics.errors(), 0u) << cls;
  }
  EXPECT_THAT(Said(Parse("rules: [{name: r, on: process.exce, when: true}]")),
              ElementsAre(StartsWith("1:23+12 unknown event class \"process.exce\"; did you mean "
                                     "\"process.exec\"?")));
  EXPECT_THAT(Said(Parse("rules: [{name: r, on: sensor.start, when: true}]")),
              ElementsAre(StartsWith("1:23+12 rules can't be on sensor.start | classes are")));
  EXPECT_THAT(
      Said(Parse("rules: [{name: r, on: [a], when: true}]")),
      ElementsAre(StartsWith("1:23+1 on must be the name of a class of events, not a list")));
}

TEST(RuleParserTest, UnknownKeysAreErrorsWithTheNearest) {
  EXPECT_THAT(
      RuleError("    severty: info"),
      StartsWith("5:5+7 unknown key \"severty\"; did you mean \"severity\"? | keys here are "
                 "name, on, when"));
}

TEST(RuleParserTest, Actions) {
  EXPECT_EQ(TheRule("    then: log").action, RuleAction::kLog);
  EXPECT_EQ(TheRule("    then: drop").action, RuleAction::kDrop);
  EXPECT_EQ(TheRule("    then: kill").action, RuleAction::kKill);
  EXPECT_EQ(TheRule("    then: deny").action, RuleAction::kDeny);
  EXPECT_EQ(TheRule("    then: {signal: TERM}").signal, 15);
  EXPECT_EQ(TheRule("    then: {signal: SIGSTOP}").action, RuleAction::kSignal);
  EXPECT_EQ(TheRule("    then: {signal: 10}").signal, 10);
  EXPECT_THAT(RuleError("    then: kil"),
              HasSubstr("unknown then \"kil\"; did you mean \"kill\"?"));
  EXPECT_THAT(RuleError("    then: signal"),
              HasSubstr("which signal? | write then: {signal: TERM}"));
  EXPECT_THAT(RuleError("    then: {signal: 65}"), HasSubstr("\"65\" is no signal"));
  EXPECT_THAT(RuleError("    then: {signal: EPERM}"), HasSubstr("\"EPERM\" is no signal"));
  EXPECT_THAT(RuleError("    then: {}"), HasSubstr("names no signal"));
}

TEST(RuleParserTest, Fallbacks) {
  EXPECT_EQ(TheRule("    then: deny\n    fallback: kill").fallback, RuleAction::kKill);
  EXPECT_THAT(RuleError("    fallback: log"), HasSubstr("needs no fallback"));
  EXPECT_EQ(TheRule("    then: deny").guard, kGuardDefault);
  EXPECT_EQ(TheRule("    then: kill\n    guard: 7").guard, 7u);
  EXPECT_EQ(TheRule("    then: kill\n    guard: off").guard, 0u);
  EXPECT_THAT(RuleError("    guard: 7"), HasSubstr("needs no guard"));
  EXPECT_THAT(RuleError("    then: kill\n    guard: 0"), HasSubstr("no number from 1 to 1000000"));
  EXPECT_THAT(RuleError("    then: kill\n    guard: [1]"), HasSubstr("must be a number"));
  EXPECT_THAT(RuleError("    then: kill\n    fallback: deny"),
              HasSubstr("can't stand in for kill"));
  EXPECT_THAT(RuleError("    then: kill\n    fallback: x"), HasSubstr("unknown fallback \"x\""));
}

TEST(RuleParserTest, RecordIsRequiredOrNot) {
  EXPECT_FALSE(TheRule("    then: deny").strict);
  EXPECT_FALSE(TheRule("    record: optional").strict);
  const auto strict = TheRule("    then: log\n    record: required").strict;
  ASSERT_TRUE(strict);
  EXPECT_EQ(strict->line, 6u);
  EXPECT_EQ(strict->column, 13u);
  EXPECT_THAT(RuleError("    record: require"),
              HasSubstr("unknown record \"require\"; did you mean \"required\"?"));
  EXPECT_THAT(RuleError("    record: [required]"), HasSubstr("record must be text"));
  EXPECT_THAT(RuleError("    then: drop\n    record: required"),
              HasSubstr("6:13+8 then: drop keeps no record of the event"));
}

TEST(RuleParserTest, SeverityEnabledAndTexts) {
  EXPECT_EQ(TheRule("    severity: critical").severity, RuleSeverity::kCritical);
  EXPECT_THAT(RuleError("    severity: hi"),
              HasSubstr("unknown severity \"hi\" | write one of info"));
  EXPECT_FALSE(TheRule("    enabled: false").enabled);
  EXPECT_THAT(RuleError("    enabled: no"), HasSubstr("\"no\" is neither true nor false"));
  EXPECT_EQ(TheRule("    description: Some text.").description, "Some text.");
  EXPECT_THAT(RuleError("    description: [a]"), HasSubstr("description must be text, not a list"));
  EXPECT_EQ(TheRule("    false_positives: People.").false_positives, "People.");
  EXPECT_THAT(RuleError("    false_positives: \"a\\0b\""), HasSubstr("holds a NUL byte"));
}

TEST(RuleParserTest, TagsHaveTheFormOfTheirFramework) {
  const Rule rule = TheRule("    tags: {mitre: [T1059.004, TA0002], nist-800-53: AU-12}");
  ASSERT_EQ(rule.tags.size(), 3u);
  EXPECT_EQ(rule.tags[1].id, "TA0002");
  EXPECT_EQ(rule.tags[2].scheme, "nist-800-53");
  EXPECT_THAT(RuleError("    tags: {mitre: [T59]}"),
              HasSubstr("5:20+3 \"T59\" is no id of mitre | they look like T1059.004 or TA0002"));
  EXPECT_THAT(
      RuleError("    tags: {mitr: [T1059]}"),
      HasSubstr("unknown kind of tags \"mitr\"; did you mean \"mitre\"? | tags are mitre,"));
  EXPECT_THAT(RuleError("    tags: [a]"), HasSubstr("tags must be a mapping, not a list"));
}

TEST(RuleParserTest, Limits) {
  const Rule rule = TheRule("    limit: {events: 10, per: 1m, by: container.id}");
  EXPECT_EQ(rule.limit->events, 10u);
  EXPECT_EQ(rule.limit->per_ns, 60000000000u);
  EXPECT_EQ(rule.limit->by, FieldId::kContainerId);
  EXPECT_THAT(RuleError("    limit: {events: 0, per: 1m}"),
              HasSubstr("no number from 1 to 1000000"));
  EXPECT_THAT(RuleError("    limit: {events: 1, per: 10}"), HasSubstr("is no duration from 1s to"));
  EXPECT_THAT(RuleError("    limit: {events: 1}"), HasSubstr("a limit needs events: and per:"));
  EXPECT_THAT(RuleError("    limit: {events: 1, per: 1m, by: process.args}"),
              HasSubstr("events can't be counted by it"));
  EXPECT_THAT(RuleError("    limit: {events: 1, per: 1m, by: file.path}"),
              HasSubstr("process.exec has no field \"file.path\""));
  EXPECT_THAT(RuleError("    limit: {events: 1, per: 1m, by: container.i}"),
              HasSubstr("did you mean \"container.id\"?"));
  EXPECT_THAT(RuleError("    limit: {events: 1, per: 1m, evens: 2}"), HasSubstr("unknown key"));
}

TEST(RuleParserTest, Marks) {
  EXPECT_EQ(TheRule("    mark: web-shell").mark->name, "web-shell");
  const Rule rule = TheRule("    mark: {name: a, lifetime: 10m}");
  EXPECT_EQ(rule.mark->lifetime_ns, 600000000000u);
  EXPECT_THAT(RuleError("    mark: Big"), HasSubstr("can't be a name"));
  EXPECT_THAT(RuleError("    mark: {lifetime: 1m}"), HasSubstr("the mark has no name"));
  EXPECT_THAT(RuleError("    mark: {name: a, lifetime: 0}"), HasSubstr("is no duration"));
}

TEST(RuleParserTest, Messages) {
  const Rule rule = TheRule("    message: '{{{process.binary}}} by {process.uid}!'");
  ASSERT_EQ(rule.message.size(), 3u);
  EXPECT_EQ(rule.message[0].text, "{");
  EXPECT_EQ(rule.message[0].field, FieldId::kProcessBinary);
  EXPECT_EQ(rule.message[1].text, "} by ");
  EXPECT_EQ(rule.message[2].text, "!");
  EXPECT_EQ(rule.message[2].field, FieldId::kInvalid);
  EXPECT_THAT(RuleError("    message: 'a {process.binry}'"),
              StartsWith("5:18+13 unknown field \"process.binry\"; did you mean"));
  EXPECT_THAT(RuleError("    message: 'a {file.path}'"), HasSubstr("process.exec has no field"));
  EXPECT_THAT(RuleError("    message: 'a {process.binary'"), HasSubstr("\"{\" is never closed"));
  EXPECT_THAT(RuleError("    message: 'a } b'"), HasSubstr("write }} for a brace"));
  EXPECT_THAT(RuleError("    message: " + std::string(1025, 'x')),
              HasSubstr("message has 1025 bytes; 1024 are the most"));
}

TEST(RuleParserTest, Tests) {
  const Rule rule = TheRule(
      "    tests:\n"
      "      - name: first\n"
      "        given: {process: {args: [a, b], binary: /x, uid: 5, deleted: true,\n"
      "                          cap_effective: CAP_CHOWN | CAP_KILL}, container: {id: '4f'}}\n"
      "        ancestors: [{binary: /s}, {args: [q]}]\n"
      "        marks: [m]\n"
      "        cut: [process.args]\n"
      "        expect: unknown\n"
      "        action: log\n"
      "      - given: {}\n"
      "        expect: no match\n");
  ASSERT_EQ(rule.tests.size(), 2u);
  const RuleTest& test = rule.tests[0];
  EXPECT_EQ(test.at.line, 6u);
  EXPECT_EQ(test.name, "first");
  ASSERT_EQ(test.given.size(), 6u);
  EXPECT_EQ(test.given[0].field, FieldId::kProcessBinary);
  EXPECT_EQ(test.given[1].field, FieldId::kProcessArgs);
  EXPECT_TRUE(test.given[1].cut);
  EXPECT_EQ(test.given[1].values.size(), 2u);
  EXPECT_EQ(std::get<absl::int128>(test.given[3].values[0]), absl::int128(0x21));
  EXPECT_EQ(test.ancestors.size(), 2u);
  EXPECT_THAT(test.marks, ElementsAre("m"));
  EXPECT_EQ(test.expect, RuleTest::Expect::kUnknown);
  EXPECT_EQ(test.action, RuleAction::kLog);
  EXPECT_EQ(rule.tests[1].expect, RuleTest::Expect::kNoMatch);
}

TEST(RuleParserTest, WrongTests) {
  const std::pair<const char*, const char*> kCases[] = {
      {"given: {process: {binry: x}}", "process.exec has no field \"process.binry\"; did you mean"},
      {"given: {file: {path: x}}", "process.exec has no fields file.*"},
      {"given: {proces: {}}", "unknown group of fields \"proces\"; did you mean \"process\"?"},
      {"given: {process: {uid: x}}", "\"process.uid\" is of type uint; \"x\" is none"},
      {"given: {process: {uid: -1}}", "\"-1\" is none"},
      {"given: {process: {deleted: 1}}", "neither true nor false"},
      {"given: {process: {binary: [x]}}", "binary must be text, not a list"},
      {"given: {process: {marks: [x]}}", "write marks: [NAME] beside given:"},
      {"given: {process: x}", "process must be a mapping of fields, not text"},
      {"expect: match", "a test without given:"},
      {"given: {}\n        expect: maybe", "unknown expect \"maybe\""},
      {"given: {}\n        action: x", "unknown action \"x\""},
      {"given: {}\n        cut: [process.args]", "is not among the fields given"},
      {"given: {process: {uid: 1}}\n        cut: [process.uid]", "only strings and lists"},
      {"given: {}\n        ancestors: [{marks: x}]", "write marks: [NAME]"},
      {"given: {}\n        marks: [A]", "can't be a name"},
      {"given: {}\n        exect: match", "unknown key \"exect\"; did you mean \"expect\"?"},
  };
  for (const auto& [test, message] : kCases) {
    EXPECT_THAT(RuleError(fmt::format("    tests:\n      - {}", test)), HasSubstr(message));
  }
}

}  // namespace
}  // namespace kentry
