// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_CLI_H_
#define KENTRY_SENSOR_CLI_CLI_H_

#include <functional>
#include <string_view>

#include "sensor/cli/options.h"

namespace kentry {

// Commands that need the kernel or the rules: the program that has those parts brings them. Each
// returns an ExitCode and has told the user itself what went wrong.
struct Actions {
  std::function<int(const RunOptions&)> run;
  std::function<int(const ProbeOptions&)> probe;
  std::function<int(const CleanupOptions&)> cleanup;
  std::function<int(const RulesOptions&)> rules;
  std::function<int(const EnforceOptions&)> enforce;
};

// Parses the command line, runs the command and returns the program's exit code. Uses standard
// output for answers and standard error for errors.
int RunCli(int argc, const char* const* argv, const Actions& actions);

// "0.1.0"
std::string_view Version();

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_CLI_H_
