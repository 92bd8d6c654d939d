// SPDX-License-Identifier: Apache-2.0
// For each rule of rules/library what must raise its alert, and what stands next to that and must
// not.
#ifndef KENTRY_TESTS_VM_LIBRARY_CASES_H_
#define KENTRY_TESTS_VM_LIBRARY_CASES_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/vm/library_acts.h"

namespace kentry::vm {

struct Raise {
  Act act;
  std::string message;                 // the alert's, or a part of it that is always the same
  std::vector<std::string> also = {};  // further rules that the same event meets
};

struct LibraryCase {
  std::string rule;
  std::vector<Raise> raises;            // each raises one alert
  std::vector<Act> quiet;               // none raises any
  std::vector<std::string> files = {};  // made before the rules are loaded; "…/" are folders
  std::function<void()> setup = {};     // called after `files` were made
  std::string filesystem = {};          // not all kernels have it
};

inline void PrintTo(const LibraryCase& one, std::ostream* out) { *out << one.rule; }

// Has no effect on the system.
std::vector<LibraryCase> LibraryCases();
// Those of them that are about process.exec, and about file.open.
std::vector<LibraryCase> ExecCases();
std::vector<LibraryCase> FileCases();

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_LIBRARY_CASES_H_
