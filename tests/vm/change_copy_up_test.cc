// SPDX-License-Identifier: Apache-2.0
// Files of an overlay: what is denied on the merged path leaves the file in the lower layer, and
// copies nothing up.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

int Result(int64_t result) { return result >= 0 ? 0 : errno; }

class ChangeCopyUpTest : public RuleTest {
 protected:
  void SetUp() override {
    RuleTest::SetUp();
    // On a tmpfs of its own: the machine's root can't be an upper layer.
    ASSERT_EQ(mount("none", folder_.c_str(), "tmpfs", 0, nullptr), 0);
    for (const char* layer : {"lower", "upper", "work", "merged"}) {
      ASSERT_EQ(mkdir((folder_ + "/" + layer).c_str(), 0755), 0);
    }
    WriteFile(folder_ + "/lower/kept", "kept");
    const std::string options =
        fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", folder_);
    ASSERT_EQ(mount("overlay", (folder_ + "/merged").c_str(), "overlay", 0, options.c_str()), 0);
  }
  void TearDown() override {
    RuleTest::TearDown();
    umount2((folder_ + "/merged").c_str(), MNT_DETACH);
    umount2(folder_.c_str(), MNT_DETACH);
  }
  bool NothingIsCopiedUp() const { return std::filesystem::is_empty(folder_ + "/upper"); }

  std::string folder_ = NewFolder();
};

TEST_F(ChangeCopyUpTest, WhatIsDeniedCopiesNothingUp) {
  const std::string kept = folder_ + "/merged/kept";
  const std::string other = folder_ + "/merged/other";
  struct Act {
    const char* cls;
    std::function<int()> run;
  };
  const Act acts[] = {
      {"file.open", [&] { return Result(Fd(open(kept.c_str(), O_WRONLY | O_APPEND)).get()); }},
      {"file.chmod", [&] { return Result(chmod(kept.c_str(), 0755)); }},
      {"file.chown", [&] { return Result(chown(kept.c_str(), 7, 7)); }},
      {"file.truncate", [&] { return Result(truncate(kept.c_str(), 1)); }},
      {"file.setxattr", [&] { return Result(setxattr(kept.c_str(), "trusted.x", "y", 1, 0)); }},
      {"file.link", [&] { return Result(link(kept.c_str(), other.c_str())); }},
      {"file.rename", [&] { return Result(rename(kept.c_str(), other.c_str())); }},
      {"file.unlink", [&] { return Result(unlink(kept.c_str())); }},
  };
  std::string rules = "mode: enforce\nrules:\n";
  for (const Act& act : acts) {
    rules += fmt::format(
        "  - {{name: {}, on: {}, when: 'file.path == \"{}\"{}', then: deny, guard: off}}\n",
        std::string(act.cls).substr(5), act.cls, kept,
        act.cls == std::string_view("file.open") ? " && file.write" : "");
  }
  Load(rules);
  for (const Act& act : acts) {
    SCOPED_TRACE(act.cls);
    Child child(act.run);
    EXPECT_EQ(WEXITSTATUS(child.Finish()), EPERM);
    EXPECT_TRUE(NothingIsCopiedUp());
    const std::vector<Seen> alerts = Alerts(std::string(act.cls).substr(5));
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0].Text(kAlertVerdict), "denied");
    EXPECT_EQ(alerts[0].Text(kFilePath), kept);
  }
  EXPECT_EQ(ReadFile(kept), "kept");
  Load("rules: []\n");
  Child child(acts[1].run);
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 0);
  EXPECT_FALSE(NothingIsCopiedUp()) << "without the rule it does";
}

}  // namespace
}  // namespace kentry::vm
