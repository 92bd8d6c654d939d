// SPDX-License-Identifier: Apache-2.0
// file.open: all ways to open one file, and each field.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "fmt/format.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

std::string RuleFor(const std::string& condition) {
  return fmt::format(
      "rules:\n  - {{name: watch, on: file.open, when: '{}', then: alert, severity: warning}}\n",
      condition);
}

class FileOpenTest : public RuleTest {
 protected:
  // Opens the secret in every way; each must come up as an alert on its inode.
  void ExpectAllWaysSeen(const Secret& secret, std::initializer_list<std::string_view> but = {}) {
    for (const Way& way : WaysToOpen()) {
      if (std::find(but.begin(), but.end(), way.name) != but.end()) continue;
      sensor().Clear();
      Child child([&] { return way.open(secret); });
      const auto pid = static_cast<uint64_t>(child.pid());
      EXPECT_EQ(child.Finish(), 0) << way.name;
      const auto is_it = [&](const Seen& seen) {
        return seen.cls() == EventClass::kFileOpen && seen.Number(kFileIno) == secret.ino() &&
               seen.pid() == pid;
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
