// SPDX-License-Identifier: Apache-2.0
// process.exec: the executed file, however it is reached.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using ExecFileTest = SensorTest;

// For a child: mounts of its own, which go with it.
void OwnMounts() {
  Must(unshare(CLONE_NEWNS), "unshare");
  Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
}

TEST_F(ExecFileTest, SymbolicLinkIsResolved) {
  const std::string folder = NewFolder();
  ASSERT_EQ(symlink(kHold, (folder + "/link").c_str()), 0);
  const Seen exec = RunProgram({.path = folder + "/link", .args = {"link"}});
  EXPECT_EQ(exec.Text(kProcessBinary), kHold);
}

TEST_F(ExecFileTest, Memfd) {
  const int fd = memfd_create("not-here", MFD_CLOEXEC);
  const std::string hold = ReadFile(kHold);
  ASSERT_EQ(write(fd, hold.data(), hold.size()), static_cast<ssize_t>(hold.size()));
  const Seen exec = RunProgram({.fd = fd});
  EXPECT_TRUE(exec.Is(kProcessMemfd));
  EXPECT_EQ(exec.Text(kProcessBinary), "/memfd:not-here");
  close(fd);
}

TEST_F(ExecFileTest, FileNamedLikeAMemfdIsNone) {
  const std::string path = NewFolder() + "/memfd:hold";
  CopyFile(kHold, path, 0755);
  const Seen exec = RunProgram({.path = path});
  EXPECT_FALSE(exec.Is(kProcessMemfd));
  EXPECT_EQ(exec.Text(kProcessBinary), path);
}

TEST_F(ExecFileTest, DeletedFile) {
  const std::string path = NewFolder() + "/gone";
  CopyFile(kHold, path, 0755);
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(unlink(path.c_str()), 0);
  const Seen exec = RunProgram({.fd = fd.get()});
  EXPECT_TRUE(exec.Is(kProcessDeleted));
  EXPECT_FALSE(exec.Is(kProcessMemfd));
  EXPECT_EQ(exec.Text(kProcessBinary), path);
}

TEST_F(ExecFileTest, ExecveatOfADescriptor) {
  const std::string path = NewFolder() + "/by-descriptor";
  CopyFile(kHold, path, 0755);
  const Fd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  const Seen exec = RunProgram({.fd = fd.get()});
  EXPECT_EQ(exec.Text(kProcessBinary), path);
  EXPECT_FALSE(exec.Is(kProcessDeleted));
  EXPECT_FALSE(exec.Has(kProcessScript));
}

TEST_F(ExecFileTest, PathAcrossMountsAndBindMounts) {
  const std::string folder = NewFolder();
  const std::string inner = folder + "/mounted/deep";
  const Seen exec = RunProgram({.path = inner + "/bound/hold"}, [&] {
    OwnMounts();
    Must(mkdir((folder + "/mounted").c_str(), 0755), "mkdir");
    Must(mount("none", (folder + "/mounted").c_str(), "tmpfs", 0, nullptr), "mount tmpfs");
    Must(mkdir(inner.c_str(), 0755), "mkdir");
    Must(mkdir((inner + "/bound").c_str(), 0755), "mkdir");
    Must(mount("/fixtures", (inner + "/bound").c_str(), nullptr, MS_BIND, nullptr), "bind");
    Must(chdir(inner.c_str()), "chdir");
  });
  EXPECT_EQ(exec.Text(kProcessBinary), inner + "/bound/hold");
  EXPECT_EQ(exec.Text(kProcessCwd), inner);
  EXPECT_FALSE(exec.Is(kProcessUnreachable));
}

TEST_F(ExecFileTest, BindMountOfTheFileItself) {
  const std::string path = NewFolder() + "/other-name";
  const Seen exec = RunProgram({.path = path}, [&] {
    OwnMounts();
    WriteFile(path, "");
    Must(mount(kHold, path.c_str(), nullptr, MS_BIND, nullptr), "bind");
  });
  EXPECT_EQ(exec.Text(kProcessBinary), path);
}

class OverlayTest : public SensorTest {
 protected:
  void SetUp() override {
    SensorTest::SetUp();
    if (ReadFile("/proc/filesystems").find("overlay") == std::string::npos) {
      GTEST_SKIP() << "no overlayfs in this kernel";
    }
    for (const char* part : {"/lower", "/upper", "/work", "/merged"}) {
      mkdir((folder_ + part).c_str(), 0755);
    }
    CopyFile(kHold, folder_ + "/lower/from-image", 0755);
    CopyFile(kHold, folder_ + "/upper/added", 0755);
  }
  // For the child.
  void Mount() const {
    OwnMounts();
    const std::string options =
        fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", folder_);
    Must(mount("overlay", merged().c_str(), "overlay", 0, options.c_str()), "mount overlay");
  }
  Seen RunMerged(const std::string& name, bool rewrite = false) {
    Child child([&]() -> int {
      Mount();
      if (rewrite) CopyFile(kHold, merged() + "/" + name, 0755);
      Exec({.path = merged() + "/" + name});
    });
    const auto pid = static_cast<uint64_t>(child.pid());
    EXPECT_TRUE(child.Execed());
    const Seen exec = ExecOf(pid);
    EXPECT_EQ(child.Finish(), 0);
    EXPECT_EQ(exec.Text(kProcessBinary), merged() + "/" + name);
    return exec;
  }
  std::string merged() const { return folder_ + "/merged"; }
  const std::string folder_ = NewFolder();
};

TEST_F(OverlayTest, LowerFileIsPartOfTheImage) {
  EXPECT_FALSE(RunMerged("from-image").Is(kProcessOverlayUpper));
}

TEST_F(OverlayTest, UpperFileIsNot) { EXPECT_TRUE(RunMerged("added").Is(kProcessOverlayUpper)); }

TEST_F(OverlayTest, RewrittenFileIsNot) {
  EXPECT_TRUE(RunMerged("from-image", /*rewrite=*/true).Is(kProcessOverlayUpper));
}

// Goes down `depth` new folders of that name, step by step: the whole path may be too long for a
// call. Returns the path.
std::string GoDown(const std::string& start, const std::string& name, int depth) {
  std::string path = start;
  Must(chdir(start.c_str()), "chdir");
  for (int i = 0; i < depth; ++i) {
    (void)mkdir(name.c_str(), 0755);
    Must(chdir(name.c_str()), "chdir");
    path += "/" + name;
  }
  return path;
}

std::string PathDown(const std::string& start, const std::string& name, int depth) {
  std::string path = start;
  for (int i = 0; i < depth; ++i) path += "/" + name;
  return path;
}

TEST_F(ExecFileTest, LongestPathThatIsWhole) {
  const std::string start = NewFolder();
  const Seen exec = RunProgram({.path = "./hold"}, [&] {
    GoDown(start, "d", 100);
    CopyFile(kHold, "hold", 0755);
  });
  EXPECT_EQ(exec.Text(kProcessBinary), PathDown(start, "d", 100) + "/hold");
  EXPECT_FALSE(exec.Cut(kProcessBinary));
  EXPECT_FALSE(exec.Cut(kProcessCwd));
}

void ExpectEndOf(const std::string& whole, const Seen& exec, FieldId field) {
  const std::string seen = exec.Text(field);
  EXPECT_TRUE(exec.Cut(field)) << GetField(field).name;
  EXPECT_GT(seen.size(), 200u);
  EXPECT_LT(seen.size(), whole.size());
  EXPECT_TRUE(whole.ends_with(seen)) << seen;
}

TEST_F(ExecFileTest, PathOfTooManyFoldersKeepsItsEndAndIsFlagged) {
  const std::string start = NewFolder();
  const Seen exec = RunProgram({.path = "./hold"}, [&] {
    GoDown(start, "d", 250);
    CopyFile(kHold, "hold", 0755);
  });
  const std::string cwd = PathDown(start, "d", 250);
  ExpectEndOf(cwd + "/hold", exec, kProcessBinary);
  ExpectEndOf(cwd, exec, kProcessCwd);
}

TEST_F(ExecFileTest, PathOfTooManyBytesKeepsItsEndAndIsFlagged) {
  const std::string start = NewFolder();
  const std::string name(250, 'n');
  const Seen exec = RunProgram({.path = "./hold"}, [&] {
    GoDown(start, name, 20);
    CopyFile(kHold, "hold", 0755);
  });
  const std::string cwd = PathDown(start, name, 20);
  ExpectEndOf(cwd + "/hold", exec, kProcessBinary);
  ExpectEndOf(cwd, exec, kProcessCwd);
  EXPECT_GT(exec.Text(kProcessBinary).size(), 3000u);
}

// A rename changes a folder's name and its parent: the walker must not see one without the other.
TEST_F(ExecFileTest, PathUnderRenamesIsRightOrFlagged) {
  const std::string folder = NewFolder();
  const std::string first = folder + "/one/first";
  const std::string second = folder + "/two/second";
  for (const std::string& path : {folder + "/one", folder + "/two", first}) {
    ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  }
  CopyFile(kHold, first + "/hold", 0755);
  const Fd hold(open((first + "/hold").c_str(), O_RDONLY | O_CLOEXEC));
  Child renamer([&] {
    while (rename(first.c_str(), second.c_str()) == 0 &&
           rename(second.c_str(), first.c_str()) == 0) {
    }
    return 1;
  });
  const int tries = Count(40, 1000);
  for (int i = 0; i < tries; ++i) {
    const Seen exec = RunProgram({.fd = hold.get()});
    const std::string binary = exec.Text(kProcessBinary);
    EXPECT_TRUE(exec.Cut(kProcessBinary) || binary == first + "/hold" || binary == second + "/hold")
        << binary;
  }
  EXPECT_EQ(kill(renamer.pid(), 0), 0) << "nobody renamed";
}

TEST_F(ExecFileTest, NamesThatAreNoText) {
  const std::string path = NewFolder() + "/a\nb\x1b[2J\xff";
  CopyFile(kHold, path, 0755);
  const Seen exec = RunProgram({.path = path});
  EXPECT_EQ(exec.Text(kProcessBinary), path);
}

TEST_F(ExecFileTest, ThirtyTwoBitProgram) {
  if (access("/fixtures/hold32", X_OK) != 0) GTEST_SKIP() << "no 32-bit program on this machine";
  const Seen exec = RunProgram({.path = "/fixtures/hold32", .args = {"hold32", "x"}});
  EXPECT_EQ(exec.Text(kProcessBinary), "/fixtures/hold32");
  EXPECT_EQ(exec.List(kProcessArgs), (std::vector<std::string>{"hold32", "x"}));
}

}  // namespace
}  // namespace kentry::vm
