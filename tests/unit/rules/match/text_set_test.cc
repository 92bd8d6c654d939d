// SPDX-License-Identifier: Apache-2.0
#include "rules/match/text_set.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace kentry {
namespace {

using Kind = TextSet::Kind;

bool Simple(Kind kind, const std::vector<std::string>& texts, std::string_view value) {
  for (const std::string& text : texts) {
    if (kind == Kind::kEqual && value == text) return true;
    if (kind == Kind::kPrefix && value.substr(0, text.size()) == text) return true;
    if (kind == Kind::kSuffix && value.size() >= text.size() &&
        value.substr(value.size() - text.size()) == text) {
      return true;
    }
    if (kind == Kind::kPart && value.find(text) != std::string_view::npos) return true;
  }
  return false;
}

std::string Random(std::mt19937& random, int longest) {
  std::string text(random() % static_cast<unsigned>(longest + 1), ' ');
  for (char& c : text) c = "ab\xff"[random() % 3];
  return text;
}

TEST(TextSetTest, SmallAndLargeSetsAgreeWithALoop) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts(random() % 24);
    for (std::string& text : texts) text = Random(random, 6);
    for (const Kind kind : {Kind::kEqual, Kind::kPrefix, Kind::kSuffix, Kind::kPart}) {
      const TextSet set(kind, {texts.begin(), texts.end()});
      for (int i = 0; i < 20; ++i) {
        const std::string value = Random(random, 8);
        ASSERT_EQ(set.Matches(value), Simple(kind, texts, value))
            << round << " " << static_cast<int>(kind) << " " << value;
      }
    }
  }
}

TEST(TextSetTest, EmptySetMatchesNothing) {
  for (const Kind kind : {Kind::kEqual, Kind::kPrefix, Kind::kSuffix, Kind::kPart}) {
    EXPECT_FALSE(TextSet(kind, {}).Matches(""));
    EXPECT_FALSE(TextSet(kind, {}).Matches("a"));
  }
}

TEST(TextSetTest, EmptyTextIsInEveryValueAndEqualsTheEmptyOne) {
  for (const Kind kind : {Kind::kPrefix, Kind::kSuffix, Kind::kPart}) {
    EXPECT_TRUE(TextSet(kind, {""}).Matches(""));
    EXPECT_TRUE(TextSet(kind, {""}).Matches("a"));
  }
  EXPECT_TRUE(TextSet(Kind::kEqual, {""}).Matches(""));
  EXPECT_FALSE(TextSet(Kind::kEqual, {""}).Matches("a"));
}

}  // namespace
}  // namespace kentry
