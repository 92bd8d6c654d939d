// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/fd_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "sensor/util/fd.h"

namespace kentry {
namespace {

struct Pipe {
  Fd reader;
  Fd writer;
};

Pipe MakePipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

std::string ReadAll(int fd, size_t size) {
  std::string text(size, '\0');
  size_t at = 0;
  while (at < size) {
    const ssize_t n = read(fd, text.data() + at, size - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  text.resize(at);
  return text;
}

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

class FdSinkTest : public testing::Test {
 protected:
  void SetUp() override { old_handler_ = std::signal(SIGPIPE, SIG_IGN); }
  void TearDown() override { std::signal(SIGPIPE, old_handler_); }

 private:
  void (*old_handler_)(int) = SIG_DFL;
};

TEST_F(FdSinkTest, WaitsForASlowReaderAndWritesEverything) {
  const Pipe pipe = MakePipe();
  auto sink = FdSink::Create(pipe.writer.get());
  ASSERT_TRUE(sink.ok()) << sink.status();
  const std::string text = Pattern(1 << 20);  // sixteen times what a pipe holds
  std::string seen;
  std::thread reader([&] { seen = ReadAll(pipe.reader.get(), text.size()); });
  std::string_view rest = text;
  EXPECT_TRUE((*sink)->Write(&rest).ok());
  reader.join();
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(seen, text);
}

TEST_F(FdSinkTest, LeavesTheSharedDescriptorBlocking) {
  const Pipe pipe = MakePipe();
  auto sink = FdSink::Create(pipe.writer.get());
  ASSERT_TRUE(sink.ok());
  EXPECT_EQ(fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(FdSinkTest, ClosedPipeIsFinal) {
  Pipe pipe = MakePipe();
  auto sink = FdSink::Create(pipe.writer.get());
  ASSERT_TRUE(sink.ok());
  pipe.reader = Fd();
  std::string_view rest = "x";
  EXPECT_EQ((*sink)->Write(&rest).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rest, "x");
}

TEST_F(FdSinkTest, CancelEndsAWriteThatBlocks) {
  const Pipe pipe = MakePipe();
  auto sink = FdSink::Create(pipe.writer.get());
  ASSERT_TRUE(sink.ok());
  const std::string text = Pattern(1 << 20);
  std::string_view rest = text;
  absl::Status status;
  std::thread writer([&] { status = (*sink)->Write(&rest); });
  absl::SleepFor(absl::Milliseconds(20));
  (*sink)->Cancel();
  writer.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(rest.empty());
  EXPECT_LT(rest.size(), text.size());
  std::string_view more = "x";
  EXPECT_EQ((*sink)->Write(&more).code(), absl::StatusCode::kCancelled);
}

TEST_F(FdSinkTest, SocketsAndFilesWork) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const Fd local(fds[0]);
  Fd remote(fds[1]);
  auto sink = FdSink::Create(local.get());
  ASSERT_TRUE(sink.ok());
  std::string_view rest = "hello";
  EXPECT_TRUE((*sink)->Write(&rest).ok());
  EXPECT_EQ(ReadAll(remote.get(), 5), "hello");
  remote = Fd();
  rest = "gone";
  EXPECT_EQ((*sink)->Write(&rest).code(), absl::StatusCode::kFailedPrecondition);

  const Fd file(memfd_create("fd_sink_test", MFD_CLOEXEC));
  ASSERT_TRUE(file.valid());
  auto file_sink = FdSink::Create(file.get());
  ASSERT_TRUE(file_sink.ok());
  rest = "in a file";
  EXPECT_TRUE((*file_sink)->Write(&rest).ok());
  char text[9] = {};
  EXPECT_EQ(pread(file.get(), text, sizeof(text), 0), 9);
  EXPECT_EQ(std::string(text, sizeof(text)), "in a file");
}

TEST_F(FdSinkTest, StoppedTerminalBlocksUntilCancelAndHungUpOneIsFinal) {
  Fd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master.valid() || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) {
    GTEST_SKIP() << "no pseudo terminals";
  }
  const Fd terminal(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  auto sink = FdSink::Create(terminal.get());
  ASSERT_TRUE(sink.ok());
  // Nobody reads the master: its buffer fills up, as behind Ctrl-S.
  const std::string text = Pattern(1 << 20);
  std::string_view rest = text;
  absl::Status status;
  std::thread writer([&] { status = (*sink)->Write(&rest); });
  absl::SleepFor(absl::Milliseconds(20));
  (*sink)->Cancel();
  writer.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);

  auto other = FdSink::Create(terminal.get());
  ASSERT_TRUE(other.ok());
  master = Fd();
  rest = text;
  EXPECT_EQ((*other)->Write(&rest).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FdSinkTest, DescriptorThatIsNotOpenIsRefused) { EXPECT_FALSE(FdSink::Create(-1).ok()); }

}  // namespace
}  // namespace kentry
