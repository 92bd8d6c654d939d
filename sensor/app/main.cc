// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "sensor/app/commands.h"
#include "sensor/cli/cli.h"

int main(int argc, char** argv) {
  try {
    return kentry::RunCli(argc, argv,
                          {.run = kentry::RunCommand,
                           .probe = kentry::ProbeCommand,
                           .cleanup = kentry::CleanupCommand,
                           .rules = kentry::RulesCommand,
                           .enforce = kentry::EnforceCommand});
  } catch (const std::exception& error) {
    // Only libraries throw, and only when memory is out or they have a bug.
    std::fprintf(stderr, "kentry: internal error: %s\n", error.what());
    return kentry::kExitFailed;
  }
}
