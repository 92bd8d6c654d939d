// SPDX-License-Identifier: Apache-2.0
#include "rules/match/regex_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fmt/format.h"

namespace kentry {
namespace {

using testing::HasSubstr;

std::vector<std::string> Numbered(int count) {
  std::vector<std::string> patterns;
  for (int i = 0; i < count; ++i) patterns.push_back(fmt::format("^/opt/[a-z]+/{}(\\.so)?$", i));
  return patterns;
}

void Add(const std::vector<std::string>& patterns, RegexGroup* group) {
  for (const std::string& pattern : patterns) group->Add(pattern);
}

std::vector<uint32_t> Marked(const RegexGroup& group) {
  std::vector<uint32_t> ids;
  for (uint32_t id = 0; id < group.size(); ++id) {
    if (group.Matched(id)) ids.push_back(id);
  }
  return ids;
}

TEST(RegexIndexTest, ThousandPatternsRunTogether) {
  const std::vector<std::string> patterns = Numbered(1000);
  RegexGroup group;
  Add(patterns, &group);
  int left = kMaxInstructions;
  ASSERT_TRUE(group.Compile(&left).ok());
  EXPECT_LT(left, kMaxInstructions);
  EXPECT_EQ(group.Run("/opt/lib/617.so"), 0);
  EXPECT_THAT(Marked(group), testing::ElementsAre(617));
  EXPECT_EQ(group.Run("/opt/lib/3"), 0);
  EXPECT_THAT(Marked(group), testing::ElementsAre(3, 617));
  group.Clear();
  EXPECT_EQ(group.Run("/opt/LIB/3"), 0);
  EXPECT_THAT(Marked(group), testing::IsEmpty());
  EXPECT_TRUE(group.MatchesOne(5, "/opt/x/5"));
  EXPECT_FALSE(group.MatchesOne(5, "/opt/x/6"));
}

TEST(RegexIndexTest, SetWithoutMemoryIsCountedAndStillRight) {
  const std::vector<std::string> patterns = Numbered(70);
  RegexGroup group;
  Add(patterns, &group);
  int left = kMaxInstructions;
  ASSERT_TRUE(group.Compile(&left, 4096).ok());
  EXPECT_EQ(group.Run("/opt/lib/69.so"), 1);
  EXPECT_THAT(Marked(group), testing::ElementsAre(69));
}

TEST(RegexIndexTest, SetsThatAreTooLargeAreSplit) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 60; ++i) patterns.push_back(fmt::format("^[a-c]{{900}}{}$", i));
  RegexGroup group;
  Add(patterns, &group);
  int left = kMaxInstructions;
  ASSERT_TRUE(group.Compile(&left).ok());
  ASSERT_GT(kMaxInstructions - left, 1 << 15) << "the patterns fit one set";
  EXPECT_EQ(group.Run(std::string(900, 'b') + "0"), 0);
  EXPECT_THAT(Marked(group), testing::ElementsAre(0));
  group.Clear();
  EXPECT_EQ(group.Run(std::string(900, 'b') + "59"), 0);
  EXPECT_THAT(Marked(group), testing::ElementsAre(59));
}

TEST(RegexIndexTest, SamePatternIsHeldOnce) {
  RegexGroup group;
  EXPECT_EQ(group.Add("a"), 0u);
  EXPECT_EQ(group.Add("b"), 1u);
  EXPECT_EQ(group.Add("a"), 0u);
  EXPECT_EQ(group.size(), 2u);
}

TEST(RegexIndexTest, RefusedPatternIsNamed) {
  RegexGroup group;
  group.Add("a(b");
  int left = kMaxInstructions;
  const absl::Status status = group.Compile(&left);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a(b"));
}

TEST(RegexIndexTest, ProgramsAreBoundedTogether) {
  RegexGroup group;
  group.Add("a{500}");
  int left = 100;
  EXPECT_EQ(group.Compile(&left).code(), absl::StatusCode::kResourceExhausted);
}

TEST(RegexIndexTest, AnyByteCanBeMatched) {
  RegexGroup group;
  group.Add("^a.b$");
  group.Add("\\xff");
  group.Add("\xc3\xa9");
  int left = kMaxInstructions;
  ASSERT_TRUE(group.Compile(&left).ok());
  group.Run(
      "a\xff"
      "b");
  EXPECT_THAT(Marked(group), testing::ElementsAre(0, 1));
  group.Clear();
  group.Run("caf\xc3\xa9");
  EXPECT_THAT(Marked(group), testing::ElementsAre(2));
  group.Clear();
  group.Run("a\nb");
  EXPECT_THAT(Marked(group), testing::IsEmpty()) << "a dot is no newline";
}

TEST(RegexIndexTest, GroupWithoutPatternsRuns) {
  RegexGroup group;
  int left = kMaxInstructions;
  ASSERT_TRUE(group.Compile(&left).ok());
  EXPECT_EQ(group.Run("a"), 0);
}

}  // namespace
}  // namespace kentry
