// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/explain.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "rules/parse/load.h"

namespace kentry {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<RuleEngine> Engine(const std::string& yaml) {
  LoadResult loaded = ParseRules({{"test.yaml", yaml}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  Diagnostics diagnostics;
  return RuleEngine::Create(loaded.rules, &diagnostics);
}

constexpr char kSet[] = R"yaml(rule_set: shop
rules:
  - {name: whole, on: process.exec, when: 'process.binary == "/a" && process.uid == 0'}
  - {name: rest, on: process.exec, when: 'process.binary == "/bin/sh" && "-c" in process.args'}
  - {name: pattern, on: process.exec, when: 'process.binary.matches("^/opt/[a-z]+$")'}
  - {name: ours, on: file.open, when: 'file.path.startsWith("/srv/") && process.uid == 5'}
  - {name: ends, on: process.exit, when: 'exit.code == 1'}
  - {name: "off", on: file.open, when: 'file.path == "/etc/shadow"', enabled: false}
)yaml";

// The part of the text about one rule.
std::string About(const std::string& text, const std::string& rule) {
  const size_t begin = text.find(rule + "  ");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find("\n\n", begin) - begin);
}

// The line of the text in which `part` stands.
std::string LineWith(const std::string& text, const std::string& part) {
  const size_t at = text.find(part);
  if (at == std::string::npos) return "";
  const size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

TEST(ExplainTest, SaysOfEachComparisonWhereItIsDecided) {
  const auto engine = Engine(kSet);
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  const std::string whole = About(text, "whole");
  EXPECT_THAT(whole, HasSubstr("process.exec, by raw tracepoint sched_process_exec"));
  EXPECT_THAT(LineWith(whole, "process.binary == \"/a\""), HasSubstr("in the kernel, once"));
  EXPECT_THAT(LineWith(whole, "process.uid == 0"), HasSubstr("in the kernel, once a process"));
  EXPECT_THAT(whole, HasSubstr("=> decided in the kernel alone"));

  const std::string rest = About(text, "rest");
  EXPECT_THAT(LineWith(rest, "\"-c\" in process.args"), HasSubstr("  in user space"));
  EXPECT_THAT(rest, HasSubstr("=> user space finishes what the kernel lets through"));

  EXPECT_THAT(LineWith(About(text, "pattern"), "matches"), HasSubstr("as far as it goes"));

  const std::string ours = About(text, "ours");
  EXPECT_THAT(ours, HasSubstr("file.open, by fentry security_file_open"));
  EXPECT_THAT(LineWith(ours, "file.path"), HasSubstr("in the kernel, at each event"));
  EXPECT_THAT(LineWith(ours, "process.uid == 5"), HasSubstr("in the kernel, once a process"));
}

TEST(ExplainTest, SaysWhyAMarkIsTestedInUserSpace) {
  const auto engine = Engine(R"yaml(rules:
  - {name: a, on: process.exec, when: 'process.binary == "/a"', mark: plain}
  - {name: b, on: process.exec, when: 'process.binary == "/a"', mark: {name: ends, lifetime: 1m}}
  - {name: c, on: process.exit, when: 'exit.code == 1', mark: outside}
  - name: asks
    on: file.open
    when: >-
      file.path == "/x" && ("plain" in process.marks || !("ends" in process.marks) ||
      "outside" in process.marks)
)yaml");
  ASSERT_NE(engine, nullptr);
  const std::string asks = About(ExplainText(*engine, false), "asks");
  EXPECT_THAT(LineWith(asks, "plain"), HasSubstr("in the kernel as far as it goes"));
  EXPECT_THAT(LineWith(asks, "ends"), testing::EndsWith("in user space: the mark has a lifetime"));
  EXPECT_THAT(LineWith(asks, "outside"),
              testing::EndsWith("in user space: a rule sets the mark on an event that user space "
                                "judges"));
  const json conditions = json::parse(ExplainJson(*engine)).at("rules").at(3).at("conditions");
  EXPECT_FALSE(conditions.at(1).contains("why"));
  EXPECT_EQ(conditions.at(2).at("why"), "the mark has a lifetime");
}

constexpr char kEnforcing[] = R"yaml(rules:
  - {name: kills, on: process.exec, when: 'process.uid == 1', then: kill}
  - {name: denies, on: file.open, when: 'file.path == "/a"', then: deny}
  - {name: signals, on: file.open, when: 'file.path == "/a"', then: {signal: TERM}}
  - {name: can-not, on: process.exec, when: '"x" in process.args', then: kill, fallback: log}
  - {name: kills-instead, on: process.exec, when: process.env_cut, then: deny, fallback: kill}
  - {name: watches, on: file.open, when: 'file.path == "/a"'}
)yaml";

TEST(ExplainTest, SaysHowARuleActs) {
  const auto engine = Engine(std::string("mode: enforce\n") + kEnforcing);
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  EXPECT_THAT(ExplainText(*engine, false),
              HasSubstr("file.open, by BPF LSM file_open, or fmod_ret security_file_open"));
  EXPECT_THAT(About(text, "kills"),
              HasSubstr("  then: kill\n  kill: sent from the hook, before the program's first "
                        "instruction; mode enforce\n"));
  EXPECT_THAT(About(text, "denies"),
              HasSubstr("  then: deny\n  deny: refused with EPERM before the file is opened"));
  EXPECT_THAT(About(text, "signals"), HasSubstr("  signal SIGTERM: sent from the hook; the open "
                                                "itself goes on; mode enforce\n"));
  EXPECT_THAT(About(text, "watches"), Not(HasSubstr("then:")));
  const auto monitor = Engine(std::string("mode: monitor\n") + kEnforcing);
  EXPECT_THAT(About(ExplainText(*monitor, false), "kills"),
              HasSubstr("; mode monitor: it is only said what it would do\n"));
}

TEST(ExplainTest, NamesTheHookThatRefusesExecs) {
  const std::string rules =
      "rules:\n  - {name: refuses, on: process.exec, when: process.uid == 1, then: deny}\n";
  const auto about = [&](const std::string& mode) {
    const auto engine = Engine(mode + rules);
    return engine == nullptr ? "" : About(ExplainText(*engine, false), "refuses");
  };
  EXPECT_THAT(about("mode: enforce\n"),
              AllOf(HasSubstr("before it BPF LSM bprm_creds_from_file"),
                    HasSubstr("deny: refused with EPERM before the program runs")));
  EXPECT_THAT(about("mode: monitor\n"), Not(HasSubstr("bprm_creds_from_file")));
}

TEST(ExplainTest, SaysWhyAFallbackIsInEffect) {
  const auto engine = Engine(kEnforcing);
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  const std::string can_not = About(text, "can-not");
  EXPECT_THAT(can_not, HasSubstr("  then: kill, in effect its fallback log: \"x\" in process.args "
                                 "is decided in user space\n  =>"));
  EXPECT_THAT(About(text, "kills-instead"),
              HasSubstr("  then: deny, in effect its fallback kill: process.env_cut is not known "
                        "while the exec can still be refused\n  kill: sent from the hook"));
  const json parsed = json::parse(ExplainJson(*engine));
  EXPECT_EQ(parsed.at("mode"), "monitor");
  const json& rules = parsed.at("rules");
  EXPECT_EQ(rules.at(0).at("action"), "kill");
  EXPECT_EQ(rules.at(0).at("effective_action"), "kill");
  EXPECT_EQ(rules.at(0).at("signal"), 9);
  EXPECT_FALSE(rules.at(0).contains("fallback_why"));
  EXPECT_EQ(rules.at(3).at("action"), "kill");
  EXPECT_EQ(rules.at(3).at("effective_action"), "log");
  EXPECT_FALSE(rules.at(3).contains("signal"));
  EXPECT_EQ(rules.at(3).at("fallback_why"), "\"x\" in process.args is decided in user space");
  EXPECT_EQ(rules.at(5).at("effective_action"), "alert");
}

TEST(ExplainTest, ClassOfUserSpaceAndDisabledRuleAreSaidToBeSuch) {
  const auto engine = Engine(kSet);
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  EXPECT_THAT(About(text, "ends"),
              HasSubstr("=> every event of the class is judged by user space"));
  const std::string off = About(text, "off");
  EXPECT_THAT(off, HasSubstr("  disabled"));
  EXPECT_THAT(off, Not(HasSubstr("=>")));
}

TEST(ExplainTest, RuleThatNoProcessIsFreeOfIsNamedOnce) {
  EXPECT_THAT(ExplainText(*Engine(kSet), false),
              HasSubstr("clauses, of 1024 for each: process.exec 3, file.open 1, changes of files "
                        "0, process.ptrace 0, process.signal 0, process.bpf 0\n"
                        "an open of a process that no rule concerns: one look at its mask"));
  const auto engine = Engine(R"yaml(rules:
  - name: all
    on: file.open
    when: 'file.path == "/etc/shadow" || (file.path == "/etc/passwd" && file.write)'
  - {name: not-mine, on: file.open, when: 'file.path == "/a" && process.binary != "/b"'}
  - {name: mine, on: file.open, when: 'file.path == "/a" && process.binary == "/b"'}
)yaml");
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  EXPECT_THAT(text, HasSubstr("every process is concerned by 2 of the rules on file.open"));
  EXPECT_THAT(text, testing::EndsWith(":\n  all\n  not-mine\n"));
  EXPECT_EQ(json::parse(ExplainJson(*engine)).at("concern_every_process"),
            (json{"all", "not-mine"}));
}

TEST(ExplainTest, SetWithoutOpensSaysThatTheyCostNothing) {
  const auto engine = Engine(R"yaml(rules:
  - {name: a, on: process.exec, when: 'process.binary == "/a"'}
)yaml");
  ASSERT_NE(engine, nullptr);
  EXPECT_THAT(ExplainText(*engine, false),
              testing::EndsWith("no rule asks for file.open: opens are not hooked and cost "
                                "nothing\n"));
}

TEST(ExplainTest, ColorsOnlyWhenAskedFor) {
  const auto engine = Engine(kSet);
  ASSERT_NE(engine, nullptr);
  EXPECT_THAT(ExplainText(*engine, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(ExplainText(*engine, true), HasSubstr("\x1b[1mwhole\x1b[0m  process.exec"));
}

TEST(ExplainTest, JsonSaysTheSame) {
  const auto engine = Engine(kSet);
  ASSERT_NE(engine, nullptr);
  const json parsed = json::parse(ExplainJson(*engine));
  EXPECT_EQ(parsed.at("rule_set"), "shop");
  EXPECT_EQ(parsed.at("revision"), engine->rules().revision);
  const json& rules = parsed.at("rules");
  ASSERT_EQ(rules.size(), 6u);
  EXPECT_EQ(rules[0].at("name"), "whole");
  EXPECT_EQ(rules[0].at("class"), "process.exec");
  EXPECT_EQ(rules[0].at("enabled"), true);
  EXPECT_EQ(rules[0].at("guarantee"), "decided in the kernel alone");
  const auto decided = [&rules](size_t rule) {
    std::vector<std::string> where;
    for (const json& condition : rules[rule].at("conditions"))
      where.push_back(condition["decided"]);
    return where;
  };
  EXPECT_EQ(rules[0].at("conditions")[0].at("condition"), "process.binary == \"/a\"");
  EXPECT_THAT(decided(0), testing::ElementsAre("kernel_process", "kernel_process"));
  EXPECT_THAT(decided(1), testing::ElementsAre("kernel_process", "user_space"));
  EXPECT_THAT(decided(2), testing::ElementsAre("kernel_partly"));
  EXPECT_THAT(decided(3), testing::ElementsAre("kernel_event", "kernel_process"));
  EXPECT_THAT(decided(4), testing::IsEmpty());
  EXPECT_EQ(rules[5].at("enabled"), false);
  EXPECT_EQ(parsed.at("concern_every_process"), json::array());
}

TEST(ExplainTest, HostileConditionCannotLeaveItsLineOrItsString) {
  const auto engine = Engine(R"yaml(rules:
  - {name: a, on: process.exec, when: 'process.binary == "/a\x1b[2J\n\xff\""'}
)yaml");
  ASSERT_NE(engine, nullptr);
  const std::string text = ExplainText(*engine, false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\xff'), std::string::npos);
  EXPECT_THAT(LineWith(text, "/a"), HasSubstr("in the kernel, once a process"));
  EXPECT_TRUE(json::accept(ExplainJson(*engine)));
}

}  // namespace
}  // namespace kentry
