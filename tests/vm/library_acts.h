// SPDX-License-Identifier: Apache-2.0
// New processes that do one thing, for the tests of rules/library. Nothing here has an effect
// before an act is performed.
#ifndef KENTRY_TESTS_VM_LIBRARY_ACTS_H_
#define KENTRY_TESTS_VM_LIBRARY_ACTS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace kentry::vm {

inline constexpr char kBusybox[] = "/bin/busybox";
// How the sensor names who starts the acts.
inline constexpr char kTest[] = "/bin/kentry_vm_test";
// Acts may write below it; made before the cases' files.
inline constexpr char kLibraryFolder[] = "/tmp/library";
// The container of acts that are in one; its cgroup is where docker puts it.
inline constexpr char kLibraryContainer[] =
    "4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a";

// One new process that executes one program and ends.
struct Act {
  std::string path = {};
  std::vector<std::string> args = {};
  // The program that has to be copied to `path` before the rules are loaded, or the text of the
  // script that has to be there; neither: it is there already.
  std::string copy_of = {};
  std::string text = {};
  mode_t mode = 0755;
  bool in_container = false;
  bool on_terminal = false;
  uid_t uid = 0;
  int exit_code = 0;
  // Called in the new process. What it returns is executed instead of `path`, unless it is -1.
  std::function<int()> before = {};
};

// A program of which only the start matters.
Act Run(std::string path, std::vector<std::string> args);
// One that is there already.
Act RunPresent(std::string path, std::vector<std::string> args);
// A shell script; its interpreter is busybox.
Act Script(std::string path, const std::string& commands);
// A program at `path` that does what a shell does for `script`.
Act Shell(std::string path, const std::string& script);
// The same, as a maintainer script of a package that is being installed.
Act BelowDpkg(const std::string& script);
// A program at `path` that opens `file`: with O_APPEND, with O_TRUNC, to read it.
Act Appends(std::string path, const std::string& file);
Act Empties(std::string path, const std::string& file);
Act Reads(std::string path, const std::string& file);

// The act, but …
Act Inside(Act act);
Act OnTerminal(Act act);
Act After(Act act, std::function<int()> before);
// … of a set-user-id program that user 1000 starts.
Act AsUser(Act act);
Act EndsWith(Act act, int exit_code);

// A program of the rule's own: some limits count by program.
std::string Editor(const std::string& rule);
// What most rules say of Appends(program, file).
std::string WriteMessage(const std::string& program, const std::string& file);
// " container ID", as messages end.
std::string InContainer();

// For a child: mounts that nobody else sees.
void OwnMounts();

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_LIBRARY_ACTS_H_
