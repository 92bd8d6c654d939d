// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace kentry {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"--output", "--quiet", "--events", "ps", "run"};

TEST(SuggestTest, DistanceCountsEachKindOfEditOnce) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("status", "status"), 0u);
  EXPECT_EQ(EditDistance("status", "statuss"), 1u);
  EXPECT_EQ(EditDistance("status", "statu"), 1u);
  EXPECT_EQ(EditDistance("status", "stutus"), 1u);
  EXPECT_EQ(EditDistance("status", "sttaus"), 1u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("ca", "abc"), 3u) << "a place is edited once";
}

TEST(SuggestTest, NearestNameIsFoundWhateverTheDashes) {
  EXPECT_EQ(NearestName("--ouput", kNames), "--output");
  EXPECT_EQ(NearestName("-output", kNames), "--output");
  EXPECT_EQ(NearestName("output", kNames), "--output");
  EXPECT_EQ(NearestName("--qiuet", kNames), "--quiet");
  EXPECT_EQ(NearestName("rnu", kNames), "run");
}

TEST(SuggestTest, NothingIsSuggestedForWhatIsFarFromAll) {
  EXPECT_EQ(NearestName("--frobnicate", kNames), "");
  EXPECT_EQ(NearestName("-x", kNames), "");
  EXPECT_EQ(NearestName("", kNames), "");
  EXPECT_EQ(NearestName("--", kNames), "");
  EXPECT_EQ(NearestName("xy", kNames), "");
}

TEST(SuggestTest, HugeInputCostsNothing) {
  EXPECT_EQ(NearestName(std::string(10'000'000, 'o'), kNames), "");
}

TEST(SuggestTest, SentenceIsEmptyWithoutASuggestion) {
  EXPECT_EQ(DidYouMean("evnets", kNames), "; did you mean \"--events\"?");
  EXPECT_EQ(DidYouMean("zzzz", kNames), "");
}

}  // namespace
}  // namespace kentry
