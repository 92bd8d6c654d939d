// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/enforce.h"

#include <csignal>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/compile/compiler.h"
#include "rules/parse/load.h"
#include "rules/parse/report.h"

namespace kentry {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

PatternEnds NoEnds(std::string_view) { return {}; }

LoadResult Load(const std::string& yaml) {
  LoadResult loaded = ParseRules({{"test.yaml", yaml}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  return loaded;
}

// "LINE:COLUMN: MESSAGE | HINT" of each error.
std::vector<std::string> Errors(const std::string& yaml) {
  const LoadResult loaded = Load(yaml);
  Diagnostics diagnostics;
  CheckEffects(*loaded.rules, NoEnds, &diagnostics);
  std::vector<std::string> said;
  for (const Diagnostic& one : diagnostics.all()) {
    said.push_back(
        fmt::format("{}:{}: {} | {}", one.at.line, one.at.column, one.message, one.hint));
  }
  Diagnostics compiling;
  const auto compiled = CompiledRules::Compile(loaded.rules, NoEnds, {1, 2}, &compiling);
  EXPECT_EQ(compiled == nullptr, !said.empty()) << "the compiler says the same";
  EXPECT_EQ(compiling.errors(), said.size());
  return said;
}

RuleEffect EffectOf(const std::string& rule) {
  const LoadResult loaded = Load("rules:\n  - " + rule);
  Diagnostics diagnostics;
  const auto compiled = CompiledRules::Compile(loaded.rules, NoEnds, {1, 2}, &diagnostics);
  EXPECT_NE(compiled, nullptr) << FirstError(loaded.rules->files, diagnostics);
  return compiled == nullptr ? RuleEffect() : compiled->effect(0);
}

TEST(EnforceTest, WhatTheKernelDecidesAloneIsEnforced) {
  EXPECT_THAT(Errors(R"(rules:
  - {name: a, on: process.exec, then: kill, when: 'process.binary == "/a" && process.uid != 0'}
  - {name: b, on: process.exec, then: {signal: TERM}, when: 'process.from_memfd'}
  - {name: c, on: file.open, then: deny, when: 'file.path.startsWith("/s/") && file.write'}
  - {name: d, on: file.open, then: kill, when: 'container.id != "" || parent.binary == "/b"'})"),
              IsEmpty());
  const RuleEffect kill = EffectOf("{name: a, on: file.open, then: kill, when: process.uid == 0}");
  EXPECT_EQ(kill.action, RuleAction::kKill);
  EXPECT_EQ(kill.signal, SIGKILL);
  EXPECT_EQ(kill.why, "");
  EXPECT_EQ(
      EffectOf("{name: a, on: file.open, then: {signal: HUP}, when: process.uid == 0}").signal,
      SIGHUP);
  EXPECT_EQ(EffectOf("{name: a, on: file.open, then: deny, when: process.uid == 0}").signal, 0);
}

TEST(EnforceTest, ClassOfUserSpaceIsRefused) {
  EXPECT_THAT(
      Errors("rules:\n"
             "  - {name: a, on: process.exit, then: kill, when: exit.code == 1}\n"
             "  - {name: b, on: process.fork, then: deny, when: process.uid == 1}\n"),
      ElementsAre("2:39: rule \"a\" can't kill: user space judges process.exit, when it is over | "
                  "kill works on process.exec, all of file.*, process.ptrace, process.signal, "
                  "process.bpf; or "
                  "write fallback: alert",
                  "3:39: rule \"b\" can't deny: user space judges process.fork, when it is over | "
                  "deny works on process.exec, all of file.*, process.ptrace, process.signal, "
                  "process.bpf; or "
                  "write fallback: alert"));
}

TEST(EnforceTest, ADeedIsDeniedByWhatTheKernelKnowsOfTheTarget) {
  EXPECT_THAT(
      Errors(
          "rules:\n"
          "  - {name: a, on: process.ptrace, then: deny, when: 'ptrace.attach && target.sensor'}\n"
          "  - {name: b, on: process.signal, then: kill, when: 'signal.number in [SIGKILL, 15]'}\n"
          "  - {name: c, on: process.ptrace, then: deny, when: 'target.uid == 0 && "
          "!target.is_child'}\n"
          "  - {name: d, on: process.signal, then: deny, when: 'target.binary == \"/a\"'}\n"
          "  - {name: e, on: process.signal, then: deny, when: 'target.container_id != \"\"'}\n"
          "  - {name: f, on: process.ptrace, then: deny, when: 'ptrace.mode.hasAny(2)'}\n"),
      ElementsAre(HasSubstr("target.binary == \"/a\" is decided in user space"),
                  HasSubstr("target.container_id == \"\" is decided in user space"),
                  HasSubstr("is decided in user space")));
}

TEST(EnforceTest, AnExecIsDeniedByWhatIsKnownBeforeIt) {
  EXPECT_THAT(Errors(R"(rules:
  - {name: a, on: process.exec, then: deny, when: 'process.binary.startsWith("/tmp/")'}
  - {name: b, on: process.exec, then: deny, when: 'process.gained_setuid && process.uid != 0'}
  - {name: c, on: process.exec, then: deny, when: 'process.from_memfd || process.deleted'}
  - {name: d, on: process.exec, then: deny, when: 'parent.binary == "/a" && container.id != ""'}
  - {name: e, on: process.exec, then: deny, when: 'process.gained_file_caps'}
  - {name: f, on: process.exec, then: deny, when: 'process.login_uid == 7 && process.ns_net == 9'}
)"),
              IsEmpty());
}

TEST(EnforceTest, AnExecIsNotDeniedByWhatIsKnownLater) {
  EXPECT_THAT(
      Errors("rules:\n"
             "  - {name: a, on: process.exec, then: deny, when: process.env_cut}\n"
             "  - {name: b, on: process.exec, then: deny, when: '\"x\" in process.args'}\n"
             "  - {name: c, on: process.exec, then: deny, when: 'process.name == \"x\"'}\n"
             "  - {name: d, on: process.exec, then: kill, when: process.env_cut}\n"),
      ElementsAre("2:51: rule \"a\" can't deny: process.env_cut is not known while the exec can "
                  "still be refused | write then: kill, or "
                  "fallback: kill: that acts when it is known, before the program runs",
                  AllOf(StartsWith("3:"), HasSubstr("asks for process.args, which is not known"),
                        EndsWith("| leave the condition out, or write fallback: alert")),
                  HasSubstr("asks for process.name, which is not known")));
}

TEST(EnforceTest, EachComparisonOfUserSpaceIsNamedAtItsPlace) {
  const auto errors = Errors(R"(rules:
  - name: a
    on: process.exec
    then: kill
    when: >-
      process.binary == "/a" && "x" in process.args &&
      process.binary.matches("^/a")
  - {name: fine, on: process.exec, then: kill, when: 'process.binary == "/a"'})");
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_THAT(errors[0], AllOf(StartsWith("6:33: rule \"a\" can't kill: \"x\" in process.args is "
                                          "decided in user space | write it with =="),
                               EndsWith("or write fallback: alert")));
  EXPECT_THAT(errors[1],
              StartsWith("7:7: rule \"a\" can't kill: process.binary.matches(\"^/a\") is "
                         "decided in user space"));
}

TEST(EnforceTest, AStrictRuleIsOnWhatCanBeRefusedAndDecidedByTheKernel) {
  EXPECT_THAT(Errors(R"(rules:
  - {name: a, on: file.open, when: 'file.path.startsWith("/s/")', record: required}
  - {name: b, on: file.unlink, then: log, when: 'process.uid != 0', record: required}
  - {name: c, on: file.chmod, then: deny, when: 'file.sets_setuid', record: required}
  - {name: d, on: process.exec, when: 'process.args[0] == "x"', record: optional})"),
              IsEmpty());
  EXPECT_THAT(
      Errors("rules:\n"
             "  - {name: a, on: process.exec, when: process.uid == 1, record: required}\n"
             "  - {name: b, on: process.exit, when: exit.code == 1, record: required}\n"
             "  - {name: c, on: file.open, when: file.path.contains('x'), record: required}\n"
             "  - {name: d, on: file.open, then: deny, when: file.path.contains('x'), record: "
             "required}\n"
             "  - {name: e, on: file.open, then: deny, fallback: alert, when: "
             "file.path.contains('x'), record: required}\n"),
      ElementsAre(
          "2:65: rule \"a\" can't have record: required: an exec is recorded when it has happened, "
          "and can't be refused any more | write the rule on file.open, with file.exec: that is "
          "asked before the program runs",
          "3:63: rule \"b\" can't have record: required: nothing refuses process.exit: it is told "
          "when it is over | record: required works on all of file.*, on process.ptrace, "
          "process.signal and process.bpf",
          AllOf(StartsWith("4:36: rule \"c\" can't have record: required: "
                           "file.path.contains(\"x\") is decided in user space"),
                EndsWith(", or remove record: required")),
          AllOf(StartsWith("5:48: rule \"d\" can't deny: "), EndsWith("or write fallback: alert")),
          StartsWith("6:65: rule \"e\" can't have record: required: ")));
}

TEST(EnforceTest, WhatTheKernelDecidesInPartIsNotEnough) {
  EXPECT_THAT(Errors("rules:\n"
                     "  - {name: m, on: process.exec, when: process.uid == 1, mark: m}\n"
                     "  - {name: a, on: file.open, then: kill, when: '\"m\" in process.marks'}\n"),
              ElementsAre(HasSubstr("\"m\" in process.marks is finished in user space |")));
  EXPECT_THAT(
      Errors("rules:\n"
             "  - {name: m, on: process.exit, when: exit.code == 1, mark: m}\n"
             "  - {name: a, on: file.open, then: kill, when: '\"m\" in process.marks'}\n"),
      ElementsAre(HasSubstr("\"m\" in process.marks is decided in user space: a rule sets the mark "
                            "on an event that user space judges |")));
}

TEST(EnforceTest, MoreAlternativesThanFitAreRefused) {
  std::string when = "process.uid == 0";
  for (int i = 0; i < 80; ++i)
    when += fmt::format(" || process.uid == {} && process.gid == {}", i, i);
  EXPECT_THAT(Errors("rules:\n  - {name: a, on: process.exec, then: kill, when: '" + when + "'}\n"),
              ElementsAre(HasSubstr("rule \"a\" can't kill: it has more than 64 alternatives")));
}

TEST(EnforceTest, ModeMakesNoDifference) {
  const std::string rules =
      "rules:\n  - {name: a, on: process.exec, then: deny, when: process.env_cut}\n";
  EXPECT_EQ(Errors("mode: enforce\n" + rules).size(), 1u);
  EXPECT_EQ(Errors("mode: monitor\n" + rules).size(), 1u);
}

TEST(EnforceTest, DisabledRuleIsNotAskedWhatItCould) {
  EXPECT_THAT(Errors("rules:\n  - {name: a, on: process.exec, then: deny, when: process.env_cut, "
                     "enabled: false}\n"),
              IsEmpty());
}

TEST(EnforceTest, FallbackStandsInAndSaysWhy) {
  const RuleEffect alert = EffectOf(
      "{name: a, on: process.exec, then: kill, fallback: alert, when: '\"x\" in process.args'}");
  EXPECT_EQ(alert.action, RuleAction::kAlert);
  EXPECT_EQ(alert.signal, 0);
  EXPECT_EQ(alert.why, "\"x\" in process.args is decided in user space");
  const RuleEffect log =
      EffectOf("{name: a, on: process.exit, then: kill, fallback: log, when: exit.code == 1}");
  EXPECT_EQ(log.action, RuleAction::kLog);
  EXPECT_EQ(log.why, "user space judges process.exit, when it is over");
  const RuleEffect kill =
      EffectOf("{name: a, on: process.exec, then: deny, fallback: kill, when: process.env_cut}");
  EXPECT_EQ(kill.action, RuleAction::kKill);
  EXPECT_EQ(kill.signal, SIGKILL);
  EXPECT_EQ(kill.why,
            "process.env_cut is not known while the exec can still "
            "be refused");
}

TEST(EnforceTest, FallbackIsNotUsedWhereTheActionIsPossible) {
  const RuleEffect deny =
      EffectOf("{name: a, on: file.open, then: deny, fallback: kill, when: process.uid == 1}");
  EXPECT_EQ(deny.action, RuleAction::kDeny);
  EXPECT_EQ(deny.why, "");
}

TEST(EnforceTest, FallbackThatIsNotPossibleEitherIsRefused) {
  EXPECT_THAT(
      Errors("rules:\n  - {name: a, on: process.exec, then: deny, fallback: kill, "
             "when: '\"x\" in process.args'}\n"),
      ElementsAre(HasSubstr("rule \"a\" can't deny, nor kill as its fallback says: \"x\" in "
                            "process.args is decided in user space")));
}

}  // namespace
}  // namespace kentry
