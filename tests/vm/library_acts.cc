// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/library_acts.h"

#include <sched.h>
#include <sys/mount.h>

#include <utility>

#include "fmt/format.h"
#include "tests/vm/child.h"

namespace kentry::vm {

Act Run(std::string path, std::vector<std::string> args) {
  return {.path = std::move(path), .args = std::move(args), .copy_of = kHold};
}

Act RunPresent(std::string path, std::vector<std::string> args) {
  return {.path = std::move(path), .args = std::move(args)};
}

Act Script(std::string path, const std::string& commands) {
  Act act = {.path = std::move(path), .args = {"script"}};
  act.text = fmt::format("#!{} sh\n{}\n", kBusybox, commands);
  return act;
}

Act Shell(std::string path, const std::string& script) {
  return {.path = std::move(path), .args = {"sh", "-c", script}, .copy_of = kBusybox};
}

Act BelowDpkg(const std::string& script) {
  // What follows the last command keeps a shell from executing it in its own place.
  return Shell("/usr/bin/dpkg", fmt::format("/bin/sh -c '{}; :'; :", script));
}

Act Appends(std::string path, const std::string& file) {
  return Shell(std::move(path), ": >>" + file);
}

Act Empties(std::string path, const std::string& file) {
  return Shell(std::move(path), ": >" + file);
}

Act Reads(std::string path, const std::string& file) {
  return {.path = std::move(path), .args = {"cat", file}, .copy_of = kBusybox};
}

Act Inside(Act act) {
  act.in_container = true;
  return act;
}

Act OnTerminal(Act act) {
  act.on_terminal = true;
  return act;
}

Act After(Act act, std::function<int()> before) {
  act.before = std::move(before);
  return act;
}

Act AsUser(Act act) {
  act.mode = 04755;
  act.uid = 1000;
  return act;
}

Act EndsWith(Act act, int exit_code) {
  act.exit_code = exit_code;
  return act;
}

std::string Editor(const std::string& rule) {
  return fmt::format("{}/editor-of-{}", kLibraryFolder, rule);
}

std::string WriteMessage(const std::string& program, const std::string& file) {
  return fmt::format("{} (sh -c : >>{}) opened {} for writing", program, file, file);
}

std::string InContainer() { return fmt::format(" container {}", kLibraryContainer); }

void OwnMounts() {
  Must(unshare(CLONE_NEWNS), "unshare");
  Must(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
}

}  // namespace kentry::vm
