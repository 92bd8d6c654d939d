// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/users.h"

#include <cstdio>
#include <fstream>

#include "gtest/gtest.h"

namespace kentry {
namespace {

TEST(UsersTest, EntriesAreReadAndOtherLinesPassedOver) {
  const std::string path = testing::TempDir() + "/passwd";
  std::ofstream(path) << "root:x:0:0:root:/root:/bin/sh\n# comment\n\n:x:5::\nbroken\nbad:x:y:\n"
                         "alice:x:1000:1000::/home/alice:/bin/sh\nroot2:x:0:0::/:/bin/sh\n";
  const auto names = ReadUserNames(path);
  EXPECT_EQ(names.size(), 2u);
  EXPECT_EQ(names.at(0), "root");  // the first of two names
  EXPECT_EQ(names.at(1000), "alice");
  std::remove(path.c_str());
}

TEST(UsersTest, MissingFileMeansNoNames) { EXPECT_TRUE(ReadUserNames("/nonexistent").empty()); }

}  // namespace
}  // namespace kentry
