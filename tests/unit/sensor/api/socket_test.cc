// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace kentry {
namespace {

using ::testing::HasSubstr;

class ApiSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "kentry-socket-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/run/kentry.sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static mode_t ModeOf(const std::string& path) {
    struct stat info = {};
    return lstat(path.c_str(), &info) == 0 ? info.st_mode : 0;
  }

  // A listening socket that no daemon of ours holds.
  static int Listen(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return -1;
    return listen(fd, 1) == 0 ? fd : -1;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(ApiSocketTest, IsForItsOwnerOnlyWhateverTheUmask) {
  const mode_t before = umask(0);
  const auto socket = ApiSocket::Claim(path_);
  umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(path_), S_IFSOCK | 0600);
  EXPECT_EQ(ModeOf(path_ + ".lock"), S_IFREG | 0600);
}

TEST_F(ApiSocketTest, CreatesItsDirectoryForAllToSeeWhateverTheUmask) {
  const mode_t before = umask(0077);
  const auto socket = ApiSocket::Claim(path_);
  umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(directory_ + "/run"), S_IFDIR | 0755);
}

TEST_F(ApiSocketTest, LeavesTheModeOfAnExistingDirectoryAlone) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0700), 0);
  ASSERT_TRUE(ApiSocket::Claim(path_).ok());
  EXPECT_EQ(ModeOf(directory_ + "/run"), S_IFDIR | 0700);
}

TEST_F(ApiSocketTest, SecondClaimIsRefusedAndNamesTheFirst) {
  const auto first = ApiSocket::Claim(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = ApiSocket::Claim(path_);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  EXPECT_THAT(
      std::string(second.status().message()),
      HasSubstr("another kentry daemon (pid " + std::to_string(getpid()) + ") runs on " + path_));
  EXPECT_EQ(ModeOf(path_), S_IFSOCK | 0600) << "the first one's socket is gone";
}

TEST_F(ApiSocketTest, GoesWithItsOwnerAndCanBeClaimedAgain) {
  {
    const auto socket = ApiSocket::Claim(path_);
    ASSERT_TRUE(socket.ok()) << socket.status();
  }
  EXPECT_EQ(ModeOf(path_), 0u);
  EXPECT_TRUE(ApiSocket::Claim(path_).ok());
}

TEST_F(ApiSocketTest, ReplacesASocketThatNobodyListensOn) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0755), 0);
  const int fd = Listen(path_);
  ASSERT_GE(fd, 0);
  close(fd);
  ASSERT_TRUE(S_ISSOCK(ModeOf(path_)));
  const auto socket = ApiSocket::Claim(path_);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(path_), S_IFSOCK | 0600);
}

TEST_F(ApiSocketTest, LeavesAnotherProgramsSocketAlone) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0755), 0);
  const int fd = Listen(path_);
  ASSERT_GE(fd, 0);
  const auto socket = ApiSocket::Claim(path_);
  EXPECT_TRUE(absl::IsAlreadyExists(socket.status())) << socket.status();
  EXPECT_THAT(std::string(socket.status().message()), HasSubstr("another program listens on"));
  const auto connection = ConnectToDaemon(path_, absl::Seconds(1));
  EXPECT_TRUE(connection.ok()) << connection.status();
  if (connection.ok()) close(*connection);
  close(fd);
}

TEST_F(ApiSocketTest, LeavesAFileThatIsNoSocketAlone) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0755), 0);
  std::ofstream(path_) << "precious";
  const auto socket = ApiSocket::Claim(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(socket.status())) << socket.status();
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(ApiSocketTest, MovedClaimIsStillHeld) {
  auto first = ApiSocket::Claim(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  ApiSocket moved = *std::move(first);
  EXPECT_TRUE(absl::IsAlreadyExists(ApiSocket::Claim(path_).status()));
  EXPECT_EQ(moved.path(), path_);
  EXPECT_GE(moved.fd(), 0);
}

TEST_F(ApiSocketTest, PathTooLongForASocketIsRefusedBeforeAnythingIsCreated) {
  const std::string path = directory_ + "/run/" + std::string(120, 'x');
  const auto socket = ApiSocket::Claim(path);
  EXPECT_TRUE(absl::IsInvalidArgument(socket.status())) << socket.status();
  EXPECT_THAT(std::string(socket.status().message()), HasSubstr("1 to 107 are possible"));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/run"));
}

TEST_F(ApiSocketTest, DirectoryThatCannotBeCreatedIsNamed) {
  const auto socket = ApiSocket::Claim(directory_ + "/none/run/kentry.sock");
  EXPECT_TRUE(absl::IsNotFound(socket.status())) << socket.status();
  EXPECT_THAT(std::string(socket.status().message()), HasSubstr(directory_ + "/none/run"));
}

TEST_F(ApiSocketTest, ConnectingToNobodySaysHowToStartADaemon) {
  const auto connection = ConnectToDaemon(path_, absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(connection.status())) << connection.status();
  EXPECT_EQ(std::string(connection.status().message()),
            "no kentry daemon answers on " + path_ + "; start one with \"kentry run\"");
}

TEST_F(ApiSocketTest, ConnectingToADeadDaemonsSocketSaysTheSame) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0755), 0);
  close(Listen(path_));
  const auto connection = ConnectToDaemon(path_, absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(connection.status())) << connection.status();
}

TEST_F(ApiSocketTest, ConnectingToAFullQueueEndsInTime) {
  ASSERT_EQ(mkdir((directory_ + "/run").c_str(), 0755), 0);
  const int fd = Listen(path_);
  ASSERT_GE(fd, 0);
  std::vector<int> waiting;
  absl::Status last;
  while (last.ok() && waiting.size() < 100) {
    const auto connection = ConnectToDaemon(path_, absl::Milliseconds(50));
    last = connection.status();
    if (connection.ok()) waiting.push_back(*connection);
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(last)) << last;
  for (const int connection : waiting) close(connection);
  close(fd);
}

}  // namespace
}  // namespace kentry
