// SPDX-License-Identifier: Apache-2.0
// Changes of files and names: what a rule denies doesn't happen, by no way that leads to the file;
// what it only watches happens; and the events say of it what is true.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

int Result(int64_t result) { return result >= 0 ? 0 : errno; }

// A folder with something to change: vault/kept (a file), vault/empty (a directory), out (a file).
class Vault {
 public:
  Vault() : folder_(NewFolder()) { Fill(); }
  void Fill() const {
    mkdir(dir().c_str(), 0755);
    Write(kept(), "kept\n");
    Write(out(), "out\n");
    mkdir(empty().c_str(), 0755);
  }
  const std::string& folder() const { return folder_; }
  std::string dir() const { return folder_ + "/vault"; }
  std::string kept() const { return dir() + "/kept"; }
  std::string empty() const { return dir() + "/empty"; }
  std::string fresh() const { return dir() + "/fresh"; }
  std::string out() const { return folder_ + "/out"; }
  std::string inside() const { return fmt::format("file.path.startsWith(\"{}/\")", dir()); }
  std::string into() const { return fmt::format("file.new_path.startsWith(\"{}/\")", dir()); }

 private:
  static void Write(const std::string& path, const std::string& text) {
    const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    ASSERT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string folder_;
};

struct stat Stat(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) file.st_nlink = 0;
  return file;
}
bool Exists(const std::string& path) { return Stat(path).st_nlink != 0; }

// One way to change something in a vault, in a child; what it changes; what its event says.
struct Change {
  const char* name;
  EventClass cls;
  std::string (*when)(const Vault&);
  int (*run)(const Vault&);
  bool (*done)(const Vault&);
  void (*look)(const Seen&, const Vault&);
};

int Truncate(const Vault& v) {
  const Fd fd(open(v.kept().c_str(), O_RDWR | O_CLOEXEC));
  return Result(ftruncate(fd.get(), 2));
}

int BindSocket(const Vault& v) {
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", v.fresh().c_str());
  return Result(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
}

int MapExec(const Vault& v) {
  const Fd fd(open(v.kept().c_str(), O_RDONLY | O_CLOEXEC));
  void* at = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  return at == MAP_FAILED ? errno : 0;
}

int ProtectExec(const Vault& v) {
  const Fd fd(open(v.kept().c_str(), O_RDONLY | O_CLOEXEC));
  void* at = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  return Result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

int LinkTmpfile(const Vault& v) {
  const Fd fd(open(v.folder().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644));
  const std::string from = fmt::format("/proc/self/fd/{}", fd.get());
  return Result(linkat(AT_FDCWD, from.c_str(), AT_FDCWD, v.fresh().c_str(), AT_SYMLINK_FOLLOW));
}

using V = Vault;
using S = Seen;
std::string Inside(const V& v) { return v.inside(); }
std::string Into(const V& v) { return v.into(); }
bool NoFresh(const V& v) { return Exists(v.fresh()); }
void PathIsKept(const S& s, const V& v) {
  EXPECT_EQ(s.Text(kFilePath), v.kept());
  EXPECT_EQ(s.Number(kFileIno), Stat(v.kept()).st_ino);
}
void PathIsFresh(const S& s, const V& v) {
  EXPECT_EQ(s.Text(kFilePath), v.fresh());
  EXPECT_FALSE(s.Has(kFileIno)) << "there is no file yet";
}

const Change kChanges[] = {
    {"unlink", EventClass::kFileUnlink, Inside,
     [](const V& v) { return Result(unlink(v.kept().c_str())); },
     [](const V& v) { return !Exists(v.kept()); },
     [](const S& s, const V& v) { EXPECT_EQ(s.Text(kFilePath), v.kept()); }},
    {"unlinkat", EventClass::kFileUnlink, Inside,
     [](const V& v) {
       const Fd dir(open(v.dir().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
       return Result(unlinkat(dir.get(), "kept", 0));
     },
     [](const V& v) { return !Exists(v.kept()); },
     [](const S& s, const V& v) { EXPECT_EQ(s.Text(kFilePath), v.kept()); }},
    {"rmdir", EventClass::kFileRmdir, Inside,
     [](const V& v) { return Result(rmdir(v.empty().c_str())); },
     [](const V& v) { return !Exists(v.empty()); },
     [](const S& s, const V& v) { EXPECT_EQ(s.Text(kFilePath), v.empty()); }},
    {"rename away", EventClass::kFileRename,
     [](const V& v) { return v.inside() + " && !file.exchanges"; },
     [](const V& v) { return Result(rename(v.kept().c_str(), (v.folder() + "/away").c_str())); },
     [](const V& v) { return !Exists(v.kept()); },
     [](const S& s, const V& v) {
       EXPECT_EQ(s.Text(kFilePath), v.kept());
       EXPECT_EQ(s.Text(kFileNewPath), v.folder() + "/away");
       EXPECT_FALSE(s.Is(kFileReplaces));
     }},
    {"rename over", EventClass::kFileRename,
     [](const V& v) { return v.into() + " && file.replaces"; },
     [](const V& v) { return Result(rename(v.out().c_str(), v.kept().c_str())); },
     [](const V& v) { return !Exists(v.out()); },
     [](const S& s, const V& v) {
       EXPECT_EQ(s.Text(kFilePath), v.out());
       EXPECT_EQ(s.Text(kFileNewPath), v.kept());
       EXPECT_TRUE(s.Is(kFileReplaces));
     }},
    {"exchange", EventClass::kFileRename,
     [](const V& v) { return v.into() + " && file.exchanges"; },
     [](const V& v) {
       return Result(syscall(SYS_renameat2, AT_FDCWD, v.kept().c_str(), AT_FDCWD, v.out().c_str(),
                             RENAME_EXCHANGE));
     },
     [](const V& v) { return ReadFile(v.kept()) == "out\n"; },
     [](const S& s, const V& v) {
       EXPECT_EQ(s.Text(kFilePath), v.out());
       EXPECT_EQ(s.Text(kFileNewPath), v.kept());
     }},
    {"link", EventClass::kFileLink, Into,
     [](const V& v) { return Result(link(v.out().c_str(), v.fresh().c_str())); }, NoFresh,
     [](const S& s, const V& v) {
       EXPECT_EQ(s.Text(kFilePath), v.out());
       EXPECT_EQ(s.Text(kFileNewPath), v.fresh());
       EXPECT_EQ(s.Number(kFileIno), Stat(v.out()).st_ino);
     }},
    {"link of what is inside", EventClass::kFileLink, Inside,
     [](const V& v) { return Result(link(v.kept().c_str(), (v.folder() + "/other").c_str())); },
     [](const V& v) { return Exists(v.folder() + "/other"); },
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_EQ(s.Text(kFileNewPath), v.folder() + "/other");
     }},
    {"O_TMPFILE and linkat", EventClass::kFileLink, Into, LinkTmpfile, NoFresh,
     [](const S& s, const V& v) { EXPECT_EQ(s.Text(kFileNewPath), v.fresh()); }},
    {"symlink", EventClass::kFileSymlink, Inside,
     [](const V& v) { return Result(symlink("/nowhere at all", v.fresh().c_str())); }, NoFresh,
     [](const S& s, const V& v) {
       PathIsFresh(s, v);
       EXPECT_EQ(s.Text(kFileLinkTarget), "/nowhere at all");
     }},
    {"mkdir", EventClass::kFileMkdir, Inside,
     [](const V& v) { return Result(mkdir(v.fresh().c_str(), 0750)); }, NoFresh,
     [](const S& s, const V& v) {
       PathIsFresh(s, v);
       EXPECT_EQ(s.Number(kFileNewMode), 0750u);
     }},
    {"mknod of a device", EventClass::kFileMknod,
     [](const V& v) { return v.inside() + " && file.is_device"; },
     [](const V& v) {
       return Result(mknod(v.fresh().c_str(), S_IFBLK | 0600, makedev(259, 70000)));
     },
     NoFresh,
     [](const S& s, const V& v) {
       PathIsFresh(s, v);
       EXPECT_EQ(s.Number(kFileNewMode), S_IFBLK | 0600u);
       EXPECT_EQ(s.Number(kFileRdev), 259u << 20 | 70000u);
     }},
    {"mknod of a FIFO", EventClass::kFileMknod,
     [](const V& v) { return v.inside() + " && !file.is_device"; },
     [](const V& v) { return Result(mkfifo(v.fresh().c_str(), 0600)); }, NoFresh,
     [](const S& s, const V&) { EXPECT_EQ(s.Number(kFileNewMode), S_IFIFO | 0600u); }},
    {"bind of a socket", EventClass::kFileMknod, Inside, BindSocket, NoFresh,
     [](const S& s, const V& v) { PathIsFresh(s, v); }},
    {"chmod", EventClass::kFileChmod,
     [](const V& v) { return v.inside() + " && file.sets_setuid && file.makes_executable"; },
     [](const V& v) { return Result(chmod(v.kept().c_str(), 04755)); },
     [](const V& v) { return (Stat(v.kept()).st_mode & 07777) != 0644; },
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_EQ(s.Number(kFileMode), S_IFREG | 0644u);
       EXPECT_EQ(s.Number(kFileNewMode), 04755u);
       EXPECT_TRUE(s.Is(kFileSetsSetuid));
       EXPECT_FALSE(s.Is(kFileSetsSetgid));
       EXPECT_TRUE(s.Is(kFileMakesExecutable));
     }},
    {"fchmod", EventClass::kFileChmod,
     [](const V& v) { return v.inside() + " && file.sets_setgid"; },
     [](const V& v) {
       const Fd fd(open(v.kept().c_str(), O_RDONLY | O_CLOEXEC));
       return Result(fchmod(fd.get(), 02644));
     },
     [](const V& v) { return (Stat(v.kept()).st_mode & 07777) != 0644; },
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_TRUE(s.Is(kFileSetsSetgid));
       EXPECT_FALSE(s.Is(kFileMakesExecutable));
     }},
    {"chown", EventClass::kFileChown, Inside,
     [](const V& v) { return Result(chown(v.kept().c_str(), 7, static_cast<gid_t>(-1))); },
     [](const V& v) { return Stat(v.kept()).st_uid == 7; },
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_EQ(s.Number(kFileUid), 0u);
       EXPECT_EQ(s.Number(kFileNewUid), 7u);
       EXPECT_EQ(s.Number(kFileNewGid), 0xffffffffu) << "it stays";
     }},
    {"truncate", EventClass::kFileTruncated, Inside,
     [](const V& v) { return Result(truncate(v.kept().c_str(), 1)); },
     [](const V& v) { return Stat(v.kept()).st_size != 5; }, PathIsKept},
    {"ftruncate", EventClass::kFileTruncated, Inside, Truncate,
     [](const V& v) { return Stat(v.kept()).st_size != 5; }, PathIsKept},
    {"open with O_TRUNC", EventClass::kFileTruncated, Inside,
     [](const V& v) {
       const Fd fd(open(v.kept().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
       return fd.valid() ? 0 : errno;
     },
     [](const V& v) { return Stat(v.kept()).st_size != 5; }, PathIsKept},
    {"setxattr", EventClass::kFileSetxattr,
     [](const V& v) { return v.inside() + " && !file.sets_capabilities"; },
     [](const V& v) { return Result(setxattr(v.kept().c_str(), "trusted.kentry", "x", 1, 0)); },
     [](const V& v) { return getxattr(v.kept().c_str(), "trusted.kentry", nullptr, 0) >= 0; },
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_EQ(s.Text(kFileXattr), "trusted.kentry");
     }},
    {"file capabilities", EventClass::kFileSetxattr,
     [](const V& v) { return v.inside() + " && file.sets_capabilities"; },
     [](const V& v) {
       const uint32_t cap[5] = {0x02000001, 1u << 21, 0, 0, 0};  // VFS_CAP_REVISION_2, effective
       return Result(setxattr(v.kept().c_str(), "security.capability", cap, sizeof(cap), 0));
     },
     [](const V& v) { return getxattr(v.kept().c_str(), "security.capability", nullptr, 0) >= 0; },
     [](const S& s, const V&) { EXPECT_EQ(s.Text(kFileXattr), "security.capability"); }},
    {"mmap to executable", EventClass::kFileMmapExec, Inside, MapExec, nullptr,
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_FALSE(s.Is(kFileMprotect));
       EXPECT_FALSE(s.Is(kFileWritable));
     }},
    {"mprotect to executable", EventClass::kFileMmapExec, Inside, ProtectExec, nullptr,
     [](const S& s, const V& v) {
       PathIsKept(s, v);
       EXPECT_TRUE(s.Is(kFileMprotect));
     }},
};

// A rule for each change, all of the same vault, in one set: every class has its hooks then.
std::string RulesOf(const Vault& vault, std::string_view mode) {
  std::string yaml = fmt::format("mode: {}\nrules:\n", mode);
  for (size_t i = 0; i < std::size(kChanges); ++i) {
    yaml += fmt::format("  - {{name: guard-{}, on: {}, when: '{}', then: deny, guard: off}}\n", i,
                        GetClass(kChanges[i].cls).name, kChanges[i].when(vault));
  }
  return yaml;
}

// What is made or taken away is put back for the next one.
void Restore(const Vault& vault) {
  std::error_code ignored;
  std::filesystem::remove_all(vault.dir(), ignored);
  std::filesystem::remove_all(vault.folder() + "/away", ignored);
  std::filesystem::remove_all(vault.folder() + "/other", ignored);
  vault.Fill();
}

class ChangeTest : public RuleTest {
 protected:
  // The alert of change `i` by that process, which is the only one of the rule.
  Seen Only(size_t i, std::string_view verdict, uint64_t pid) {
    std::vector<Seen> alerts = Alerts(fmt::format("guard-{}", i));
    std::erase_if(alerts, [&](const Seen& seen) { return seen.pid() != pid; });
    EXPECT_EQ(alerts.size(), 1u);
    if (alerts.empty()) {
      EventBuilder nothing;
      nothing.Begin(kChanges[i].cls);
      return Seen(nothing.View());
    }
    EXPECT_EQ(alerts[0].Text(kAlertVerdict), verdict) << alerts[0].Describe();
    EXPECT_EQ(alerts[0].cls(), kChanges[i].cls);
    return alerts[0];
  }
};

TEST_F(ChangeTest, WhatIsDeniedDoesNotHappenAndTheSameElsewhereDoes) {
  const Vault vault;
  Load(RulesOf(vault, "enforce"));
  for (size_t i = 0; i < std::size(kChanges); ++i) {
    const Change& change = kChanges[i];
    SCOPED_TRACE(change.name);
    Child child([&] { return change.run(vault); });
    const auto pid = static_cast<uint64_t>(child.pid());
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
    const bool happened = change.done != nullptr && change.done(vault);
    EXPECT_FALSE(happened);
    const Seen seen = Only(i, "denied", pid);
    EXPECT_EQ(seen.Text(kAlertOutcome), "eperm");
    EXPECT_TRUE(seen.List(kAlertUncertain).empty());
    change.look(seen, vault);

    const Vault elsewhere;
    sensor().Clear();
    Child other([&] { return change.run(elsewhere); });
    EXPECT_EQ(WEXITSTATUS(other.Finish()), 0);
    EXPECT_TRUE(change.done == nullptr || change.done(elsewhere));
    EXPECT_TRUE(Alerts(fmt::format("guard-{}", i)).empty());
  }
}

TEST_F(ChangeTest, WhatIsOnlyWatchedHappens) {
  Vault vault;
  Load(RulesOf(vault, "monitor"));
  for (size_t i = 0; i < std::size(kChanges); ++i) {
    const Change& change = kChanges[i];
    SCOPED_TRACE(change.name);
    Child child([&] { return change.run(vault); });
    const auto pid = static_cast<uint64_t>(child.pid());
    EXPECT_EQ(WEXITSTATUS(child.Finish()), 0);
    EXPECT_TRUE(change.done == nullptr || change.done(vault));
    const Seen seen = Only(i, "would_deny", pid);
    EXPECT_EQ(seen.Text(kAlertOutcome), "attempted");
    EXPECT_EQ(seen.Number(kProcessUid), 0u);
    EXPECT_EQ(seen.Text(kAlertMode), "monitor");
    Restore(vault);
  }
}

// Names that lead to the same file by another way, and who may not be kept from it.
TEST_F(ChangeTest, NoOtherWayToTheNameWorks) {
  const Vault vault;
  Load(
      fmt::format("mode: enforce\nrules:\n"
                  "  - {{name: gone, on: file.unlink, when: 'file.path == \"{0}\"', then: deny}}\n"
                  "  - {{name: mode, on: file.chmod, when: 'file.path == \"{0}\"', then: deny}}\n",
                  vault.kept()));
  using Way = int (*)(const Vault&);
  const auto linked = [](const Vault& v) {
    Must(symlink("vault", (v.folder() + "/sym").c_str()), "symlink");
    return Result(unlink((v.folder() + "/sym/kept").c_str()));
  };
  const auto by_root = [](const Vault& v) {
    return Result(unlink(("/proc/self/root" + v.kept()).c_str()));
  };
  const auto by_cwd = [](const Vault& v) {
    Must(chdir(v.dir().c_str()), "chdir");
    return Result(unlink("../vault/./kept"));
  };
  const auto bound = [](const Vault& v) {
    const std::string at = v.folder() + "/bound";
    Must(mkdir(at.c_str(), 0755), "mkdir");
    Must(unshare(CLONE_NEWNS), "unshare");
    Must(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
    Must(mount(v.dir().c_str(), at.c_str(), nullptr, MS_BIND, nullptr), "bind");
    return Result(unlink((at + "/kept").c_str()));
  };
  const auto rooted = [](const Vault& v) {
    Must(chroot("/"), "chroot");
    return Result(unlink(v.kept().c_str()));
  };
  for (const Way way : {Way(linked), Way(by_root), Way(by_cwd), Way(bound), Way(rooted)}) {
    Child child([&] { return way(vault); });
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
    EXPECT_TRUE(Exists(vault.kept()));
  }
  EXPECT_EQ(Alerts("gone").size(), 5u);
  // Another name of the file is another name, but the same mode.
  const std::string other = vault.folder() + "/other";
  ASSERT_EQ(link(vault.kept().c_str(), other.c_str()), 0);
  Child mode([&] { return Result(chmod(other.c_str(), 0777)); });
  EXPECT_EQ(WEXITSTATUS(mode.Finish()), EPERM);
  Child name([&] { return Result(unlink(other.c_str())); });
  EXPECT_EQ(WEXITSTATUS(name.Finish()), 0);
  const Fd fd(open(vault.kept().c_str(), O_RDONLY | O_CLOEXEC));
  Child by_fd([&] { return Result(fchmod(fd.get(), 0777)); });
  EXPECT_EQ(WEXITSTATUS(by_fd.Finish()), EPERM);
  EXPECT_EQ(Stat(vault.kept()).st_mode & 0777, 0644u);
}

// A path too long to be read may be any rule's, but not one on another kind of change.
TEST_F(ChangeTest, APathTooLongIsRefusedByRulesOnThatChangeOnly) {
  const std::string folder = NewFolder();
  Load(fmt::format(
      "mode: enforce\nrules:\n"
      "  - {{name: mode, on: file.chmod, when: 'file.path.startsWith(\"{0}/\")', then: deny}}\n"
      "  - {{name: gone, on: file.unlink, when: 'file.path.startsWith(\"{0}/\") && "
      "process.uid == 7', then: deny}}\n",
      folder));
  Child child([&] {
    Must(chdir(folder.c_str()), "chdir");
    const std::string name(200, 'd');
    for (int depth = 0; depth < 30; ++depth) {
      Must(mkdir(name.c_str(), 0755), "mkdir");
      Must(chdir(name.c_str()), "chdir");
    }
    Must(close(open("deep", O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), "create");
    Tell(Result(chmod("deep", 0600)));
    Tell(Result(unlink("deep")));
    return 0;
  });
  EXPECT_EQ(child.Next(), EPERM) << "it may be what the rule names";
  EXPECT_EQ(child.Next(), 0) << "no rule on unlink is about this process";
  EXPECT_EQ(child.Finish(), 0);
  const std::vector<Seen> alerts = Alerts("mode");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].cls(), EventClass::kFileChmod);
  EXPECT_TRUE(Alerts("gone").empty());
}

TEST_F(ChangeTest, ExecutableMemoryOfNoFileIsSeenAndDenied) {
  Load(
      "mode: enforce\nrules:\n"
      "  - {name: anon, on: file.mmap_exec, when: 'file.anonymous && file.writable && "
      "process.uid == 7', then: deny}\n"
      "  - {name: memfd, on: file.mmap_exec, when: 'file.from_memfd && process.uid == 7', then: "
      "deny}\n");
  const auto map = [](uid_t uid, int prot, int fd) {
    Child child([&] {
      Must(setresuid(uid, uid, uid), "setresuid");
      const int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
      return mmap(nullptr, 4096, prot, flags, fd, 0) == MAP_FAILED ? errno : 0;
    });
    return WEXITSTATUS(child.Finish());
  };
  const Fd memfd(static_cast<int>(syscall(SYS_memfd_create, "code", MFD_CLOEXEC)));
  ASSERT_EQ(ftruncate(memfd.get(), 4096), 0);
  constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
  EXPECT_EQ(map(7, kAll, -1), EPERM);
  EXPECT_EQ(map(7, PROT_READ | PROT_EXEC, -1), 0);
  EXPECT_EQ(map(0, kAll, -1), 0);
  EXPECT_EQ(map(7, PROT_READ | PROT_EXEC, memfd.get()), EPERM);
  EXPECT_EQ(map(0, PROT_READ | PROT_EXEC, memfd.get()), 0);
  const std::vector<Seen> alerts = Alerts("anon");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_TRUE(alerts[0].Is(kFileAnonymous));
  EXPECT_FALSE(alerts[0].Has(kFilePath));
  EXPECT_EQ(Alerts("memfd").size(), 1u);
}

}  // namespace
}  // namespace kentry::vm
