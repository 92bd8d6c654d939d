// SPDX-License-Identifier: Apache-2.0
// Processes that a test starts and holds, and what /proc says of them.
#ifndef KENTRY_TESTS_VM_CHILD_H_
#define KENTRY_TESTS_VM_CHILD_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sensor/util/fd.h"

namespace kentry::vm {

inline constexpr char kHold[] = "/fixtures/hold";

// A forked child that runs `action`. Its standard input is a pipe that ends with Release(), and it
// can send numbers to the test. Whatever is left of it is killed when this object goes. One thread.
class Child {
 public:
  // The child exits with what `action` returns.
  explicit Child(const std::function<int()>& action);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // The next number that the child sent with Tell(), or nothing when no process has the pipe open
  // any more: after an exec, which closes it, or the child's end.
  std::optional<int64_t> Next();
  // Waits until the child's exec has succeeded, though it may not be over yet; false when it
  // failed, which is then said on standard error.
  bool Execed() { return !Next().has_value(); }
  // Ends the child's standard input: the hold program ends.
  void Release() { input_ = Fd(); }
  // Waits for the child's end; its wait status. Call once.
  int Wait(rusage* usage = nullptr);
  // Release() and Wait().
  int Finish();

 private:
  void ClosePipes() {
    input_ = Fd();
    numbers_ = Fd();
  }

  pid_t pid_ = -1;
  Fd input_;
  Fd numbers_;
};

// For the action of a Child. They never return after a failure: they say `what` and errno on
// standard error, send -errno and end the child.
int64_t Must(int64_t result, const char* what);
void Tell(int64_t number);
// Keeps the calling thread on one processor.
void PinToCpu(int cpu);
// No more numbers from this process, so that the pipe ends with another one's exec.
void TellNoMore();
struct Program {
  std::string path = kHold;
  std::vector<std::string> args = {"hold"};
  std::vector<std::string> env;
  int fd = -1;  // executed instead of `path` when it is a descriptor
};
[[noreturn]] void Exec(const Program& program);
// Runs `action` in a new process made with clone's `flags` (SIGCHLD is added), sends its pid, waits
// for it and returns its exit code. The caller must have one thread only.
int InClone(uint64_t flags, const std::function<int()>& action);
// A line for a file of /proc or /sys.
void WriteFile(const std::string& path, const std::string& text);

// Reads a whole file; empty when it can't be read.
std::string ReadFile(const std::string& path);
// Copies a program and gives the copy `mode`.
void CopyFile(const std::string& from, const std::string& to, mode_t mode);
// A fresh folder below /tmp, different for each call.
std::string NewFolder();

// What /proc and the file system say of a living process.
struct ProcFacts {
  static ProcFacts Of(pid_t pid);

  uint64_t pid = 0;
  uint64_t parent = 0;
  uint64_t start_ticks = 0;  // hundredths of a second since boot
  uint64_t ns_pid = 0;
  uint64_t uid[4] = {};  // real, effective, saved, file system
  uint64_t gid[4] = {};
  uint64_t cap_inheritable = 0, cap_permitted = 0, cap_effective = 0, cap_bounding = 0;
  uint64_t cap_ambient = 0;
  bool no_new_privs = false;
  uint64_t ns_mnt = 0, ns_pid_ns = 0, ns_net = 0, ns_uts = 0, ns_ipc = 0, ns_user = 0;
  uint64_t ns_cgroup = 0, ns_time = 0;
  uint64_t login_uid = 0, session = 0;
  std::string name;
  std::string cmdline;  // as in /proc/PID/cmdline
  std::string exe;      // of the links, with the " (deleted)" that the kernel appends
  std::string cwd;
  uint64_t exe_dev = 0;  // major << 20 | minor
  uint64_t exe_ino = 0;
  uint64_t exe_mode = 0;
  std::string cgroup;  // path in the v2 hierarchy
  uint64_t cgroup_id = 0;
};

// Inode number of /proc/PID/ns/NAME.
uint64_t NamespaceOf(pid_t pid, const char* name);
// This kernel's version as "5.10".
std::string KernelVersion();

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_CHILD_H_
