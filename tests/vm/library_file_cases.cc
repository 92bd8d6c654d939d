// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/library_cases.h"

#include <sys/mount.h>
#include <unistd.h>

#include "fmt/format.h"
#include "tests/vm/child.h"

namespace kentry::vm {
namespace {

// Opens a device and reads nothing.
Act OpensDevice(std::string path, const std::string& device) {
  return {.path = std::move(path),
          .args = {"dd", "if=" + device, "of=/dev/null", "bs=1", "count=0"},
          .copy_of = kBusybox};
}

// The machine has no disk: a plain file has a disk's name.
LibraryCase Disk() {
  const std::string dd = "/usr/bin/dd";
  return {.rule = "disk-opened-in-container",
          .raises = {{Inside(OpensDevice(dd, "/dev/mem")),
                      fmt::format("/usr/bin/dd in{} opened /dev/mem", InContainer())},
                     {Inside(OpensDevice(dd, "/dev/sdz1")),
                      fmt::format("/usr/bin/dd in{} opened /dev/sdz1", InContainer())}},
          .quiet = {Inside(OpensDevice(dd, "/dev/zero")), OpensDevice(dd, "/dev/mem"),
                    Inside(OpensDevice("/usr/sbin/blkid", "/dev/sdz1"))},
          .files = {"/dev/sdz1"}};
}

// A kernel without cgroup v1 leaves the plain file of that name, which is the same to the rule.
int MountCgroupV1() {
  OwnMounts();
  const std::string at = fmt::format("{}/cgroup", kLibraryFolder);
  (void)mount("none", at.c_str(), "cgroup", 0, "none,name=kentry-library");
  return -1;
}

LibraryCase ReleaseAgent() {
  const std::string folder = fmt::format("{}/cgroup/", kLibraryFolder);
  const std::string file = folder + "release_agent";
  const std::string shell = Editor("release-agent-write");
  const Act write = After(Appends(shell, file), MountCgroupV1);
  return {.rule = "release-agent-write",
          .raises = {{Inside(write),
                      fmt::format("{} opened {} for writing,{}", shell, file, InContainer())},
                     {write, fmt::format("{} opened {} for writing, container ", shell, file)}},
          .quiet = {Inside(After(Reads("/usr/bin/cat", file), MountCgroupV1)),
                    Inside(After(Appends(shell, folder + "cgroup.procs"), MountCgroupV1)),
                    After(Appends("/usr/lib/systemd/systemd", file), MountCgroupV1)},
          .files = {file, folder + "cgroup.procs"}};
}

LibraryCase KernelHelper() {
  const std::string file = "/proc/sys/kernel/core_pattern";
  const std::string shell = Editor("kernel-helper-write");
  const std::string sysctl = "/usr/sbin/sysctl";
  return {.rule = "kernel-helper-write",
          .raises = {{Inside(Appends(sysctl, file)),
                      fmt::format("{} opened {} for writing,{}", sysctl, file, InContainer())},
                     {Appends(shell, file),
                      fmt::format("{} opened {} for writing, container ", shell, file)}},
          .quiet = {Appends(sysctl, file), Appends(shell, "/proc/sys/kernel/pid_max"),
                    Reads("/usr/bin/cat", file)}};
}

LibraryCase PasswordHashes() {
  const std::string file = "/etc/shadow";
  const std::string copy = "/opt/harmless";
  const std::string message = fmt::format("read /etc/shadow, started by {}", kTest);
  return {
      .rule = "password-hashes-read",
      .raises = {{Reads("/usr/bin/cat", file), "/usr/bin/cat (cat /etc/shadow) " + message},
                 // Through another name of the file.
                 {Reads("/usr/bin/cat", copy), fmt::format("/usr/bin/cat (cat {}) read", copy)}},
      .quiet = {Reads("/usr/sbin/unix_chkpwd", file), Reads("/usr/bin/cat", "/etc/passwd"),
                BelowDpkg("/usr/bin/cat " + file),
                Script("/usr/sbin/adduser", "read -r line <" + file + "; :")},
      .files = {file, "/etc/passwd", "/opt/"},
      .setup = [=] { (void)link(file.c_str(), copy.c_str()); }};
}

LibraryCase SshKey() {
  const std::string key = "/root/.ssh/id_rsa";
  const std::string host_key = "/etc/ssh/ssh_host_rsa_key";
  const std::string cat = "/usr/bin/cat";
  return {.rule = "ssh-private-key-read",
          .raises = {{Reads(cat, key), fmt::format("{0} (cat {1}) read {1}", cat, key)},
                     {Reads(cat, host_key), fmt::format("{0} (cat {1}) read {1}", cat, host_key)}},
          .quiet = {Reads(cat, key + ".pub"), Reads(cat, host_key + ".pub"),
                    Reads("/usr/bin/ssh", key)},
          .files = {key, key + ".pub", host_key, host_key + ".pub"}};
}

// A pod's token as kubelet mounts it: what is opened is not what is named.
LibraryCase ClientCredentials() {
  const std::string account = "/run/secrets/kubernetes.io/serviceaccount/";
  const std::string dated = account + "..2026_11_23_03_04_05.1/";
  const std::string config = "/root/.kube/config";
  return {.rule = "cloud-or-cluster-credentials-read",
          .raises = {{Reads("/usr/bin/cat", config),
                      "/usr/bin/cat (cat /root/.kube/config) read /root/.kube/config, container "},
                     {Inside(RunPresent("/bin/cat", {"cat", account + "token"})),
                      fmt::format("/bin/busybox (cat {}token) read {}token,{}", account, dated,
                                  InContainer())}},
          .quiet = {Reads("/usr/bin/kubectl", config),
                    Inside(RunPresent("/bin/cat", {"cat", account + "namespace"}))},
          .files = {config, dated + "token", dated + "namespace"},
          .setup = [=] {
            (void)symlink("..2026_11_23_03_04_05.1", (account + "..data").c_str());
            (void)symlink("..data/token", (account + "token").c_str());
            (void)symlink("..data/namespace", (account + "namespace").c_str());
          }};
}

LibraryCase ShellHistory() {
  const std::string file = "/root/.bash_history";
  const std::string shell = "/usr/bin/zsh";
  return {.rule = "shell-history-emptied",
          .raises = {{Empties(shell, file),
                      fmt::format("{0} (sh -c : >{1}) emptied {1}", shell, file)}},
          .quiet = {Appends(shell, file), Reads("/usr/bin/cat", file)},
          .files = {file}};
}

LibraryCase SystemLog() {
  const std::string file = "/var/log/auth.log";
  const std::string audit = "/var/log/audit/audit.log";
  const std::string shell = Editor("system-log-emptied");
  return {
      .rule = "system-log-emptied",
      .raises = {{Empties(shell, file), fmt::format("{0} (sh -c : >{1}) emptied {1}", shell, file)},
                 {Empties(shell, audit),
                  fmt::format("{0} (sh -c : >{1}) emptied {1}", shell, audit)}},
      .quiet = {Appends(shell, file), Empties("/usr/sbin/rsyslogd", file),
                Empties(shell, "/var/log/application.log"), BelowDpkg(": >" + file)},
      .files = {file, audit, "/var/log/application.log"}};
}

LibraryCase AccountFile() {
  const std::string file = "/etc/passwd";
  const std::string editor = Editor("account-file-write");
  return {.rule = "account-file-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file), {"etc-write"}}},
          .quiet = {Appends("/usr/sbin/useradd", file), Reads("/usr/bin/cat", file),
                    Script("/usr/bin/cloud-init", ": >>" + file)},
          .files = {file}};
}

LibraryCase PrivilegeConfiguration() {
  const std::string file = "/etc/sudoers.d/ann";
  const std::string editor = Editor("privilege-configuration-write");
  return {.rule = "privilege-configuration-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file), {"etc-write"}}},
          .quiet = {Appends("/usr/sbin/visudo", file), Reads("/usr/bin/cat", file)},
          .files = {"/etc/sudoers.d/"}};
}

LibraryCase AuthorizedKeys() {
  const std::string file = "/root/.ssh/authorized_keys";
  const std::string editor = Editor("authorized-keys-write");
  return {.rule = "authorized-keys-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file)}},
          .quiet = {Appends(editor, "/root/.ssh/known_hosts"), Reads("/usr/bin/cat", file)},
          .files = {"/root/.ssh/"}};
}

LibraryCase Cron() {
  const std::string job = "/etc/cron.d/job";
  const std::string table = "/var/spool/cron/crontabs/root";
  const std::string editor = Editor("cron-write");
  return {.rule = "cron-write",
          .raises = {{Appends(editor, job), WriteMessage(editor, job), {"etc-write"}},
                     {Appends(editor, table), WriteMessage(editor, table)}},
          .quiet = {BelowDpkg(": >" + job), Reads("/usr/bin/cat", job),
                    Appends(editor, "/var/spool/cronic")},
          .files = {"/etc/cron.d/", "/var/spool/cron/crontabs/"}};
}

LibraryCase ServiceUnit() {
  const std::string file = "/etc/systemd/system/x.service";
  const std::string timer = "/home/ann/.config/systemd/user/x.timer";
  const std::string editor = Editor("service-unit-write");
  return {.rule = "service-unit-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file), {"etc-write"}},
                     {Appends(editor, timer), WriteMessage(editor, timer)}},
          .quiet = {Appends("/usr/lib/systemd/systemd", file),
                    Appends(editor, "/home/ann/x.service"), Reads("/usr/bin/cat", file)},
          .files = {"/etc/systemd/system/", "/home/ann/.config/systemd/user/"}};
}

// An empty list changes nothing for the programs that read it.
LibraryCase LdPreload() {
  const std::string file = "/etc/ld.so.preload";
  const std::string editor = Editor("ld-preload-write");
  return {.rule = "ld-preload-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file), {"etc-write"}}},
          .quiet = {Reads("/usr/bin/cat", file), BelowDpkg(": >>" + file),
                    Appends(editor, "/etc/ld.so.conf")},
          .files = {file, "/etc/ld.so.conf"}};
}

LibraryCase SystemBinary() {
  const std::string file = "/usr/bin/changed";
  const std::string editor = Editor("system-binary-write");
  return {.rule = "system-binary-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file)}},
          .quiet = {Appends("/usr/bin/dpkg", file), Appends(editor, "/usr/share/changed"),
                    Reads("/usr/bin/cat", file)},
          .files = {file, "/usr/share/"}};
}

LibraryCase Etc() {
  const std::string file = "/etc/hosts";
  const std::string editor = Editor("etc-write");
  return {.rule = "etc-write",
          .raises = {{Appends(editor, file), WriteMessage(editor, file)}},
          .quiet = {Inside(Appends(editor, file)), BelowDpkg(": >>" + file),
                    Reads("/usr/bin/cat", file), Appends(editor, "/tmp/library/hosts"),
                    Script("/usr/bin/yum", fmt::format("/bin/sh -c ': >>{}; :'; :", file))},
          .files = {file}};
}

}  // namespace

std::vector<LibraryCase> FileCases() {
  return {Disk(),           ReleaseAgent(),
          KernelHelper(),   PasswordHashes(),
          SshKey(),         ClientCredentials(),
          ShellHistory(),   SystemLog(),
          AccountFile(),    PrivilegeConfiguration(),
          AuthorizedKeys(), Cron(),
          ServiceUnit(),    LdPreload(),
          SystemBinary(),   Etc()};
}

}  // namespace kentry::vm
