// SPDX-License-Identifier: Apache-2.0
// Commands that need no kernel. Each prints its answer on standard output or one line on standard
// error, and returns an ExitCode.
#ifndef KENTRY_SENSOR_CLI_COMMANDS_H_
#define KENTRY_SENSOR_CLI_COMMANDS_H_

#include <string_view>

#include "absl/status/status.h"
#include "sensor/cli/options.h"

namespace kentry {

int StatusCommand(const StatusOptions& options);
int PsCommand(const PsOptions& options);
int FieldsCommand(const FieldsOptions& options);
int VersionCommand(const VersionOptions& options);

// Writes all of `text` to standard output: kExitOk, or kExitFailed when nobody reads it.
int PrintAnswer(std::string_view text);
// Prints "kentry: MESSAGE" and returns the exit code that the status stands for: no daemon
// (Unavailable, DeadlineExceeded), another daemon (AlreadyExists), this kernel (Unimplemented),
// else failed.
int ReportError(const absl::Status& status);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_COMMANDS_H_
