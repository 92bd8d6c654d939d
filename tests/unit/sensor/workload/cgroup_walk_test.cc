// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_walk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace kentry {
namespace {

namespace fs = std::filesystem;

class CgroupWalkTest : public testing::Test {
 protected:
  CgroupWalkTest() {
    std::string pattern = testing::TempDir() + "cgroup_walk_XXXXXX";
    root_ = mkdtemp(pattern.data());
    fs::create_directories(root_ / "proc/self");
    fs::create_directories(root_ / "cg");
  }
  ~CgroupWalkTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  absl::StatusOr<CgroupMount> Find() {
    return FindCgroupMount({.proc = root_ / "proc", .sys = "/sys"});
  }
  std::string Cg() const { return root_ / "cg"; }

  fs::path root_;
};

constexpr char kProcCgroups[] =
    "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
    "cpuset\t3\t1\t1\n"
    "cpu\t2\t1\t1\n"
    "cpuacct\t2\t1\t1\n"
    "blkio\t7\t1\t1\n"
    "memory\t4\t8\t1\n"
    "devices\t5\t1\t1\n"
    "net_cls\t0\t1\t1\n"
    "pids\t8\t1\t1\n";

constexpr char kHybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST_F(CgroupWalkTest, PureV2IsTheDefaultHierarchy) {
  Write("proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  const auto mount = Find();  // without /proc/cgroups: not needed
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup");
  EXPECT_EQ(mount->version, 2);
  EXPECT_EQ(mount->controller, "");
  EXPECT_EQ(mount->subsys_index, -1);
  EXPECT_EQ(mount->hierarchy_id, 0);
}

TEST_F(CgroupWalkTest, HybridUsesTheMemoryControllersHierarchy) {
  Write("proc/self/mountinfo", kHybrid);
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup/memory");
  EXPECT_EQ(mount->version, 1);
  EXPECT_EQ(mount->controller, "memory");
  EXPECT_EQ(mount->subsys_index, 4);
  EXPECT_EQ(mount->hierarchy_id, 4);
}

TEST_F(CgroupWalkTest, DisabledControllerGivesWayToTheNext) {
  Write("proc/self/mountinfo", kHybrid);
  std::string cgroups = kProcCgroups;
  cgroups.replace(cgroups.find("memory\t4\t8\t1"), 12, "memory\t4\t8\t0");
  Write("proc/cgroups", cgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup/pids");
  EXPECT_EQ(mount->subsys_index, 7);
}

TEST_F(CgroupWalkTest, ControllerSharingAHierarchyIsFoundByItsOption) {
  Write("proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpuacct,cpu\n");
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->controller, "cpu");
  EXPECT_EQ(mount->path, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(mount->subsys_index, 1);
  EXPECT_EQ(mount->hierarchy_id, 2);
}

TEST_F(CgroupWalkTest, HybridWithoutV1ControllersUsesUnified) {
  Write("proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  Write("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t9\t1\n");
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup/unified");
  EXPECT_EQ(mount->version, 2);
}

TEST_F(CgroupWalkTest, StrayV1MountOnAV2MachineChangesNothing) {
  Write("proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        "50 23 0:40 / /mnt/net_cls rw - cgroup cgroup rw,net_cls\n");
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup");
}

TEST_F(CgroupWalkTest, MountOfTheWholeHierarchyIsPreferredToABindMountOfAPart) {
  Write("proc/self/mountinfo",
        "60 23 0:32 /docker/x /run/part rw - cgroup cgroup rw,memory\n"
        "61 23 0:32 / /run/a\\040b\\134c rw - cgroup cgroup rw,memory\n"
        "62 23 0:32 /docker/y /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/run/a b\\c");
  EXPECT_FALSE(mount->from_root);
}

TEST_F(CgroupWalkTest, MountBelowSysIsPreferredToACopyElsewhere) {
  Write("proc/self/mountinfo",
        "60 23 0:32 / /run/copy rw - cgroup cgroup rw,memory\n"
        "61 23 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "62 23 0:32 / /srv/copy rw - cgroup cgroup rw,memory\n");
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(mount->path, "/sys/fs/cgroup/memory");
}

TEST_F(CgroupWalkTest, NoHierarchyIsNotFoundAndSaysWhereItLooked) {
  Write("proc/self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n");
  Write("proc/cgroups", kProcCgroups);
  const auto mount = Find();
  EXPECT_EQ(mount.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(mount.status().message().find("mountinfo"), std::string::npos);
}

TEST_F(CgroupWalkTest, MissingProcNamesTheFile) {
  const auto mount = Find();
  EXPECT_EQ(mount.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(mount.status().message().find("proc/self/mountinfo"), std::string::npos);
}

TEST_F(CgroupWalkTest, GarbageInProcIsNoHierarchy) {
  Write("proc/self/mountinfo", "\n- - -\n1 2 3 / /x rw - cgroup\n1 2 3 / /x rw cgroup cgroup\n");
  Write("proc/cgroups", "memory\nmemory x y z\n\n99999999999999999999 1 1 1\n");
  EXPECT_EQ(Find().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CgroupWalkTest, VisitsEveryDirectoryOnceParentsFirstWithItsInode) {
  fs::create_directories(root_ / "cg/system.slice/ssh.service");
  fs::create_directories(root_ / "cg/docker/0123");
  Write("cg/cgroup.procs", "1\n");
  fs::create_directory_symlink("/", root_ / "cg/elsewhere");
  std::map<std::string, uint64_t> seen;
  const absl::Status status = WalkCgroups(Cg(), [&](uint64_t id, std::string_view path) {
    const auto slash = path.rfind('/');
    const std::string parent(slash == 0 ? "/" : path.substr(0, slash));
    EXPECT_TRUE(path == "/" || seen.contains(parent)) << path;
    EXPECT_TRUE(seen.emplace(path, id).second) << path;
  });
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(seen.size(), 5u);
  for (const auto& [path, id] : seen) {
    struct stat expected;
    ASSERT_EQ(stat((Cg() + path).c_str(), &expected), 0) << path;
    EXPECT_EQ(id, expected.st_ino) << path;
  }
}

TEST_F(CgroupWalkTest, DirectoryRemovedDuringTheWalkIsNoError) {
  fs::create_directories(root_ / "cg/a/b");
  fs::create_directories(root_ / "cg/c/d");
  int visited = 0;
  const absl::Status status = WalkCgroups(Cg(), [&](uint64_t, std::string_view path) {
    ++visited;
    if (path == "/a") {
      fs::remove_all(root_ / "cg/c");
    } else if (path == "/c") {
      fs::remove_all(root_ / "cg/a");
    }
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LE(visited, 4);
}

TEST_F(CgroupWalkTest, BoundStopsTheWalkAndSaysSo) {
  for (int i = 0; i < 20; ++i) {
    fs::create_directory(root_ / "cg" / std::to_string(i));
  }
  size_t visited = 0;
  const auto count = [&visited](uint64_t, std::string_view) { ++visited; };
  EXPECT_EQ(WalkCgroups(Cg(), count, 10).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(visited, 10u);
  visited = 0;
  EXPECT_TRUE(WalkCgroups(Cg(), count, 21).ok());
  EXPECT_EQ(visited, 21u);
}

TEST_F(CgroupWalkTest, NestingDeeperThanAPathCanSayIsReportedNotFollowed) {
  const std::string name(200, 'n');
  fs::path at = root_ / "cg";
  const fs::path before = fs::current_path();
  fs::current_path(at);
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(mkdir(name.c_str(), 0755), 0);
    ASSERT_EQ(chdir(name.c_str()), 0);
  }
  fs::current_path(before);
  size_t longest = 0;
  const absl::Status status = WalkCgroups(
      Cg(), [&](uint64_t, std::string_view path) { longest = std::max(longest, path.size()); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(longest, 20u * 201u);
}

TEST_F(CgroupWalkTest, MissingMountNamesIt) {
  const absl::Status status = WalkCgroups(root_ / "none", [](uint64_t, std::string_view) {});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("none"), std::string::npos);
}

TEST(CgroupWalkRealTest, ThisMachinesHierarchyCanBeWalked) {
  const auto mount = FindCgroupMount();
  if (!mount.ok()) {
    GTEST_SKIP() << mount.status();
  }
  uint64_t root_id = 0;
  size_t visited = 0;
  const absl::Status status = WalkCgroups(mount->path, [&](uint64_t id, std::string_view path) {
    EXPECT_TRUE(path.starts_with('/'));
    root_id = path == "/" ? id : root_id;
    ++visited;
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_GE(visited, 1u);
  EXPECT_EQ(mount->from_root, root_id == 1) << mount->path;
}

}  // namespace
}  // namespace kentry
