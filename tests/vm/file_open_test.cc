// SPDX-License-Identifier: Apache-2.0
// file.open: all ways to open one file, and each field.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

// A file that a rule names, and nothing else in its folder.
class Secret {
 public:
  Secret() : folder_(NewFolder()) {
    mkdir((folder_ + "/vault").c_str(), 0755);
    const Fd fd(open(path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
    EXPECT_TRUE(fd.valid());
    struct stat file {};
    fstat(fd.get(), &file);
    ino_ = file.st_ino;
    dev_ = static_cast<uint64_t>(major(file.st_dev)) << 20 | minor(file.st_dev);
  }
  const std::string& folder() const { return folder_; }
  std::string vault() const { return folder_ + "/vault"; }
  std::string path() const { return folder_ + "/vault/secret"; }
  uint64_t ino() const { return ino_; }
  uint64_t dev() const { return dev_; }

 private:
  std::string folder_;
  uint64_t ino_ = 0;
  uint64_t dev_ = 0;
};

std::string RuleFor(const std::string& condition) {
  return fmt::format(
      "rules:\n  - {{name: watch, on: file.open, when: '{}', then: alert, severity: warning}}\n",
      condition);
}

int OpenAndClose(const std::string& path, int flags = O_RDONLY) {
  const Fd fd(open(path.c_str(), flags | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

int OpenByHandle(const std::string& path) {
  alignas(file_handle) char buffer[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  Must(name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0), "name_to_handle_at");
  const Fd root(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd fd(open_by_handle_at(root.get(), handle, O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

// The 32-bit call: int 0x80, with the path below 4 GiB.
int OpenBy32BitCall(const std::string& path) {
#if defined(__x86_64__)
  void* low =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  std::memcpy(low, path.c_str(), path.size() + 1);
  long result = 0;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(5), "b"(low), "c"(O_RDONLY), "d"(0)
               : "r8", "r9", "r10", "r11", "memory");
  return static_cast<int>(result) < 0 ? -static_cast<int>(result) : 0;
#else
  return OpenAndClose(path);
#endif
}

int OpenByRing(const std::string& path) {
  io_uring_params params{};
  const Fd ring(static_cast<int>(syscall(SYS_io_uring_setup, 4, &params)));
  if (!ring.valid()) return errno;
  auto* queue = static_cast<char*>(
      mmap(nullptr, params.sq_off.array + params.sq_entries * sizeof(uint32_t),
           PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.get(), IORING_OFF_SQ_RING));
  auto* entries = static_cast<io_uring_sqe*>(mmap(nullptr, params.sq_entries * sizeof(io_uring_sqe),
                                                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                                                  ring.get(), IORING_OFF_SQES));
  if (queue == MAP_FAILED || entries == MAP_FAILED) return errno;
  std::memset(entries, 0, sizeof(*entries));
  entries[0].opcode = IORING_OP_OPENAT;
  entries[0].fd = AT_FDCWD;
  entries[0].addr = reinterpret_cast<uint64_t>(path.c_str());
  entries[0].open_flags = O_RDONLY | O_CLOEXEC;
  *reinterpret_cast<uint32_t*>(queue + params.sq_off.array) = 0;
  __atomic_store_n(reinterpret_cast<uint32_t*>(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  return syscall(SYS_io_uring_enter, ring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) == 1
             ? 0
             : errno;
}

struct Way {
  const char* name;
  int (*open)(const Secret& secret);
};

void PrivateMounts() {
  Must(unshare(CLONE_NEWNS), "unshare");
  Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
}

int BindOfDirectory(const Secret& secret) {
  PrivateMounts();
  const std::string at = secret.folder() + "/other";
  Must(mkdir(at.c_str(), 0755), "mkdir");
  Must(mount(secret.vault().c_str(), at.c_str(), nullptr, MS_BIND, nullptr), "bind");
  return OpenAndClose(at + "/secret");
}

int BindOfFile(const Secret& secret) {
  PrivateMounts();
  const std::string at = secret.folder() + "/other-file";
  Must(close(creat(at.c_str(), 0644)), "creat");
  Must(mount(secret.path().c_str(), at.c_str(), nullptr, MS_BIND, nullptr), "bind");
  return OpenAndClose(at);
}

int Chroot(const Secret& secret) {
  Must(chroot(secret.vault().c_str()), "chroot");
  return OpenAndClose("/secret");
}

int HardLink(const Secret& secret) {
  const std::string other = secret.folder() + "/harmless";
  Must(link(secret.path().c_str(), other.c_str()), "link");
  const int result = OpenAndClose(other);
  Must(unlink(other.c_str()), "unlink");
  return result;
}

const Way kWays[] = {
    {"plain", [](const Secret& s) { return OpenAndClose(s.path()); }},
    {"for writing", [](const Secret& s) { return OpenAndClose(s.path(), O_WRONLY); }},
    {"directory descriptor",
     [](const Secret& s) {
       const Fd dir(open(s.vault().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
       const Fd fd(openat(dir.get(), "secret", O_RDONLY | O_CLOEXEC));
       return fd.valid() ? 0 : errno;
     }},
    {"relative",
     [](const Secret& s) {
       Must(chdir(s.vault().c_str()), "chdir");
       return OpenAndClose("secret");
     }},
    {"dots", [](const Secret& s) { return OpenAndClose(s.vault() + "/../vault/./secret"); }},
    {"symbolic link",
     [](const Secret& s) {
       const std::string at = s.folder() + "/link";
       Must(symlink(s.path().c_str(), at.c_str()), "symlink");
       return OpenAndClose(at);
     }},
    {"linked directory",
     [](const Secret& s) {
       const std::string at = s.folder() + "/dirlink";
       Must(symlink("vault", at.c_str()), "symlink");
       return OpenAndClose(at + "/secret");
     }},
    {"hard link", HardLink},
    {"bind mount of the directory", BindOfDirectory},
    {"bind mount of the file", BindOfFile},
    {"/proc/self/root", [](const Secret& s) { return OpenAndClose("/proc/self/root" + s.path()); }},
    {"/proc/self/cwd",
     [](const Secret& s) {
       Must(chdir(s.vault().c_str()), "chdir");
       return OpenAndClose("/proc/self/cwd/secret");
     }},
    {"O_PATH reopened",
     [](const Secret& s) {
       const Fd fd(open(s.path().c_str(), O_PATH | O_CLOEXEC));
       return OpenAndClose(fmt::format("/proc/self/fd/{}", fd.get()));
     }},
    {"file handle", [](const Secret& s) { return OpenByHandle(s.path()); }},
    {"chroot", Chroot},
    {"32-bit call", [](const Secret& s) { return OpenBy32BitCall(s.path()); }},
    {"openat2",
     [](const Secret& s) {
       open_how how{};
       how.flags = O_RDONLY | O_CLOEXEC;
       how.resolve = RESOLVE_NO_SYMLINKS;
       const Fd fd(
           static_cast<int>(syscall(SYS_openat2, AT_FDCWD, s.path().c_str(), &how, sizeof(how))));
       return fd.valid() ? 0 : errno;
     }},
    {"io_uring", [](const Secret& s) { return OpenByRing(s.path()); }},
};

class FileOpenTest : public RuleTest {
 protected:
  // Opens the secret in every way; each must come up as an alert on its inode.
  void ExpectAllWaysSeen(const Secret& secret, std::initializer_list<std::string_view> but = {}) {
    for (const Way& way : kWays) {
      if (std::find(but.begin(), but.end(), way.name) != but.end()) continue;
      sensor().Clear();
      Child child([&] { return way.open(secret); });
      const auto pid = static_cast<uint64_t>(child.pid());
      EXPECT_EQ(child.Finish(), 0) << way.name;
      const auto is_it = [&](const Seen& seen) {
        // On 5.10 a kernel thread opens for io_uring.
        return seen.cls() == EventClass::kFileOpen && seen.Number(kFileIno) == secret.ino() &&
               (seen.pid() == pid || way.name == std::string_view("io_uring"));
      };
      sensor().Settle();
      EXPECT_FALSE(sensor().Events(is_it).empty()) << "not seen: " << way.name;
    }
  }
};

TEST_F(FileOpenTest, AllWaysToOpenAFileAreSeenByItsPath) {
  const Secret secret;
  Load(RuleFor(fmt::format("file.path == \"{}\"", secret.path())));
  ExpectAllWaysSeen(secret);
}

// A hard link stands outside of the directory, so by a prefix it is another file.
TEST_F(FileOpenTest, AllWaysToOpenAFileAreSeenByItsDirectory) {
  const Secret secret;
  Load(RuleFor(fmt::format("file.path.startsWith(\"{}/\")", secret.vault())));
  ExpectAllWaysSeen(secret, {"hard link", "bind mount of the file"});
}

TEST_F(FileOpenTest, CarriesTheFileAndTheProcessThatOpensIt) {
  const Secret secret;
  Load(RuleFor(fmt::format("file.path == \"{}\" && file.write", secret.path())));
  Child child([&]() -> int {
    Must(setresgid(30, 31, 32), "setresgid");
    Must(setresuid(0, 0, 40), "setresuid");
    return OpenAndClose(secret.path(), O_RDWR | O_TRUNC | O_APPEND);
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(child.Finish(), 0);
  const std::vector<Seen> alerts = Alerts("watch");
  ASSERT_EQ(alerts.size(), 1u);
  const Seen& seen = alerts[0];
  EXPECT_EQ(seen.pid(), pid);
  EXPECT_EQ(seen.Text(kFilePath), secret.path());
  EXPECT_EQ(seen.Number(kFileIno), secret.ino());
  EXPECT_EQ(seen.Number(kFileDev), secret.dev());
  EXPECT_EQ(seen.Number(kFileMode), S_IFREG | 0640u);
  EXPECT_EQ(seen.Number(kFileLinks), 1u);
  EXPECT_EQ(seen.Number(kFileTid), pid);
  EXPECT_TRUE(seen.Is(kFileRead));
  EXPECT_TRUE(seen.Is(kFileWrite));
  EXPECT_TRUE(seen.Is(kFileTruncate));
  EXPECT_TRUE(seen.Is(kFileAppend));
  EXPECT_FALSE(seen.Is(kFileCreated));
  EXPECT_EQ(seen.Number(kProcessGid), 30u);
  EXPECT_EQ(seen.Number(kProcessEgid), 31u);
  EXPECT_EQ(seen.Number(kProcessSgid), 32u);
  EXPECT_EQ(seen.Number(kProcessSuid), 40u);
  EXPECT_EQ(seen.Text(kAlertSeverity), "warning");
  EXPECT_EQ(seen.Text(kAlertVerdict), "observed");
  EXPECT_FALSE(seen.Is(kProcessUnknown));
}

TEST_F(FileOpenTest, CreationReadingAndWritingAreToldApart) {
  const std::string folder = NewFolder();
  Load(fmt::format(
      "rules:\n"
      "  - {{name: made, on: file.open, when: 'file.path.startsWith(\"{0}/\") && file.created'}}\n"
      "  - {{name: written, on: file.open, when: 'file.path.startsWith(\"{0}/\") && file.write'}}\n"
      "  - {{name: read, on: file.open, when: 'file.path.startsWith(\"{0}/\") && !file.write'}}\n",
      folder));
  Child child([&]() -> int {
    Must(close(open((folder + "/a").c_str(), O_CREAT | O_RDONLY, 0600)), "create");
    Must(close(open((folder + "/a").c_str(), O_WRONLY)), "write");
    return OpenAndClose(folder + "/a");
  });
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(Alerts("made").size(), 1u);
  EXPECT_EQ(Alerts("written").size(), 1u);
  EXPECT_EQ(Alerts("read").size(), 2u);
}

TEST_F(FileOpenTest, SuffixesAreFoundInAnyDirectory) {
  const std::string folder = NewFolder();
  Load(RuleFor("file.path.endsWith([\"/.ssh/id_rsa\", \".kdbx\", \"/x\"])"));
  mkdir((folder + "/.ssh").c_str(), 0700);
  Child child([&]() -> int {
    for (const char* name :
         {"/.ssh/id_rsa", "/id_rsa", "/my.kdbx", "/.kdbx", "/kdbx", "/x", "/ax"}) {
      Must(close(open((folder + name).c_str(), O_CREAT | O_RDONLY, 0600)), name);
    }
    return 0;
  });
  EXPECT_EQ(child.Finish(), 0);
  std::vector<std::string> seen;
  for (const Seen& alert : Alerts("watch")) {
    seen.push_back(alert.Text(kFilePath).substr(folder.size()));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"/.ssh/id_rsa", "/my.kdbx", "/.kdbx", "/x"}));
}

TEST_F(FileOpenTest, ARenamedDirectoryIsNotTakenForWhatItWas) {
  const std::string folder = NewFolder();
  Load(RuleFor(fmt::format("file.path.startsWith(\"{}/new/\")", folder)));
  Child child([&]() -> int {
    Must(mkdir((folder + "/old").c_str(), 0755), "mkdir");
    const std::string before = folder + "/old/file";
    const std::string after = folder + "/new/file";
    Must(close(open(before.c_str(), O_CREAT | O_RDONLY, 0600)), "create");
    for (int i = 0; i < 50; ++i) {
      if (OpenAndClose(before) != 0) return 1;
      Must(rename((folder + "/old").c_str(), (folder + "/new").c_str()), "rename");
      if (OpenAndClose(after) != 0) return 2;
      Must(rename((folder + "/new").c_str(), (folder + "/old").c_str()), "rename back");
    }
    return 0;
  });
  EXPECT_EQ(child.Finish(), 0);
  const std::vector<Seen> alerts = Alerts("watch");
  EXPECT_EQ(alerts.size(), 50u);
  for (const Seen& alert : alerts) EXPECT_EQ(alert.Text(kFilePath), folder + "/new/file");
}

TEST_F(FileOpenTest, ConditionsOnTheProcessHoldForItsImageParentAndCredentials) {
  const Secret secret;
  Load(fmt::format(
      "rules:\n"
      "  - {{name: by-uid, on: file.open, when: 'file.path == \"{0}\" && process.uid >= 1000 && "
      "process.uid < 2000'}}\n"
      "  - {{name: by-cap, on: file.open, when: 'file.path == \"{0}\" && "
      "process.cap_effective.hasAll(CAP_SYS_ADMIN)'}}\n"
      "  - {{name: not-test, on: file.open, when: 'file.path == \"{0}\" && "
      "!process.binary.endsWith(\"/kentry_vm_test\")'}}\n",
      secret.path()));
  chmod(secret.path().c_str(), 0644);
  Child child([&]() -> int {
    if (OpenAndClose(secret.path()) != 0) return 1;
    Must(setresuid(1500, 1500, 0), "setresuid");
    if (OpenAndClose(secret.path()) != 0) return 2;
    Must(setresuid(0, 0, 0), "setresuid back");
    return OpenAndClose(secret.path());
  });
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(Alerts("by-uid").size(), 1u);
  EXPECT_EQ(Alerts("by-cap").size(), 2u);
  EXPECT_EQ(Alerts("not-test").size(), 0u);
}

}  // namespace
}  // namespace kentry::vm
