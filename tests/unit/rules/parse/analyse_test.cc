// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/analyse.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::Report;
using parse_testing::RuleOn;
using parse_testing::Said;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> Warnings(std::string_view cls, std::string_view when) {
  const auto result = Parse(RuleOn(cls, when));
  EXPECT_EQ(result.diagnostics.errors(), 0u) << Report(result);
  return Said(result);
}

TEST(AnalyseTest, ConditionsThatAreAlwaysTheSame) {
  const std::pair<const char*, const char*> kCases[] = {
      {"process.name == 'a' && process.name == 'b'", "always false"},
      {"process.name == 'a' && process.name != 'a'", "always false"},
      {"process.name in ['a', 'b'] && process.name in ['c']", "always false"},
      {"process.binary == '/a/b' && process.binary.startsWith('/c')", "always false"},
      {"process.binary.startsWith('/a') && process.binary.startsWith('/b')", "always false"},
      {"process.binary.endsWith('a') && process.binary.endsWith('b')", "always false"},
      {"process.uid < 3 && process.uid > 5", "always false"},
      {"process.uid < 3 && process.uid >= 2 && process.uid != 2", "always false"},
      {"process.uid in [1, 2] && process.uid > 2", "always false"},
      {"process.uid < 0", "always false"},
      {"process.uid == 4294967296", "always false"},
      {"process.name == 'longer-than-the-kernel-keeps'", "always false"},
      {"process.uid >= 0", "always true"},
      {"process.uid == 0 || process.uid != 0", "always true"},
      {"process.uid < 5 || process.uid > 3", "always true"},
      {"process.deleted && !process.deleted", "always false"},
      {"'a' == 'b'", "always false"},
      {"process.name in []", "always false"},
      {"process.name.startsWith('')", "always true"},
      {"process.cap_effective.hasAny(0)", "always false"},
      {"process.args.exists(a, a == 'x' && a == 'y')", "always false"},
      {"!(process.uid >= 0)", "always false"},
      {"false", "always false"},
  };
  for (const auto& [when, what] : kCases) {
    EXPECT_THAT(Warnings("process.exec", when),
                ElementsAre(HasSubstr(fmt::format("the condition of rule \"r\" is {}", what))))
        << when;
  }
}

TEST(AnalyseTest, ConditionsThatCanBeBothAreLeftAlone) {
  for (const char* const when :
       {"true", "process.uid == 0", "process.uid < 5 && process.uid > 3",
        "process.name == 'a' || process.name == 'b'",
        "process.name in ['a', 'b'] && process.name != 'a'",
        "process.binary.startsWith('/a') && process.binary.startsWith('/a/b')",
        "process.binary.startsWith('/a') && process.binary != '/a/b'",
        "process.args[0] == 'a' && process.args[1] == 'b'",
        "process.args.exists(a, a == 'x') && process.args.exists(a, a == 'y')",
        "process.uid != 0 && process.gid == 0"}) {
    EXPECT_THAT(Warnings("process.exec", when), IsEmpty()) << when;
  }
  // One path and an alias of the same file.
  EXPECT_THAT(Warnings("file.open", "file.path == '/a' && file.path == '/b'"), IsEmpty());
  EXPECT_THAT(Warnings("file.open", "file.path == '/a' && file.path != '/a'").size(), 1u);
}

TEST(AnalyseTest, PartsThatAreAlwaysTheSame) {
  EXPECT_THAT(Warnings("process.exec", "process.uid == 0 || process.gid < 0"),
              ElementsAre("5:27+15 this part of the condition is always false | remove it, or "
                          "compare with something else"));
}

TEST(AnalyseTest, RulesBehindADrop) {
  const auto rules = [](const char* drop, const char* other) {
    return Said(
        Parse(fmt::format("rules:\n  - {{name: d, on: process.exec, then: drop, when: {}}}\n"
                          "  - {{name: r, on: process.exec, when: {}}}\n"
                          "  - {{name: f, on: file.open, when: true}}\n",
                          drop, other)));
  };
  const auto shadowed = ElementsAre(
      StartsWith("3:12+1 rule \"r\" is shadowed: rule \"d\" (a.yaml:2) drops all its events"));
  EXPECT_THAT(rules("true", "process.uid == 0"), shadowed);
  EXPECT_THAT(rules("process.uid == 0", "process.uid == 0"), shadowed);
  EXPECT_THAT(rules("process.uid == 0", "process.gid == 1 && process.uid == 0"), shadowed);
  EXPECT_THAT(rules("process.uid == 0", "process.uid == 0 || process.gid == 1"), IsEmpty());
  EXPECT_THAT(rules("process.uid == 0", "process.uid == 1"), IsEmpty());
}

TEST(AnalyseTest, ActionBehindADropIsSeen) {
  EXPECT_THAT(Said(Parse("rules:\n  - {name: d, on: process.exec, then: drop, when: true}\n"
                         "  - {name: r, on: process.exec, then: kill, when: process.uid == 0}\n")),
              IsEmpty());
}

TEST(AnalyseTest, MarksThatNobodySets) {
  const auto result = Parse(
      "rules:\n  - {name: a, on: process.exec, when: true, mark: shell}\n"
      "  - {name: b, on: process.exec, when: '\"shel\" in process.marks'}\n");
  EXPECT_THAT(Said(result),
              ElementsAre(HasSubstr("no rule sets the mark \"shel\"; did you mean \"shell\"?")));
  EXPECT_TRUE(result.rules != nullptr);
}

}  // namespace
}  // namespace kentry
