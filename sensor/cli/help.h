// SPDX-License-Identifier: Apache-2.0
// The words of --help: what stands around the list of options.
#ifndef KENTRY_SENSOR_CLI_HELP_H_
#define KENTRY_SENSOR_CLI_HELP_H_

#include <span>
#include <string>
#include <string_view>

namespace kentry {

struct CommandHelp {
  std::string_view name;      // "run"
  std::string_view usage;     // "kentry run [OPTION]…"
  std::string_view summary;   // for the list of commands
  std::string_view about;     // a paragraph
  std::string_view examples;  // lines "  command    # what it does"
};

// All commands in the order of the top-level help.
std::span<const CommandHelp> CommandHelps();

// One line of a list of options.
struct OptionHelp {
  std::string names;  // "-o, --format FORMAT"
  std::string text;
};

std::string TopLevelHelp();
// For `kentry` alone: fits a small terminal.
std::string ShortHelp();
std::string HelpOf(const CommandHelp& command, std::span<const OptionHelp> options);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_HELP_H_
