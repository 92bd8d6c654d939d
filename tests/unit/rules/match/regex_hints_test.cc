// SPDX-License-Identifier: Apache-2.0
#include "rules/match/regex_hints.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "rules/match/regex_index.h"

namespace kentry {
namespace {

struct Case {
  std::string pattern;
  std::string prefix;
  std::string suffix;
  bool exact = false;
};

class RegexHintsTest : public testing::TestWithParam<Case> {};

TEST_P(RegexHintsTest, SaysWhatTheEndsMustBe) {
  const RegexHint hint = HintOf(GetParam().pattern);
  EXPECT_EQ(hint.prefix, GetParam().prefix);
  EXPECT_EQ(hint.suffix, GetParam().suffix);
  EXPECT_EQ(hint.exact, GetParam().exact);
}

INSTANTIATE_TEST_SUITE_P(
    Patterns, RegexHintsTest,
    testing::Values(Case{"^/etc/shadow$", "/etc/shadow", "/etc/shadow", true},
                    Case{"\\A/etc\\z", "/etc", "/etc", true}, Case{"^$", "", "", true},
                    Case{"/etc", "", ""}, Case{"", "", ""}, Case{"^", "", ""}, Case{"$", "", ""},
                    Case{"^/etc/.*", "/etc/", ""}, Case{".*\\.so$", "", ".so"},
                    Case{"\\.so(\\.[0-9]+)*$", "", ""}, Case{"^/lib/.*\\.so$", "/lib/", ".so"},
                    Case{"^/home/[^/]+/\\.ssh/id_rsa$", "/home/", "/.ssh/id_rsa"},
                    Case{"^ab?c$", "a", "c"}, Case{"^ab*c$", "a", "c"}, Case{"^ab+c$", "a", "c"},
                    Case{"^ab{2}c$", "a", "c"}, Case{"^ab{0,3}?c$", "a", "c"},
                    Case{"^ab??", "a", ""}, Case{"x?$", "", ""}, Case{"[ab]$", "", ""},
                    Case{"[]$|a]b$", "", "b"}, Case{"[[:alpha:]]b$", "", "b"}, Case{"a|b$", "", ""},
                    Case{"^a|b", "", ""}, Case{"^(a|b)c$", "", "c"}, Case{"(?:^a|b)c$", "", "c"},
                    Case{"^a(b|c)", "a", ""}, Case{"ab\\$", "", ""}, Case{"ab\\\\$", "", "ab\\"},
                    Case{"(?i)^abc$", "", ""}, Case{"^a(?i)bc$", "", ""}, Case{"(?m)^abc$", "", ""},
                    Case{"(ab$)", "", ""}, Case{"^^a", "", ""}, Case{"^a$$", "a", ""},
                    Case{"^a$b$", "a", "b"}, Case{"^\\Qa|b\\E$", "", ""}, Case{"^a\\x41$", "", ""},
                    Case{"^a\\bc$", "a", "c"}, Case{"^a\\d$", "a", ""}, Case{"^*a", "", ""},
                    Case{"^a{b$", "", ""}, Case{"(a", "", ""}, Case{"^a\\", "", ""},
                    Case{"^\xff/$", "\xff/", "\xff/", true}, Case{"^(?P<n>a)b$", "", ""}));

class RegexHintsRandomTest : public testing::TestWithParam<unsigned> {};

// Pieces that break readers of patterns which take a short cut.
constexpr const char* kPieces[] = {"a",    "b",    "/",    "\\.",  "^",     "$",     "\\A",
                                   "\\z",  ".",    "*",    "+",    "?",     "|",     "(",
                                   ")",    "(?:",  "(?i)", "(?m)", "(?-s)", "[ab]",  "[^a]",
                                   "[]a]", "[",    "]",    "{2}",  "{0}",   "{",     "}",
                                   "\\",   "\\Q",  "\\E",  "\\b",  "\\B",   "\\x61", "\\$",
                                   "\\|",  "{1,}", "\\d",  "\\C",  "(?s)",  "[\\]",  "[[:^alpha:]]",
                                   "\\pL", "\\(",  "(?i:", "\n",   "a$",    "^b"};

std::string RandomPattern(std::mt19937& random) {
  std::string pattern = random() % 2 == 0 ? "^" : "";
  for (unsigned n = random() % 7; n > 0; --n) pattern += kPieces[random() % std::size(kPieces)];
  if (random() % 2 == 0) pattern += "$";
  return pattern;
}

// A text near what is promised, so that both sides of it are met.
std::string RandomText(const RegexHint& hint, std::mt19937& random) {
  std::string text = random() % 2 == 0 ? hint.prefix : "";
  for (unsigned n = random() % 4; n > 0; --n) text += "ab/.AB\n|$"[random() % 9];
  if (random() % 2 == 0) text += hint.suffix;
  return text;
}

bool Fits(const LiteralRegex& literal, const std::string& text) {
  if (literal.at_start && literal.at_end) return text == literal.text;
  if (literal.at_start) return text.starts_with(literal.text);
  if (literal.at_end) return text.ends_with(literal.text);
  return text.find(literal.text) != std::string::npos;
}

TEST_P(RegexHintsRandomTest, WhateverMatchesHasTheHintedEnds) {
  std::mt19937 random(GetParam());
  int hints = 0;
  int matches = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string pattern = RandomPattern(random);
    const RE2 regex(pattern, PatternOptions(kPatternMemory));
    const RegexHint hint = HintOf(pattern);
    const LiteralRegex literal = LiteralOf(pattern);
    if (!hint.prefix.empty() || !hint.suffix.empty()) ++hints;
    if (!regex.ok()) {
      ASSERT_TRUE(hint.prefix + hint.suffix == "" && !hint.exact && !literal.literal) << pattern;
      continue;
    }
    for (int i = 0; i < 40; ++i) {
      const std::string text = RandomText(hint, random);
      const bool match = RE2::PartialMatch(text, regex);
      matches += match ? 1 : 0;
      const bool ends = text.starts_with(hint.prefix) && text.ends_with(hint.suffix);
      ASSERT_TRUE(ends || !match) << pattern << " on " << text;
      ASSERT_TRUE(!hint.exact || match == (text == hint.prefix)) << pattern << " on " << text;
      ASSERT_TRUE(!literal.literal || match == Fits(literal, text)) << pattern << " on " << text;
    }
  }
  EXPECT_GT(hints, 300);
  EXPECT_GT(matches, 3000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RegexHintsRandomTest, testing::Values(1u, 2u, 3u));

TEST(RegexLiteralTest, PlainTextsAreTold) {
  const LiteralRegex part = LiteralOf("a\\.b");
  EXPECT_TRUE(part.literal && !part.at_start && !part.at_end);
  EXPECT_EQ(part.text, "a.b");
  EXPECT_TRUE(LiteralOf("^a").at_start);
  EXPECT_TRUE(LiteralOf("a$").at_end);
  EXPECT_FALSE(LiteralOf("a.b").literal);
  EXPECT_FALSE(LiteralOf("a|b").literal);
  EXPECT_FALSE(LiteralOf("(?i)a").literal);
}

}  // namespace
}  // namespace kentry
