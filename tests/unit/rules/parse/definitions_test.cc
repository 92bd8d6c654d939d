// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/definitions.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::Report;
using parse_testing::Said;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<Literal> ValuesOf(const std::string& lists, const char* field) {
  const auto result = Parse(fmt::format(
      "lists: {{{}}}\nrules: [{{name: r, on: process.exec, when: {} in l}}]\n", lists, field));
  EXPECT_TRUE(result.rules != nullptr) << Report(result);
  return result.rules == nullptr ? std::vector<Literal>() : result.rules->rules[0].when.values;
}

TEST(DefinitionsTest, ListsHoldStringsOrNumbersAndOtherLists) {
  EXPECT_THAT(
      ValuesOf("l: [a, '5', 5m, $k], k: [b, '$x']", "process.name"),
      ElementsAre(Literal(std::string("a")), Literal(std::string("5")), Literal(std::string("5m")),
                  Literal(std::string("b")), Literal(std::string("$x"))));
  EXPECT_THAT(ValuesOf("l: [1, 0x10]", "process.uid"),
              ElementsAre(Literal(absl::int128(1)), Literal(absl::int128(16))));
}

TEST(DefinitionsTest, WrongLists) {
  const std::pair<const char*, const char*> kCases[] = {
      {"lists: {a: x}", "1:12+1 a list is written [a, b], not as text"},
      {"lists: {a: [[x]]}", "1:13+1 an item of a list is a string or a number, not a list"},
      {"lists: {a: [x, 1]}", "1:16+1 list \"a\" mixes strings and numbers"},
      {"lists: {a: [$bbx], bbb: [x]}", "1:13+4 unknown list \"bbx\"; did you mean \"bbb\"?"},
      {"lists: {a: [$b], b: [$a]}", "1:9+1 list \"a\" refers to itself: a -> b -> a"},
      {"lists: {a: [$a]}", "1:9+1 list \"a\" refers to itself: a -> a"},
  };
  for (const auto& [text, message] : kCases) {
    EXPECT_THAT(Said(Parse(text)), testing::Contains(StartsWith(message))) << text;
  }
}

TEST(DefinitionsTest, CyclicMacrosNameTheCircle) {
  EXPECT_THAT(Said(Parse("macros:\n  a: b && true\n  b: '!c'\n  c: a\n")),
              ElementsAre("2:3+1 macro \"a\" refers to itself: a -> b -> c -> a"));
}

TEST(DefinitionsTest, MacrosAreConditions) {
  EXPECT_THAT(Said(Parse("macros: {a: process.uid}")),
              ElementsAre(HasSubstr("\"process.uid\" is a number; a condition is expected")));
  EXPECT_THAT(Said(Parse("macros: {a: [x]}")),
              ElementsAre(HasSubstr("a condition is text, not a list")));
  EXPECT_THAT(Said(Parse("macros: {a: nope == 1}")),
              ElementsAre(HasSubstr("unknown name \"nope\"")));
}

}  // namespace
}  // namespace kentry
