// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/cli.h"

#include <cstdio>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "sensor/cli/command_line.h"
#include "sensor/cli/commands.h"

namespace kentry {
namespace {

// Which function a command's options go to; std::visit refuses to compile without one of them.
struct Dispatch {
  int operator()(const HelpOptions& options) const { return PrintAnswer(options.text); }
  int operator()(const RunOptions& options) const { return actions.run(options); }
  int operator()(const StatusOptions& options) const { return StatusCommand(options); }
  int operator()(const PsOptions& options) const { return PsCommand(options); }
  int operator()(const ProbeOptions& options) const { return actions.probe(options); }
  int operator()(const CleanupOptions& options) const { return actions.cleanup(options); }
  int operator()(const FieldsOptions& options) const { return FieldsCommand(options); }
  int operator()(const RulesOptions& options) const { return actions.rules(options); }
  int operator()(const EnforceOptions& options) const { return actions.enforce(options); }
  int operator()(const VersionOptions& options) const { return VersionCommand(options); }

  const Actions& actions;
};

}  // namespace

int RunCli(int argc, const char* const* argv, const Actions& actions) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto command = ParseCommandLine(words);
  if (!command.ok()) {
    const absl::string_view message = command.status().message();
    fmt::print(stderr, "{}\n", std::string_view(message.data(), message.size()));
    return kExitUsage;
  }
  return std::visit(Dispatch{.actions = actions}, *command);
}

std::string_view Version() { return KENTRY_VERSION; }

}  // namespace kentry
