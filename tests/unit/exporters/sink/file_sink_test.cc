// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace kentry {
namespace {

using testing::HasSubstr;

class FileSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "file_sink_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = dir_ + "/out.json";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static absl::Status Write(Sink& sink, std::string_view text) { return sink.Write(&text); }

  std::string dir_;
  std::string path_;
};

TEST_F(FileSinkTest, CreatesAPrivateFileAndAppends) {
  {
    auto sink = FileSink::Open(path_);
    ASSERT_TRUE(sink.ok()) << sink.status();
    EXPECT_TRUE(Write(**sink, "one\n").ok());
    EXPECT_TRUE((*sink)->Flush(absl::Seconds(1)).ok());
  }
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  auto again = FileSink::Open(path_);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(Write(**again, "two\n").ok());
  EXPECT_EQ(Read(path_), "one\ntwo\n");
}

TEST_F(FileSinkTest, RefusesASymbolicLinkAndNamesIt) {
  std::ofstream(dir_ + "/target") << "precious";
  std::filesystem::create_symlink(dir_ + "/target", path_);
  const auto sink = FileSink::Open(path_);
  ASSERT_FALSE(sink.ok());
  EXPECT_THAT(std::string(sink.status().message()), HasSubstr("symbolic link"));
  EXPECT_THAT(std::string(sink.status().message()), HasSubstr(path_));
}

TEST_F(FileSinkTest, RefusesADirectoryAndAFifoWithoutHanging) {
  EXPECT_FALSE(FileSink::Open(dir_).ok());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(FileSink::Open(path_).ok());
}

TEST_F(FileSinkTest, RefusesAPathThatIsNotThere) {
  const auto sink = FileSink::Open(dir_ + "/none/out.json");
  EXPECT_EQ(sink.status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileSinkTest, DevNullIsAllowed) {
  auto sink = FileSink::Open("/dev/null");
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE(Write(**sink, "x").ok());
  EXPECT_TRUE((*sink)->Flush(absl::Seconds(1)).ok());
}

TEST_F(FileSinkTest, ReopenFollowsARotatedFile) {
  auto sink = FileSink::Open(path_);
  ASSERT_TRUE(sink.ok());
  EXPECT_TRUE(Write(**sink, "old\n").ok());
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_TRUE(Write(**sink, "still old\n").ok());
  (*sink)->Reopen();
  EXPECT_TRUE(Write(**sink, "new\n").ok());
  EXPECT_EQ(Read(path_ + ".1"), "old\nstill old\n");
  EXPECT_EQ(Read(path_), "new\n");
}

TEST_F(FileSinkTest, FailedReopenIsAnErrorThatCanBeRetried) {
  auto sink = FileSink::Open(path_);
  ASSERT_TRUE(sink.ok());
  std::filesystem::rename(path_, path_ + ".1");
  std::filesystem::create_directory(path_);
  (*sink)->Reopen();
  std::string_view rest = "line\n";
  const absl::Status status = (*sink)->Write(&rest);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code(), absl::StatusCode::kFailedPrecondition) << "that would end the output";
  EXPECT_EQ(rest, "line\n");
  std::filesystem::remove(path_);
  EXPECT_TRUE((*sink)->Write(&rest).ok());
  EXPECT_EQ(Read(path_), "line\n");
}

TEST_F(FileSinkTest, FullDiskLeavesTheRestForAnotherTry) {
  auto sink = FileSink::Open("/dev/full");
  ASSERT_TRUE(sink.ok()) << sink.status();
  std::string_view rest = "line\n";
  EXPECT_EQ((*sink)->Write(&rest).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rest, "line\n");
}

TEST_F(FileSinkTest, PartOfABatchThatWasWrittenIsNotWrittenAgain) {
  auto sink = FileSink::Open(path_);
  ASSERT_TRUE(sink.ok());
  // A file size limit makes a write short, as a full disk does.
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 10;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string_view rest = "0123456789abcdef\n";
  const absl::Status status = (*sink)->Write(&rest);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(rest, "abcdef\n");
  (*sink)->Reopen();  // not in the middle of a batch
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_TRUE((*sink)->Write(&rest).ok());
  EXPECT_EQ(Read(path_ + ".1"), "0123456789abcdef\n");
  EXPECT_TRUE(Write(**sink, "next\n").ok());
  EXPECT_EQ(Read(path_), "next\n");
}

TEST_F(FileSinkTest, CancelEndsWriting) {
  auto sink = FileSink::Open(path_);
  ASSERT_TRUE(sink.ok());
  (*sink)->Cancel();
  EXPECT_EQ(Write(**sink, "x").code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Read(path_), "");
}

}  // namespace
}  // namespace kentry
