// SPDX-License-Identifier: Apache-2.0
// process.exec_failed: which file was asked for, and why it could not be executed.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

class ExecFailedTest : public SensorTest {
 protected:
  void SetUp() override {
    SensorTest::SetUp();
    bool available = false;
    sensor().pipeline().Ask([&] {
      for (const Backend& backend : sensor().pipeline().kernel().backends()) {
        available = available || (backend.feature == "process.exec_failed" && backend.chosen);
      }
    });
    if (!available) GTEST_SKIP() << "no backend for process.exec_failed on this kernel";
  }

  // A child executes `path`, which must fail with `error`; the event is checked and returned.
  Seen Fail(const char* path, int error) {
    return Fail(
        [path] {
          char* const none[] = {nullptr};
          return execve(path, none, none);
        },
        error);
  }
  Seen Fail(const std::function<int()>& call, int error) {
    Child child([&] {
      call();
      return errno;
    });
    const auto pid = static_cast<uint64_t>(child.pid());
    const int status = child.Finish();
    EXPECT_EQ(WEXITSTATUS(status), error) << "the test's own expectation";
    const std::optional<Seen> failed = sensor().WaitFor(EventClass::kProcessExecFailed, pid);
    EXPECT_TRUE(failed) << "no failed exec of " << pid;
    if (!failed) return ExitOf(pid);
    EXPECT_EQ(failed->Number(kFailedError), static_cast<uint64_t>(error));
    EXPECT_EQ(failed->Text(kFailedErrorName), strerrorname_np(error));
    EXPECT_EQ(failed->Number(kFailedTid), pid);
    EXPECT_EQ(failed->Number(kProcessStart), ForkOf(pid).Number(kProcessStart));
    EXPECT_EQ(failed->Number(kParentPid), static_cast<uint64_t>(getpid()));
    ExitOf(pid);
    EXPECT_EQ(sensor().CountOf(EventClass::kProcessExecFailed, pid), 1u);
    EXPECT_EQ(sensor().CountOf(EventClass::kProcessExec, pid), 0u);
    return *failed;
  }
};

TEST_F(ExecFailedTest, NoSuchFile) {
  EXPECT_EQ(Fail("/no/such/file", ENOENT).Text(kFailedPath), "/no/such/file");
}

TEST_F(ExecFailedTest, NotExecutable) {
  const std::string path = NewFolder() + "/data";
  CopyFile(kHold, path, 0644);
  EXPECT_EQ(Fail(path.c_str(), EACCES).Text(kFailedPath), path);
}

TEST_F(ExecFailedTest, NotAProgram) {
  const std::string path = NewFolder() + "/text";
  WriteFile(path, "this is no program\n");
  EXPECT_EQ(Fail(path.c_str(), ENOEXEC).Text(kFailedPath), path);
}

TEST_F(ExecFailedTest, MissingInterpreter) {
  const std::string path = NewFolder() + "/script";
  WriteFile(path, "#!/no/such/interpreter\n");
  EXPECT_EQ(Fail(path.c_str(), ENOENT).Text(kFailedPath), path);
}

TEST_F(ExecFailedTest, EndlessInterpreters) {
  const std::string path = NewFolder() + "/itself";
  WriteFile(path, "#!" + path + "\n");
  EXPECT_EQ(Fail(path.c_str(), ELOOP).Text(kFailedPath), path);
}

TEST_F(ExecFailedTest, Execveat) {
  const Seen failed = Fail(
      [] {
        char* const none[] = {nullptr};
        return static_cast<int>(syscall(SYS_execveat, AT_FDCWD, "relative/none", none, none, 0));
      },
      ENOENT);
  EXPECT_EQ(failed.Text(kFailedPath), "relative/none");
}

TEST_F(ExecFailedTest, PathThatCannotBeRead) {
  char* page =
      static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  EXPECT_EQ(Fail(page, EFAULT).Text(kFailedPath), "");
  munmap(page, 4096);
}

TEST_F(ExecFailedTest, PathLongerThanTheRecord) {
  const std::string path = "/" + std::string(5000, 'x');
  EXPECT_EQ(Fail(path.c_str(), ENAMETOOLONG).Text(kFailedPath), path.substr(0, 1023));
}

TEST_F(ExecFailedTest, PathThatIsNoText) {
  EXPECT_EQ(Fail("/\n\x1b[2J\xff", ENOENT).Text(kFailedPath), "/\n\x1b[2J\xff");
}

TEST_F(ExecFailedTest, ThirtyTwoBitCaller) {
  if (access("/fixtures/exec32", X_OK) != 0) GTEST_SKIP() << "no 32-bit program on this machine";
  Child child([]() -> int { Exec({.path = "/fixtures/exec32"}); });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(WEXITSTATUS(child.Finish()), ENOENT);
  const std::optional<Seen> failed = sensor().WaitFor(EventClass::kProcessExecFailed, pid);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->Text(kFailedPath), "/no/such/file/for/a/32-bit/caller");
  EXPECT_EQ(failed->Text(kProcessBinary), "/fixtures/exec32");
}

TEST_F(ExecFailedTest, ThreadThatIsNotTheLeader) {
  Child child([] {
    std::thread([] {
      char* const none[] = {nullptr};
      Tell(gettid());
      execve("/no/such/file", none, none);
    }).join();
    return 0;
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  const std::optional<int64_t> tid = child.Next();
  ASSERT_TRUE(tid);
  const std::optional<Seen> failed = sensor().WaitFor(EventClass::kProcessExecFailed, pid);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->Number(kFailedTid), static_cast<uint64_t>(*tid));
  EXPECT_EQ(child.Finish(), 0);
}

}  // namespace
}  // namespace kentry::vm
