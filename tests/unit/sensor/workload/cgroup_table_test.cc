// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_table.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace kentry {
namespace {

const std::string kA = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kB = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
constexpr uint64_t kSecond = 1'000'000'000;

class CgroupTableTest : public testing::Test {
 protected:
  std::string PathOf(uint64_t id) const {
    const Cgroup* cgroup = table_.Find(id);
    return cgroup == nullptr ? "(unknown)" : cgroup->path;
  }

  CgroupTable table_{{.capacity = 8, .per_container = 3, .grace_ns = 10 * kSecond}};
};

TEST_F(CgroupTableTest, AddedCgroupCarriesItsContainer) {
  ASSERT_TRUE(table_.Add(7, "/kubepods/burstable/pod1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9/" + kA));
  const Cgroup* cgroup = table_.Find(7);
  ASSERT_NE(cgroup, nullptr);
  EXPECT_EQ(cgroup->id, 7u);
  EXPECT_EQ(cgroup->runtime, Runtime::kUnknown);
  EXPECT_EQ(cgroup->container_id, kA);
  EXPECT_EQ(cgroup->pod_uid.view(), "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9");
  EXPECT_EQ(cgroup->depth, 1);
  EXPECT_EQ(cgroup->outer_container_id, "");
  EXPECT_FALSE(cgroup->removed());
}

TEST_F(CgroupTableTest, MachineNameIsUnescapedAndNestedContainerNamesTheOuterOne) {
  ASSERT_TRUE(table_.Add(1, "/machine.slice/machine-my\\x2dbox.scope/docker/" + kA));
  const Cgroup* cgroup = table_.Find(1);
  EXPECT_EQ(cgroup->container_id, kA);
  EXPECT_EQ(cgroup->outer_container_id, "my-box");
  EXPECT_EQ(cgroup->outer_runtime, Runtime::kNspawn);
  EXPECT_EQ(cgroup->depth, 2);
}

TEST_F(CgroupTableTest, UnknownIdIsNotFound) { EXPECT_EQ(table_.Find(1), nullptr); }

TEST_F(CgroupTableTest, PointerSurvivesGrowthAndRemoval) {
  table_.Add(1, "/a");
  const Cgroup* cgroup = table_.Find(1);
  for (uint64_t id = 2; id <= 8; ++id) {
    table_.Add(id, "/x" + std::to_string(id));
  }
  table_.Remove(1, kSecond);
  EXPECT_EQ(table_.Find(1), cgroup);
  EXPECT_EQ(cgroup->path, "/a");
}

TEST_F(CgroupTableTest, RemovedCgroupStaysKnownForItsGrace) {
  table_.Add(1, "/docker/" + kA);
  table_.Remove(1, 5 * kSecond);
  table_.Sweep(15 * kSecond - 1);
  ASSERT_NE(table_.Find(1), nullptr);
  EXPECT_EQ(table_.Find(1)->removed_at_ns, 5 * kSecond);
  EXPECT_EQ(table_.Find(1)->container_id, kA);
  table_.Sweep(15 * kSecond);
  EXPECT_EQ(table_.Find(1), nullptr);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(CgroupTableTest, SweepBeforeTheRemovalForgetsNothing) {
  table_.Add(1, "/a");
  table_.Remove(1, 50 * kSecond);
  table_.Sweep(kSecond);
  EXPECT_NE(table_.Find(1), nullptr);
}

TEST_F(CgroupTableTest, SecondRemovalKeepsTheFirstTime) {
  table_.Add(1, "/a");
  table_.Remove(1, 5);
  table_.Remove(1, 9);
  EXPECT_EQ(table_.Find(1)->removed_at_ns, 5u);
  EXPECT_EQ(table_.counters().unknown_id, 0u);
}

TEST_F(CgroupTableTest, RemovalAtTimeZeroIsStillARemoval) {
  table_.Add(1, "/a");
  table_.Remove(1, 0);
  EXPECT_TRUE(table_.Find(1)->removed());
}

TEST_F(CgroupTableTest, RemovalOfAnUnknownIdIsCounted) {
  table_.Remove(1, 5);
  EXPECT_EQ(table_.counters().unknown_id, 1u);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(CgroupTableTest, SamePathMayComeBackUnderAnotherId) {
  table_.Add(1, "/system.slice/cron.service");
  table_.Remove(1, 5);
  table_.Add(2, "/system.slice/cron.service");
  EXPECT_TRUE(table_.Find(1)->removed());
  EXPECT_FALSE(table_.Find(2)->removed());
  EXPECT_EQ(table_.counters().implied_removals, 0u);
}

TEST_F(CgroupTableTest, ReusedIdBelongsToTheNewCgroup) {
  table_.Add(1, "/docker/" + kA);
  table_.Remove(1, 5);
  ASSERT_TRUE(table_.Add(1, "/docker/" + kB));
  EXPECT_EQ(table_.Find(1)->container_id, kB);
  EXPECT_FALSE(table_.Find(1)->removed());
  EXPECT_EQ(table_.counters().reused_ids, 1u);
  table_.Sweep(100 * kSecond);
  EXPECT_NE(table_.Find(1), nullptr);
}

TEST_F(CgroupTableTest, RefusedNewcomerIsNotTakenForTheFormerOwnerOfItsId) {
  table_.Add(1, "/docker/" + kA);
  table_.Remove(1, 5);
  EXPECT_FALSE(table_.Add(1, "no-slash"));
  EXPECT_EQ(table_.Find(1), nullptr);
}

TEST_F(CgroupTableTest, AddingTheSameAgainChangesNothing) {
  table_.Add(1, "/a");
  EXPECT_TRUE(table_.Add(1, "/a"));
  EXPECT_EQ(table_.size(), 1u);
  EXPECT_EQ(table_.counters().implied_renames, 0u);
}

TEST_F(CgroupTableTest, KnownIdAtAnotherPathWasRenamed) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  EXPECT_TRUE(table_.Add(1, "/c"));
  EXPECT_EQ(PathOf(1), "/c");
  EXPECT_EQ(PathOf(2), "/c/b");
  EXPECT_EQ(table_.counters().implied_renames, 1u);
}

TEST_F(CgroupTableTest, RenameMovesAllDescendantsAndNothingElse) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  table_.Add(3, "/a/b/c");
  table_.Add(4, "/a-b");
  table_.Add(5, "/ab");
  EXPECT_TRUE(table_.Rename(1, "/z"));
  EXPECT_EQ(PathOf(1), "/z");
  EXPECT_EQ(PathOf(2), "/z/b");
  EXPECT_EQ(PathOf(3), "/z/b/c");
  EXPECT_EQ(PathOf(4), "/a-b");
  EXPECT_EQ(PathOf(5), "/ab");
  table_.Rename(2, "/z/y");
  EXPECT_EQ(PathOf(3), "/z/y/c");
}

TEST_F(CgroupTableTest, RenameIntoAContainersNameGivesTheContainer) {
  table_.Add(1, "/docker/tmp");
  table_.Add(2, "/docker/tmp/init.scope");
  EXPECT_FALSE(table_.Find(2)->in_container());
  table_.Rename(1, "/docker/" + kA);
  EXPECT_EQ(table_.Find(1)->container_id, kA);
  EXPECT_EQ(table_.Find(2)->container_id, kA);
  table_.Rename(1, "/docker/tmp");
  EXPECT_EQ(table_.Find(2)->container_id, "");
  EXPECT_FALSE(table_.Find(2)->in_container());
}

TEST_F(CgroupTableTest, RenameLeavesRemovedDescendantsTheirLastPath) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  table_.Remove(2, 5);
  table_.Rename(1, "/z");
  EXPECT_EQ(PathOf(2), "/a/b");
}

TEST_F(CgroupTableTest, RenameOfAnUnknownIdAddsIt) {
  EXPECT_TRUE(table_.Rename(1, "/a"));
  EXPECT_EQ(PathOf(1), "/a");
}

TEST_F(CgroupTableTest, LateRenameOfARemovedCgroupIsIgnored) {
  table_.Add(1, "/a");
  table_.Remove(1, 5);
  EXPECT_TRUE(table_.Rename(1, "/b"));
  EXPECT_EQ(PathOf(1), "/a");
}

TEST_F(CgroupTableTest, RenameBelowItselfKeepsEveryEntry) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  table_.Rename(1, "/a/b");
  EXPECT_EQ(PathOf(1), "/a/b");
  EXPECT_EQ(PathOf(2), "/a/b/b");
  EXPECT_EQ(table_.counters().implied_removals, 0u);
}

TEST_F(CgroupTableTest, CgroupFoundAtAnOccupiedPathMeansTheOtherIsGone) {
  table_.Remove(99, 7);
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  table_.Add(3, "/a");
  EXPECT_EQ(table_.Find(1)->removed_at_ns, 7u);
  EXPECT_TRUE(table_.Find(2)->removed());
  EXPECT_FALSE(table_.Find(3)->removed());
  EXPECT_EQ(table_.counters().implied_removals, 2u);
  table_.Add(4, "/b");
  table_.Rename(4, "/a");
  EXPECT_TRUE(table_.Find(3)->removed());
}

TEST_F(CgroupTableTest, RemovalTakesDescendantsWithIt) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  table_.Add(3, "/ab");
  table_.Remove(1, 5);
  EXPECT_EQ(table_.Find(2)->removed_at_ns, 5u);
  EXPECT_FALSE(table_.Find(3)->removed());
  EXPECT_EQ(table_.counters().implied_removals, 1u);
}

TEST_F(CgroupTableTest, RootsDescendantsAreEverything) {
  table_.Add(1, "/");
  table_.Add(2, "/a");
  table_.Remove(1, 5);
  EXPECT_TRUE(table_.Find(2)->removed());
}

TEST_F(CgroupTableTest, FullTableForgetsTheOldestRemovedFirst) {
  for (uint64_t id = 1; id <= 8; ++id) {
    table_.Add(id, "/x" + std::to_string(id));
  }
  table_.Remove(3, 1);
  table_.Remove(1, 2);
  EXPECT_TRUE(table_.Add(9, "/x9"));
  EXPECT_EQ(table_.Find(3), nullptr);
  EXPECT_NE(table_.Find(1), nullptr);
  EXPECT_EQ(table_.counters().evicted, 1u);
  EXPECT_EQ(table_.size(), 8u);
}

TEST_F(CgroupTableTest, TableFullOfExistingCgroupsRefusesAndCounts) {
  for (uint64_t id = 1; id <= 8; ++id) {
    table_.Add(id, "/x" + std::to_string(id));
  }
  EXPECT_FALSE(table_.Add(9, "/x9"));
  EXPECT_FALSE(table_.Rename(10, "/x10"));
  EXPECT_EQ(table_.Find(9), nullptr);
  EXPECT_EQ(table_.counters().refused_full, 2u);
  EXPECT_EQ(table_.size(), 8u);
}

TEST_F(CgroupTableTest, ContainerCannotTakeMoreThanItsShare) {
  const std::string container = "/docker/" + kA;
  EXPECT_TRUE(table_.Add(1, container));
  EXPECT_TRUE(table_.Add(2, container + "/a"));
  EXPECT_TRUE(table_.Add(3, container + "/docker/" + kB));
  EXPECT_FALSE(table_.Add(4, container + "/c"));
  EXPECT_EQ(table_.counters().refused_container, 1u);
  EXPECT_TRUE(table_.Add(5, "/docker/" + kB));
  EXPECT_TRUE(table_.Add(6, "/system.slice"));
  table_.Remove(2, 5);
  EXPECT_TRUE(table_.Add(4, container + "/c"));
}

TEST_F(CgroupTableTest, BadPathsAreRefusedAndCounted) {
  EXPECT_FALSE(table_.Add(1, ""));
  EXPECT_FALSE(table_.Add(1, "a"));
  EXPECT_FALSE(table_.Add(1, "/" + std::string(4096, 'a')));
  EXPECT_EQ(table_.counters().refused_path, 3u);
  EXPECT_TRUE(table_.Add(1, "/" + std::string(4095, 'a')));
  EXPECT_FALSE(table_.Rename(1, "b"));
  EXPECT_EQ(table_.counters().refused_path, 4u);
  EXPECT_EQ(PathOf(1).size(), 4096u);
}

TEST_F(CgroupTableTest, RenameThatMakesAPathTooLongRetiresThatCgroup) {
  table_.Add(1, "/a");
  table_.Add(2, "/a/b");
  EXPECT_TRUE(table_.Rename(1, "/" + std::string(4094, 'z')));
  EXPECT_FALSE(table_.Find(1)->removed());
  EXPECT_TRUE(table_.Find(2)->removed());
  EXPECT_EQ(PathOf(2), "/a/b");
  EXPECT_EQ(table_.counters().refused_path, 1u);
  table_.Remove(2, 5);
  table_.Sweep(100 * kSecond);
  EXPECT_EQ(table_.Find(2), nullptr);
}

TEST_F(CgroupTableTest, ResyncRetiresWhatTheWalkDidNotFind) {
  table_.Add(1, "/a");
  table_.Add(2, "/b");
  table_.Add(3, "/c");
  table_.StartResync();
  table_.Add(1, "/a");
  table_.Add(4, "/d");
  table_.Rename(3, "/e");
  table_.FinishResync(5);
  EXPECT_FALSE(table_.Find(1)->removed());
  EXPECT_EQ(table_.Find(2)->removed_at_ns, 5u);
  EXPECT_FALSE(table_.Find(3)->removed());
  EXPECT_FALSE(table_.Find(4)->removed());
  EXPECT_EQ(table_.counters().implied_removals, 1u);
}

// Any order of events, as after losses, must leave a table that is bounded and empties itself.
TEST_F(CgroupTableTest, RandomEventsStayWithinCapacityAndDrain) {
  std::mt19937 random(1);
  const auto path = [&random] {
    std::string text;
    for (unsigned i = 0, n = 1 + random() % 3; i < n; ++i) {
      text += random() % 8 == 0 ? "/docker/" + kA : "/" + std::string(1, "ab"[random() % 2]);
    }
    return text;
  };
  uint64_t now = 0;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t id = 1 + random() % 12;
    now += kSecond;
    switch (random() % 5) {
      case 0:
      case 1:
        table_.Add(id, path());
        break;
      case 2:
        table_.Rename(id, path());
        break;
      case 3:
        table_.Remove(id, now);
        break;
      case 4:
        table_.Sweep(now);
        break;
    }
    ASSERT_LE(table_.size(), 8u);
  }
  table_.StartResync();
  table_.FinishResync(now);
  table_.Sweep(now + 10 * kSecond);
  EXPECT_EQ(table_.size(), 0u);
  // The share of the container came back with its cgroups.
  EXPECT_TRUE(table_.Add(1, "/docker/" + kA));
  EXPECT_TRUE(table_.Add(2, "/docker/" + kA + "/a"));
  EXPECT_TRUE(table_.Add(3, "/docker/" + kA + "/b"));
}

}  // namespace
}  // namespace kentry
