// SPDX-License-Identifier: Apache-2.0
// The commands that need the kernel or the rules. Each returns an ExitCode and tells the user
// itself.
#ifndef KENTRY_SENSOR_APP_COMMANDS_H_
#define KENTRY_SENSOR_APP_COMMANDS_H_

#include "sensor/cli/options.h"

namespace kentry {

int RunCommand(const RunOptions& options);
int ProbeCommand(const ProbeOptions& options);
int CleanupCommand(const CleanupOptions& options);
int EnforceCommand(const EnforceOptions& options);
int RulesCommand(const RulesOptions& options);

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_COMMANDS_H_
