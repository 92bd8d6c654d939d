// SPDX-License-Identifier: Apache-2.0
#include "rules/match/truth.h"

#include <gtest/gtest.h>

namespace kentry {
namespace {

using enum Truth;

TEST(TruthTest, TablesAreKleenes) {
  struct Row {
    Truth a, b, both, either;
  };
  for (const Row& row : {Row{kFalse, kFalse, kFalse, kFalse},
                         {kFalse, kUnknown, kFalse, kUnknown},
                         {kFalse, kTrue, kFalse, kTrue},
                         {kUnknown, kUnknown, kUnknown, kUnknown},
                         {kUnknown, kTrue, kUnknown, kTrue},
                         {kTrue, kTrue, kTrue, kTrue}}) {
    EXPECT_EQ(And(row.a, row.b), row.both);
    EXPECT_EQ(And(row.b, row.a), row.both);
    EXPECT_EQ(Or(row.a, row.b), row.either);
    EXPECT_EQ(Or(row.b, row.a), row.either);
  }
  EXPECT_EQ(Not(kFalse), kTrue);
  EXPECT_EQ(Not(kUnknown), kUnknown);
  EXPECT_EQ(Not(kTrue), kFalse);
}

TEST(TruthTest, HasNames) {
  EXPECT_EQ(TruthName(ToTruth(false)), "false");
  EXPECT_EQ(TruthName(kUnknown), "unknown");
  EXPECT_EQ(TruthName(ToTruth(true)), "true");
}

}  // namespace
}  // namespace kentry
