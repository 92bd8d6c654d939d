// SPDX-License-Identifier: Apache-2.0
// A path in a rule names the file that a container has there, too, by whatever name it is opened.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kRule[] =
    "rules:\n  - {name: shadow, on: file.open, when: 'file.path == \"/etc/shadow\"'}\n"
    "  - {name: linked, on: file.open, when: 'file.path == \"/etc/linked/secret\"'}\n";

// What a test opens, in the container or outside.
int OpenAndClose(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

void Mount(const std::string& kind, const std::string& root) {
  if (kind != "overlay") {
    Must(mount("none", root.c_str(), kind.c_str(), 0, nullptr), "mount the root");
    return;
  }
  const std::string parts = NewFolder() + "/parts";
  for (const char* part : {"", "/lower", "/lower/etc", "/upper", "/work"}) {
    Must(mkdir((parts + part).c_str(), 0755), "mkdir");
  }
  WriteFile(parts + "/lower/etc/shadow", "secret");
  const std::string options =
      fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", parts);
  Must(mount("overlay", root.c_str(), "overlay", 0, options.c_str()), "mount the root");
}

// A process in a cgroup as Docker names them, in a mount namespace and a root of its own.
class Container {
 public:
  // `kind` of file system; `links_to`: where /etc/linked leads; more `namespaces` of its own.
  Container(char letter, const std::string& kind, const std::string& links_to = "/nowhere",
            int namespaces = 0) {
    const std::string root = NewFolder();
    mkdir("/sys/fs/cgroup/docker", 0755);
    cgroup_ = "/sys/fs/cgroup/docker/" + std::string(64, letter);
    mkdir(cgroup_.c_str(), 0755);
    init_ = std::make_unique<Child>([&]() -> int {
      WriteFile(cgroup_ + "/cgroup.procs", "0");
      Must(unshare(CLONE_NEWNS), "unshare");
      Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
      Mount(kind, root);
      mkdir((root + "/etc").c_str(), 0755);
      mkdir((root + "/bin").c_str(), 0755);
      CopyFile(kHold, root + "/bin/hold", 0755);
      if (kind != "overlay") WriteFile(root + "/etc/shadow", "secret");
      WriteFile(root + "/etc/plain", "plain");
      Must(symlink(links_to.c_str(), (root + "/etc/linked").c_str()), "symlink");
      Must(link((root + "/etc/shadow").c_str(), (root + "/etc/other").c_str()), "link");
      if (namespaces != 0) Must(unshare(namespaces), "unshare");
      Must(chroot(root.c_str()), "chroot");
      Must(chdir("/"), "chdir");
      Exec({.path = "/bin/hold"});
    });
    EXPECT_TRUE(init_->Execed());
  }
  ~Container() {
    if (init_ != nullptr) Stop();
  }

  pid_t pid() const { return init_->pid(); }
  void Stop() {
    init_->Finish();
    init_.reset();
    for (int tries = 0; rmdir(cgroup_.c_str()) != 0 && tries < 10'000; ++tries) usleep(1000);
  }
  // Opens a file as one of the container's own processes; 0 or errno.
  int Open(const std::string& path) const {
    const Fd root(open(fmt::format("/proc/{}/root", init_->pid()).c_str(), O_PATH | O_CLOEXEC));
    const Fd ns(open(fmt::format("/proc/{}/ns/mnt", init_->pid()).c_str(), O_RDONLY | O_CLOEXEC));
    Child child([&]() -> int {
      WriteFile(cgroup_ + "/cgroup.procs", "0");
      Must(setns(ns.get(), CLONE_NEWNS), "setns");
      Must(fchdir(root.get()), "fchdir");
      Must(chroot("."), "chroot");
      return OpenAndClose(path);
    });
    return child.Finish();
  }

 private:
  std::string cgroup_;
  std::unique_ptr<Child> init_;
};

class ContainerFilesTest : public RuleTest {
 protected:
  // Whether it comes to that many roots whose files are known, and that many skipped.
  bool ComesTo(uint64_t roots, uint64_t skipped) {
    const absl::Time deadline = absl::Now() + kPatience;
    FileIdents::Counters counters;
    while (absl::Now() < deadline) {
      sensor().pipeline().Ask([&] { counters = sensor().pipeline().rules().files(); });
      if (counters.roots == roots && counters.skipped == skipped) return true;
      usleep(100'000);
    }
    ADD_FAILURE() << counters.roots << " roots, " << counters.skipped << " skipped";
    return false;
  }
  void ExpectOnlyTheLinkAlerts(const Container& container) {
    // An overlay's copying up, at the link, opened the file by its own name.
    sensor().Settle();
    sensor().Clear();
    EXPECT_EQ(container.Open("/etc/plain"), 0);
    EXPECT_EQ(container.Open("/etc/other"), 0);
    const std::vector<Seen> alerts = Alerts("shadow");
    ASSERT_EQ(alerts.size(), 1u) << ::testing::PrintToString(alerts);
    EXPECT_EQ(alerts[0].Text(kFilePath), "/etc/other");
    EXPECT_EQ(alerts[0].List(kFileAliases), std::vector<std::string>{"/etc/shadow"});
    EXPECT_TRUE(alerts[0].List(kAlertUncertain).empty());
  }
};

TEST_F(ContainerFilesTest, AHardLinkInANewContainerIsTheNamedFile) {
  Load(kRule);
  Container container('1', "tmpfs");
  ASSERT_TRUE(ComesTo(1, 0));
  ExpectOnlyTheLinkAlerts(container);
  container.Stop();
  EXPECT_TRUE(ComesTo(0, 0));
}

TEST_F(ContainerFilesTest, AHardLinkInAnOverlayIsTheNamedFile) {
  Load(kRule);
  Container container('2', "overlay");
  ASSERT_TRUE(ComesTo(1, 0));
  ExpectOnlyTheLinkAlerts(container);
}

TEST_F(ContainerFilesTest, ContainersThatExistAreKnownWhenTheRulesCome) {
  Container container('3', "tmpfs");
  sensor().Settle();
  Load(kRule);
  ASSERT_TRUE(ComesTo(1, 0));
  ExpectOnlyTheLinkAlerts(container);
}

TEST_F(ContainerFilesTest, AFileThatTakesTheNamedPlaceIsKnownWithinSeconds) {
  Load(kRule);
  Container container('4', "tmpfs");
  ASSERT_TRUE(ComesTo(1, 0));
  // Renamed over the named one, by somebody outside.
  const std::string root = fmt::format("/proc/{}/root/etc", container.pid());
  WriteFile(root + "/new", "new");
  ASSERT_EQ(link((root + "/new").c_str(), (root + "/new-too").c_str()), 0);
  ASSERT_EQ(rename((root + "/new").c_str(), (root + "/shadow").c_str()), 0);
  size_t alerts = 0;
  const absl::Time deadline = absl::Now() + kPatience;
  while (alerts == 0 && absl::Now() < deadline) {
    EXPECT_EQ(container.Open("/etc/new-too"), 0);
    alerts = Alerts("shadow").size();
    usleep(500'000);
  }
  EXPECT_GE(alerts, 1u);
}

TEST_F(ContainerFilesTest, ALinkOfAContainerDoesNotLeadOut) {
  const std::string outside = NewFolder();
  WriteFile(outside + "/secret", "of the host");
  Load(kRule);
  Container absolute('5', "tmpfs", outside);
  Container relative('6', "tmpfs", "../../../../../../.." + outside);
  Container magic('7', "tmpfs", "/proc/1/root" + outside);
  ASSERT_TRUE(ComesTo(3, 0));
  Child host([&] { return OpenAndClose(outside + "/secret"); });
  EXPECT_EQ(host.Finish(), 0);
  EXPECT_TRUE(Alerts("linked").empty());
}

TEST_F(ContainerFilesTest, ARootThatMayNotAnswerIsSkippedAndCounted) {
  Load(kRule);
  Container strange('8', "ramfs");
  Container user('9', "tmpfs", "/nowhere", CLONE_NEWUSER);
  ASSERT_TRUE(ComesTo(0, 2));
  Container good('a', "tmpfs");
  ASSERT_TRUE(ComesTo(1, 2));
  ExpectOnlyTheLinkAlerts(good);
}

}  // namespace
}  // namespace kentry::vm
