// SPDX-License-Identifier: Apache-2.0
// Mounts: what a rule denies is neither mounted nor taken away, by no way that leads to the place.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

int Result(int64_t result) { return result >= 0 ? 0 : errno; }

uint64_t DeviceOf(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? file.st_dev : 0;
}

int MountTmpfs(const std::string& on) {
  return Result(mount("none", on.c_str(), "tmpfs", 0, nullptr));
}

// A tmpfs that is mounted nowhere yet.
Fd NewMount() {
  const Fd context(static_cast<int>(Must(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen")));
  Must(syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig");
  return Fd(
      static_cast<int>(Must(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0), "fsmount")));
}

int MoveMount(int from, const std::string& to) {
  return Result(syscall(SYS_move_mount, from, "", AT_FDCWD, to.c_str(), MOVE_MOUNT_F_EMPTY_PATH));
}

// A private mount namespace, as containers and `unshare -m` have one.
void LeaveNamespace() {
  Must(unshare(CLONE_NEWNS), "unshare");
  Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts");
}

// A folder with `place`, which rules protect, and `other`, which they don't.
struct Places {
  Places() : folder(NewFolder()), place(folder + "/place"), other(folder + "/other") {
    EXPECT_EQ(mkdir(place.c_str(), 0755), 0);
    EXPECT_EQ(mkdir(other.c_str(), 0755), 0);
    EXPECT_EQ(symlink("place", (folder + "/link").c_str()), 0);
  }
  ~Places() {
    while (umount2(place.c_str(), MNT_DETACH) == 0) continue;
    while (umount2(other.c_str(), MNT_DETACH) == 0) continue;
  }
  std::string folder;
  std::string place;
  std::string other;
};

// One way, in a child. `on` is the place, or what rules don't protect.
struct Way {
  const char* name;
  int (*run)(const Places&, const std::string& on);
  bool lasts = true;  // what it does is seen from outside
};

const Way kMounts[] = {
    {"mount", [](const Places&, const std::string& on) { return MountTmpfs(on); }},
    {"bind mount",
     [](const Places&, const std::string& on) {
       return Result(mount("/proc", on.c_str(), nullptr, MS_BIND, nullptr));
     }},
    {"mount of a new tree",
     [](const Places&, const std::string& on) { return MoveMount(NewMount().get(), on); }},
    {"mount by /proc/self/root",
     [](const Places&, const std::string& on) { return MountTmpfs("/proc/self/root" + on); }},
    {"mount by a descriptor",
     [](const Places&, const std::string& on) {
       const Fd fd(open(on.c_str(), O_PATH | O_CLOEXEC));
       return MountTmpfs(fmt::format("/proc/self/fd/{}", fd.get()));
     }},
    {"mount in a private namespace",
     [](const Places&, const std::string& on) {
       LeaveNamespace();
       return MountTmpfs(on);
     },
     false},
    {"move of a mount",
     [](const Places& places, const std::string& on) {
       LeaveNamespace();
       const std::string from = places.folder + "/from";
       if (mkdir(from.c_str(), 0755) != 0 && errno != EEXIST) return errno;
       Must(MountTmpfs(from) == 0 ? 0 : -1, "mount");
       return Result(mount(from.c_str(), on.c_str(), nullptr, MS_MOVE, nullptr));
     },
     false},
};

// Of what is mounted there.
const Way kUnmounts[] = {
    {"umount", [](const Places&, const std::string& on) { return Result(umount(on.c_str())); }},
    {"lazily",
     [](const Places&, const std::string& on) { return Result(umount2(on.c_str(), MNT_DETACH)); }},
    {"by force",
     [](const Places&, const std::string& on) { return Result(umount2(on.c_str(), MNT_FORCE)); }},
    {"by /proc/self/root",
     [](const Places&, const std::string& on) {
       return Result(umount(("/proc/self/root" + on).c_str()));
     }},
    {"from inside",
     [](const Places&, const std::string& on) {
       Must(chdir(on.c_str()), "chdir");
       return Result(umount2(".", MNT_DETACH));
     }},
    {"in a private namespace",
     [](const Places&, const std::string& on) {
       LeaveNamespace();
       return Result(umount2(on.c_str(), MNT_DETACH));
     },
     false},
};

class MountTest : public RuleTest {
 protected:
  void LoadFor(const char* cls, std::string_view mode) {
    Load(
        fmt::format("mode: {}\nrules:\n  - {{name: place, on: {}, when: 'file.path == \"{}\"', "
                    "then: deny, guard: off}}\n",
                    mode, cls, places_.place));
  }
  static std::pair<int, uint64_t> Try(const std::function<int()>& act) {
    Child child(act);
    const auto pid = static_cast<uint64_t>(child.pid());
    return {WEXITSTATUS(child.Finish()), pid};
  }
  // The one alert of a try: what it was about and what came of it.
  void ExpectTold(uint64_t pid, EventClass cls, const char* verdict) {
    const std::vector<Seen> alerts = Alerts("place");
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0].pid(), pid);
    EXPECT_EQ(alerts[0].cls(), cls);
    EXPECT_EQ(alerts[0].Text(kFilePath), places_.place);
    EXPECT_EQ(alerts[0].Text(kAlertVerdict), verdict);
    EXPECT_TRUE(alerts[0].List(kAlertUncertain).empty());
    sensor().Clear();
  }

  Places places_;
};

TEST_F(MountTest, NothingIsMountedOnADeniedPlace) {
  const uint64_t before = DeviceOf(places_.place);
  for (const char* mode : {"enforce", "monitor"}) {
    const bool deny = std::string_view(mode) == "enforce";
    LoadFor("file.mount", mode);
    for (const Way& way : kMounts) {
      SCOPED_TRACE(fmt::format("{}, {}", way.name, mode));
      const auto [result, pid] = Try([&] { return way.run(places_, places_.place); });
      EXPECT_EQ(result, deny ? EPERM : 0);
      EXPECT_EQ(DeviceOf(places_.place) == before, deny || !way.lasts);
      ExpectTold(pid, EventClass::kFileMount, deny ? "denied" : "would_deny");
      if (!deny) umount2(places_.place.c_str(), MNT_DETACH);
      const auto [elsewhere, _] = Try([&] { return way.run(places_, places_.other); });
      EXPECT_EQ(elsewhere, 0);
      EXPECT_TRUE(Alerts("place").empty());
      umount2(places_.other.c_str(), MNT_DETACH);
    }
  }
}

TEST_F(MountTest, WhatIsMountedOnADeniedPlaceStays) {
  ASSERT_EQ(MountTmpfs(places_.place), 0);
  for (const char* mode : {"enforce", "monitor"}) {
    const bool deny = std::string_view(mode) == "enforce";
    LoadFor("file.umount", mode);
    for (const Way& way : kUnmounts) {
      SCOPED_TRACE(fmt::format("{}, {}", way.name, mode));
      const uint64_t mounted = DeviceOf(places_.place);
      const auto [result, pid] = Try([&] { return way.run(places_, places_.place); });
      EXPECT_EQ(result, deny ? EPERM : 0);
      EXPECT_EQ(DeviceOf(places_.place) == mounted, deny || !way.lasts);
      ExpectTold(pid, EventClass::kFileUmount, deny ? "denied" : "would_deny");
      if (!deny && way.lasts) {
        ASSERT_EQ(MountTmpfs(places_.place), 0);
      }
      ASSERT_EQ(MountTmpfs(places_.other), 0);
      const auto [elsewhere, _] = Try([&] { return way.run(places_, places_.other); });
      EXPECT_EQ(elsewhere, 0);
      EXPECT_TRUE(Alerts("place").empty());
      umount2(places_.other.c_str(), MNT_DETACH);
    }
  }
}

// A second mount on the same place is one on it too.
TEST_F(MountTest, AMountOnAMountIsOneOnThePlace) {
  ASSERT_EQ(MountTmpfs(places_.place), 0);
  LoadFor("file.mount", "enforce");
  const auto [result, pid] = Try([&] { return MountTmpfs(places_.place); });
  EXPECT_EQ(result, EPERM);
  ExpectTold(pid, EventClass::kFileMount, "denied");
}

}  // namespace
}  // namespace kentry::vm
