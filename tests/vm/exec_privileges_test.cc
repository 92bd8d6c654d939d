// SPDX-License-Identifier: Apache-2.0
// process.exec: what an exec gained, and what looks like a gain and is none.
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr uid_t kUser = 1234;
constexpr gid_t kGroup = 1235;
constexpr uid_t kOwner = 4321;
constexpr gid_t kOwnerGroup = 4322;

// A child becomes an ordinary user.
void BecomeUser() {
  Must(setresgid(kGroup, kGroup, kGroup), "setresgid");
  Must(setresuid(kUser, kUser, kUser), "setresuid");
}

class ExecPrivilegesTest : public SensorTest {
 protected:
  // A copy of the hold program.
  std::string Copy(uid_t owner, gid_t group, mode_t mode) {
    std::string path = NewFolder() + "/program";
    CopyFile(kHold, path, 0755);
    EXPECT_EQ(chown(path.c_str(), owner, group), 0);
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  static void ExpectGains(const Seen& exec, bool setuid, bool setgid, bool caps) {
    EXPECT_EQ(exec.Is(kProcessSetuid), setuid);
    EXPECT_EQ(exec.Is(kProcessSetgid), setgid);
    EXPECT_EQ(exec.Is(kProcessFileCaps), caps);
  }
};

TEST_F(ExecPrivilegesTest, SetuidRoot) {
  const Seen exec = RunProgram({.path = Copy(0, 0, 04755)}, BecomeUser);
  ExpectGains(exec, true, false, false);
  EXPECT_EQ(exec.Number(kProcessUid), kUser);
  EXPECT_EQ(exec.Number(kProcessEuid), 0u);
  EXPECT_EQ(exec.Number(kProcessBinaryMode), S_IFREG | 04755u);
}

TEST_F(ExecPrivilegesTest, SetuidOfAnotherUser) {
  const Seen exec = RunProgram({.path = Copy(kOwner, 0, 04755)}, BecomeUser);
  ExpectGains(exec, true, false, false);
  EXPECT_EQ(exec.Number(kProcessEuid), kOwner);
}

TEST_F(ExecPrivilegesTest, SetuidOfTheCallerItselfIsNoGain) {
  ExpectGains(RunProgram({.path = Copy(kUser, 0, 04755)}, BecomeUser), false, false, false);
}

TEST_F(ExecPrivilegesTest, Setgid) {
  const Seen exec = RunProgram({.path = Copy(kOwner, kOwnerGroup, 02755)}, BecomeUser);
  ExpectGains(exec, false, true, false);
  EXPECT_EQ(exec.Number(kProcessEgid), kOwnerGroup);
}

TEST_F(ExecPrivilegesTest, SetgidWithoutGroupExecuteIsNone) {
  const Seen exec = RunProgram({.path = Copy(kOwner, kOwnerGroup, 02745)}, BecomeUser);
  ExpectGains(exec, false, false, false);
  EXPECT_EQ(exec.Number(kProcessEgid), kGroup);
}

TEST_F(ExecPrivilegesTest, BothAtOnce) {
  const Seen exec = RunProgram({.path = Copy(kOwner, kOwnerGroup, 06755)}, BecomeUser);
  ExpectGains(exec, true, true, false);
}

// Gives `path` CAP_NET_RAW, as setcap does.
void GiveNetRaw(const std::string& path) {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1u << CAP_NET_RAW;
  ASSERT_EQ(setxattr(path.c_str(), "security.capability", &data, sizeof(data), 0), 0);
}

TEST_F(ExecPrivilegesTest, FileCapabilities) {
  const std::string path = Copy(0, 0, 0755);
  GiveNetRaw(path);
  const Seen exec = RunProgram({.path = path}, BecomeUser);
  ExpectGains(exec, false, false, true);
  EXPECT_EQ(exec.Number(kProcessCapEffective), 1ull << CAP_NET_RAW);
}

TEST_F(ExecPrivilegesTest, FileCapabilitiesOfARootsProgramAreNoGain) {
  const std::string path = Copy(0, 0, 0755);
  GiveNetRaw(path);
  ExpectGains(RunProgram({.path = path}), false, false, false);
}

TEST_F(ExecPrivilegesTest, NosuidMountGainsNothing) {
  const std::string folder = NewFolder();
  const std::string path = folder + "/program";
  const Seen exec = RunProgram({.path = path}, [&] {
    Must(unshare(CLONE_NEWNS), "unshare");
    Must(mount("none", folder.c_str(), "tmpfs", MS_NOSUID, nullptr), "mount");
    CopyFile(kHold, path, 0755);
    Must(chown(path.c_str(), kOwner, kOwnerGroup), "chown");
    Must(chmod(path.c_str(), 06755), "chmod");
    BecomeUser();
  });
  ExpectGains(exec, false, false, false);
  EXPECT_EQ(exec.Number(kProcessEuid), kUser);
}

TEST_F(ExecPrivilegesTest, NoNewPrivsGainsNothing) {
  const Seen exec = RunProgram({.path = Copy(kOwner, kOwnerGroup, 06755)}, [] {
    BecomeUser();
    Must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  });
  ExpectGains(exec, false, false, false);
  EXPECT_TRUE(exec.Is(kProcessNoNewPrivs));
}

TEST_F(ExecPrivilegesTest, RootThatKeepsItsPowersGainsNothing) {
  ExpectGains(RunProgram({.path = Copy(0, 0, 06755)}), false, false, false);
}

TEST_F(ExecPrivilegesTest, AmbientCapabilitiesAreInheritedNotGained) {
  const Seen exec = RunProgram({.path = Copy(0, 0, 0755)}, [] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    Must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities");
    BecomeUser();
    data[0].permitted = data[0].inheritable = data[0].effective = 1u << CAP_NET_RAW;
    Must(syscall(SYS_capset, &header, data), "capset");
    Must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0), "ambient");
  });
  ExpectGains(exec, false, false, false);
  EXPECT_EQ(exec.Number(kProcessCapAmbient), 1ull << CAP_NET_RAW);
  EXPECT_EQ(exec.Number(kProcessCapEffective), 1ull << CAP_NET_RAW);
}

}  // namespace
}  // namespace kentry::vm
