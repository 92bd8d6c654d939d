// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/sizes.h"

#include <bit>

#include "gtest/gtest.h"

namespace kentry {
namespace {

constexpr uint64_t kGiB = 1ull << 30;

TEST(SizesTest, SmallMachineHasOneMebibyteACpu) {
  const RingSizes sizes = DefaultRingSizes(8 * kGiB, 2);
  EXPECT_EQ(sizes.bulk, 1u << 20);
  EXPECT_EQ(sizes.prio, 256u << 10);
}

TEST(SizesTest, ManyCpusShareTheBound) {
  for (const int cpus : {1, 3, 64, 96, 512}) {
    for (const uint64_t memory : {kGiB, 16 * kGiB, 1024 * kGiB}) {
      const RingSizes sizes = DefaultRingSizes(memory, cpus);
      EXPECT_TRUE(std::has_single_bit(sizes.bulk));
      EXPECT_TRUE(std::has_single_bit(sizes.prio));
      EXPECT_GE(sizes.bulk, 64u << 10);
      EXPECT_GE(sizes.prio, 64u << 10) << "the largest record goes by it too";
      EXPECT_LE(uint64_t{sizes.bulk} * static_cast<uint64_t>(cpus),
                std::max<uint64_t>(256u << 20, uint64_t{64u << 10} * static_cast<uint64_t>(cpus)));
    }
  }
}

TEST(SizesTest, AskedForSizesAreRoundedUpWithinBounds) {
  EXPECT_EQ(RoundBulkBytes(1), 64u << 10);
  EXPECT_EQ(RoundBulkBytes(100'000), 128u << 10);
  EXPECT_EQ(RoundBulkBytes(UINT64_MAX), 64u << 20);
  EXPECT_EQ(RoundPrioBytes(1), 64u << 10);
}

}  // namespace
}  // namespace kentry
