// SPDX-License-Identifier: Apache-2.0
// cgroup.change, and the container of every process that follows from it.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <sstream>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kRoot[] = "/sys/fs/cgroup";

// A container id that was not used before.
std::string NewContainerId() {
  static int count = 0;
  return fmt::format("{:064x}", 0xabcdef0000ll + ++count);
}

uint64_t InodeOf(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? file.st_ino : 0;
}

// For a child: moves itself.
void Enter(const std::string& folder) {
  const Fd fd(open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  Must(fd.get(), "open cgroup.procs");
  Must(write(fd.get(), "0", 1), "enter the cgroup");
}

// A cgroup where docker's cgroupfs driver would put a container's.
class Container {
 public:
  explicit Container(std::string id = NewContainerId()) : id_(std::move(id)) {
    mkdir((std::string(kRoot) + "/docker").c_str(), 0755);
    EXPECT_EQ(mkdir(folder().c_str(), 0755), 0);
    cgroup_id_ = InodeOf(folder());
  }
  ~Container() { Remove(); }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  void Remove() {
    // The last process leaves its cgroup a moment after its parent was told of its end.
    for (int tries = 0; rmdir(folder().c_str()) != 0 && errno == EBUSY && tries < 10'000; ++tries) {
      usleep(1000);
    }
  }
  const std::string& id() const { return id_; }
  uint64_t cgroup_id() const { return cgroup_id_; }
  std::string path() const { return "/docker/" + id_; }
  std::string folder() const { return kRoot + path(); }

 private:
  std::string id_;
  uint64_t cgroup_id_ = 0;
};

void ExpectInside(const Seen& seen, const Container& container) {
  EXPECT_EQ(seen.Text(kContainerId), container.id());
  EXPECT_EQ(seen.Text(kContainerRuntime), "docker");
  EXPECT_EQ(seen.Number(kCgroupId), container.cgroup_id());
  EXPECT_EQ(seen.Text(kCgroupPath), container.path());
  EXPECT_FALSE(seen.Is(kCgroupUnknown));
}

class CgroupTest : public SensorTest {
 protected:
  // The change that `operation` names of the cgroup.
  std::optional<Seen> Change(uint64_t id, const std::string& operation) {
    return sensor().Wait([&](const Seen& seen) {
      return seen.cls() == EventClass::kCgroup && seen.Number(kCgroupId) == id &&
             seen.Text(kCgroupOp) == operation;
    });
  }
};

TEST_F(CgroupTest, CreationAndRemoval) {
  Container container;
  const std::optional<Seen> created = Change(container.cgroup_id(), "created");
  ASSERT_TRUE(created);
  EXPECT_EQ(created->Text(kCgroupPath), container.path());
  container.Remove();
  const std::optional<Seen> removed = Change(container.cgroup_id(), "removed");
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->Text(kCgroupPath), container.path());
}

TEST_F(CgroupTest, ExecInsideHasItsContainer) {
  Container container;
  const Seen exec = RunProgram({}, [&] { Enter(container.folder()); });
  ExpectInside(exec, container);
  EXPECT_TRUE(exec.Is(kProcessInContainer));
  const Seen exit = ExitOf(exec.pid());
  ExpectInside(exit, container);
}

TEST_F(CgroupTest, CgroupBelowAContainerBelongsToIt) {
  Container container;
  const std::string inner = container.folder() + "/inner";
  ASSERT_EQ(mkdir(inner.c_str(), 0755), 0);
  const Seen exec = RunProgram({}, [&] { Enter(inner); });
  EXPECT_EQ(exec.Text(kContainerId), container.id());
  EXPECT_EQ(exec.Text(kCgroupPath), container.path() + "/inner");
  for (int tries = 0; rmdir(inner.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
}

TEST_F(CgroupTest, ForkIntoACgroup) {
  Container container;
  Child child([&] {
    const int fd = static_cast<int>(
        Must(open(container.folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open"));
    clone_args args{};
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = SIGCHLD;
    args.cgroup = static_cast<uint64_t>(fd);
    const auto pid = static_cast<pid_t>(Must(syscall(SYS_clone3, &args, sizeof(args)), "clone3"));
    if (pid == 0) _exit(0);
    Tell(pid);
    waitpid(pid, nullptr, 0);
    return 0;
  });
  const std::optional<int64_t> pid = child.Next();
  ASSERT_TRUE(pid && *pid > 0);
  EXPECT_EQ(child.Finish(), 0);
  ExpectInside(ForkOf(static_cast<uint64_t>(*pid)), container);
  ExpectInside(ExitOf(static_cast<uint64_t>(*pid)), container);
}

TEST_F(CgroupTest, MovedProcessIsInItsNewContainer) {
  Container first;
  Container second;
  Child child([&]() -> int {
    Enter(first.folder());
    Exec({});
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  ASSERT_TRUE(child.Execed());
  ExpectInside(ExecOf(pid), first);
  WriteFile(second.folder() + "/cgroup.procs", std::to_string(pid));
  EXPECT_EQ(child.Finish(), 0);
  ExpectInside(ExitOf(pid), second);
}

TEST_F(CgroupTest, RemovedCgroupIsStillKnown) {
  Container container;
  uint64_t pid = 0;
  {
    Child child([&]() -> int {
      Enter(container.folder());
      Exec({});
    });
    pid = static_cast<uint64_t>(child.pid());
    EXPECT_EQ(child.Finish(), 0);
  }
  container.Remove();
  ExpectInside(ExecOf(pid), container);
  ExpectInside(ExitOf(pid), container);
}

// Makes a cgroup, has a new process enter it and execute at once, waits, removes the cgroup.
// Returns the process, or -1. For a child: it has no threads, so that vfork will do.
pid_t StartInFreshCgroup(const std::string& folder) {
  if (mkdir(folder.c_str(), 0755) != 0) return -1;
  const std::string procs = folder + "/cgroup.procs";
  char name[] = "hold";
  char* const args[] = {name, nullptr};
  char* const env[] = {nullptr};
  const pid_t pid = vfork();
  if (pid == 0) {
    close(STDIN_FILENO);  // the hold program ends at once
    const int fd = open(procs.c_str(), O_WRONLY | O_CLOEXEC);
    if (write(fd, "0", 1) == 1) execve(kHold, args, env);
    _exit(1);
  }
  int status = -1;
  const bool ended = waitpid(pid, &status, 0) == pid && status == 0;
  for (int tries = 0; rmdir(folder.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
  return ended ? pid : -1;
}

TEST_F(CgroupTest, FirstProcessOfAFreshCgroupIsNeverUnknown) {
  const int tries = Count(200, 2000);
  mkdir((std::string(kRoot) + "/docker").c_str(), 0755);
  std::vector<std::string> ids;
  for (int i = 0; i < tries; ++i) ids.push_back(NewContainerId());
  Child child([&] {
    for (const std::string& id : ids)
      Tell(StartInFreshCgroup(fmt::format("{}/docker/{}", kRoot, id)));
    return 0;
  });
  std::map<uint64_t, std::string> wanted;  // container by process
  for (const std::string& id : ids) {
    const std::optional<int64_t> pid = child.Next();
    ASSERT_TRUE(pid && *pid > 0);
    wanted[static_cast<uint64_t>(*pid)] = id;
  }
  EXPECT_EQ(child.Finish(), 0);
  sensor().Settle();
  size_t seen_in = 0;
  for (const Seen& seen : sensor().Events([&](const Seen& event) {
         return wanted.contains(event.pid()) && (event.cls() == EventClass::kProcessExec ||
                                                 event.cls() == EventClass::kProcessExit);
       })) {
    ++seen_in;
    EXPECT_FALSE(seen.Is(kCgroupUnknown)) << seen.Describe();
    EXPECT_EQ(seen.Text(kContainerId), wanted[seen.pid()]);
  }
  if (const uint64_t skipped = Skipped(); skipped != 0) {
    GTEST_SKIP() << "the kernel skipped " << skipped << " hooks; none was in a wrong container";
  }
  EXPECT_EQ(seen_in, 2 * ids.size());
}

class OldCgroupTest : public OwnSensorTest {};

TEST_F(OldCgroupTest, ContainerOlderThanTheSensorIsKnown) {
  Container container;
  Child child([&]() -> int {
    Enter(container.folder());
    Exec({});
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  ASSERT_TRUE(child.Execed());
  const std::unique_ptr<LiveSensor> sensor = LiveSensor::Start();
  ASSERT_NE(sensor, nullptr);
  sensor->Go();
  const std::optional<Seen> existing = sensor->WaitFor(EventClass::kProcessExisting, pid);
  ASSERT_TRUE(existing);
  ExpectInside(*existing, container);
  EXPECT_TRUE(existing->Is(kProcessInContainer));
  EXPECT_EQ(child.Finish(), 0);
  const std::optional<Seen> exit = sensor->WaitFor(EventClass::kProcessExit, pid);
  ASSERT_TRUE(exit);
  ExpectInside(*exit, container);
}

// Only v1 hierarchies can rename; the record is the same on all.
class CgroupV1Test : public OwnSensorTest {
 protected:
  void SetUp() override {
    OwnSensorTest::SetUp();
    if (mount("none", folder_.c_str(), "cgroup", 0, "none,name=kentry") != 0) {
      GTEST_SKIP() << "no cgroup v1 in this kernel";
    }
    std::istringstream lines(ReadFile("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);) {
      if (line.find(":name=kentry:") != std::string::npos) hierarchy_ = std::stoi(line);
    }
    ASSERT_GT(hierarchy_, 0);
  }
  void TearDown() override { umount2(folder_.c_str(), MNT_DETACH); }

  static std::vector<const ke_cgroup*> Changes(const std::vector<RawRecord>& records) {
    std::vector<const ke_cgroup*> changes;
    for (const RawRecord& record : records) {
      if (record.hdr().type == KE_CGROUP) changes.push_back(&record.As<ke_cgroup>());
    }
    return changes;
  }
  static std::string PathOf(const ke_cgroup& rec) {
    return {reinterpret_cast<const char*>(&rec) + rec.path.off, rec.path.len};
  }

  const std::string folder_ = NewFolder();
  int hierarchy_ = 0;
};

TEST_F(CgroupV1Test, RenameAndMoveOfTheChosenHierarchyOnly) {
  const std::unique_ptr<Kernel> kernel = LoadKernel({.cgroup_hierarchy = hierarchy_});
  ASSERT_NE(kernel, nullptr);
  ASSERT_TRUE(kernel->Attach().ok());
  const std::string before = folder_ + "/before";
  const std::string after = folder_ + "/after";
  ASSERT_EQ(mkdir(before.c_str(), 0755), 0);
  const uint64_t id = InodeOf(before);
  ASSERT_EQ(rename(before.c_str(), after.c_str()), 0);
  uint64_t pid = 0;
  {
    Child child([&] {
      Enter(after);
      return 0;
    });
    pid = static_cast<uint64_t>(child.pid());
    EXPECT_EQ(child.Finish(), 0);
  }
  for (int tries = 0; rmdir(after.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
  const std::string other = std::string(kRoot) + "/other-hierarchy";
  ASSERT_EQ(mkdir(other.c_str(), 0755), 0);
  ASSERT_EQ(rmdir(other.c_str()), 0);
  EXPECT_EQ(Sum(*kernel, KE_CGROUP).filtered, 2u) << "those of the hierarchy that wasn't chosen";
  EXPECT_EQ(Sum(*kernel, KE_CGROUP).attempted, 5u);
  const std::vector<RawRecord> records = DrainAll(*kernel);
  const std::vector<const ke_cgroup*> changes = Changes(records);
  ASSERT_EQ(changes.size(), 3u);
  const std::pair<uint32_t, std::string> wanted[] = {
      {KE_CGROUP_MKDIR, "/before"}, {KE_CGROUP_RENAME, "/after"}, {KE_CGROUP_RMDIR, "/after"}};
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(changes[i]->op, wanted[i].first);
    EXPECT_EQ(PathOf(*changes[i]), wanted[i].second);
    EXPECT_EQ(changes[i]->id, id);
    EXPECT_EQ(changes[i]->level, 1u);
  }
  int moves = 0;
  for (const RawRecord& record : records) {
    if (record.hdr().type != KE_CGROUP_MOVE) continue;
    const auto& move = record.As<ke_cgroup_move>();
    if (move.tgid != pid || move.id != id) continue;
    ++moves;
    EXPECT_GT(move.start_ns, 0u);
  }
  EXPECT_EQ(moves, 1);
}

}  // namespace
}  // namespace kentry::vm
