// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/container_root.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "sensor/util/clock.h"

namespace kentry {
namespace {

// This process, as the kernel describes it.
RootOwner Self() {
  std::ifstream stat("/proc/self/stat");
  std::string word;
  for (int field = 1; field <= 22; ++field) stat >> word;  // this program's name has no blank
  return {.pid = static_cast<uint32_t>(getpid()),
          .start_ns = std::stoull(word) * (kSecond / 100) + 123,
          .mnt_ns = OwnNamespace("mnt"),
          .user_ns = OwnNamespace("user")};
}

class BelowTest : public ::testing::Test {
 protected:
  BelowTest() {
    std::string name = ::testing::TempDir() + "below-XXXXXX";
    path_ = mkdtemp(name.data());
    mkdir((path_ + "/root").c_str(), 0755);
    std::ofstream(path_ + "/root/file") << "inside";
    std::ofstream(path_ + "/outside") << "outside";
    root_ = Fd(open((path_ + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~BelowTest() override {
    for (const char* name : {"/root/file", "/root/link", "/outside"}) {
      unlink((path_ + name).c_str());
    }
    rmdir((path_ + "/root").c_str());
    rmdir(path_.c_str());
  }
  bool LeadsNowhere(const std::string& target) {
    const std::string link = path_ + "/root/link";
    unlink(link.c_str());
    EXPECT_EQ(symlink(target.c_str(), link.c_str()), 0);
    return !OpenBelow(root_, "/link", false).valid();
  }

  std::string path_;
  Fd root_;
};

TEST_F(BelowTest, FindsFilesAndDirectoriesOfTheRoot) {
  struct stat found {};
  struct stat wanted {};
  const Fd file = OpenBelow(root_, "/file", false);
  ASSERT_TRUE(file.valid());
  ASSERT_EQ(fstat(file.get(), &found), 0);
  ASSERT_EQ(stat((path_ + "/root/file").c_str(), &wanted), 0);
  EXPECT_EQ(found.st_ino, wanted.st_ino);
  EXPECT_TRUE(OpenBelow(root_, "", true).valid());
  EXPECT_FALSE(OpenBelow(root_, "/file", true).valid());
  EXPECT_FALSE(OpenBelow(root_, "/missing", false).valid());
}

TEST_F(BelowTest, NoLinkLeadsOut) {
  EXPECT_FALSE(LeadsNowhere("/file"));  // absolute, of the root
  EXPECT_FALSE(LeadsNowhere("../../../file"));
  EXPECT_TRUE(LeadsNowhere(path_ + "/outside"));
  EXPECT_TRUE(LeadsNowhere("../outside"));
  EXPECT_TRUE(LeadsNowhere("../../../../../../../.." + path_ + "/outside"));
}

TEST_F(BelowTest, NoMountIsCrossed) {
  const Fd slash(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(OpenBelow(slash, "", true).valid());
  EXPECT_FALSE(OpenBelow(slash, "/proc", true).valid());
  EXPECT_FALSE(OpenBelow(slash, "/proc/self/root", true).valid());
}

TEST(ContainerRootTest, OnlyTheSameProcessWillDo) {
  const RootOwner self = Self();
  // Whatever this machine's root is made of: the process itself is the right one.
  EXPECT_NE(OpenContainerRoot(self).status().code(), absl::StatusCode::kNotFound);
  RootOwner other = self;
  other.start_ns += kSecond;
  EXPECT_EQ(OpenContainerRoot(other).status().code(), absl::StatusCode::kNotFound);
  other = self;
  ++other.mnt_ns;
  EXPECT_EQ(OpenContainerRoot(other).status().code(), absl::StatusCode::kNotFound);
  other = self;
  other.pid = 0x7ffffff0;  // there is no such pid
  EXPECT_EQ(OpenContainerRoot(other).status().code(), absl::StatusCode::kNotFound);
}

TEST(ContainerRootTest, AnotherUserNamespaceIsRefused) {
  RootOwner other = Self();
  ++other.user_ns;
  EXPECT_EQ(OpenContainerRoot(other).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ContainerRootTest, OnlyFileSystemsThatAnswerByThemselvesAreLocal) {
  EXPECT_TRUE(IsLocalFileSystem(OVERLAYFS_SUPER_MAGIC));
  EXPECT_TRUE(IsLocalFileSystem(TMPFS_MAGIC));
  EXPECT_FALSE(IsLocalFileSystem(FUSE_SUPER_MAGIC));
  EXPECT_FALSE(IsLocalFileSystem(NFS_SUPER_MAGIC));
}

}  // namespace
}  // namespace kentry
