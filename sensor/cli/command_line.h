// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_COMMAND_LINE_H_
#define KENTRY_SENSOR_CLI_COMMAND_LINE_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "sensor/cli/options.h"

namespace kentry {

// Turns the words after the program's name into a command. Asks for help and an empty command
// line give HelpOptions. InvalidArgument for everything else that is no command: the message is
// one line for the user ("kentry run: unknown option …"), safe for a terminal. One thread.
absl::StatusOr<Command> ParseCommandLine(std::span<const std::string> words);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_COMMAND_LINE_H_
