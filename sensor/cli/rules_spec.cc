// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/command_spec.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

void DeclareCommon(CLI::App& app, RawOptions& raw) {
  app.add_option("PATH", raw.paths,
                 "rule files and directories of them, in this order (default /etc/kentry/rules if "
                 "it exists, else kentry's own)")
      ->take_all();
  DeclareHardening(app, raw);
  DeclareFormat(app, raw, "text or json (default text)");
}

absl::StatusOr<RulesOptions> ConvertCommon(const RawOptions& raw, RulesOptions::Task task) {
  RulesOptions options;
  options.task = task;
  options.rules.paths = raw.paths;
  ASSIGN_OR_RETURN(options.rules.hardening, ConvertHardening(raw));
  options.rule = raw.rule;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  return options;
}

absl::StatusOr<Command> ConvertCheck(const RawOptions& raw) {
  ASSIGN_OR_RETURN(RulesOptions options, ConvertCommon(raw, RulesOptions::Task::kCheck));
  return Command(std::move(options));
}

absl::StatusOr<Command> ConvertTest(const RawOptions& raw) {
  ASSIGN_OR_RETURN(RulesOptions options, ConvertCommon(raw, RulesOptions::Task::kTest));
  return Command(std::move(options));
}

void DeclareTest(CLI::App& app, RawOptions& raw) {
  DeclareCommon(app, raw);
  app.add_option("--rule", raw.rule, "only the tests of this rule")->type_name("NAME");
}

absl::StatusOr<Command> ConvertExplain(const RawOptions& raw) {
  ASSIGN_OR_RETURN(RulesOptions options, ConvertCommon(raw, RulesOptions::Task::kExplain));
  return Command(std::move(options));
}

absl::StatusOr<Command> ConvertReload(const RawOptions& raw) {
  RulesOptions options;
  options.task = RulesOptions::Task::kReload;
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  return Command(std::move(options));
}

}  // namespace

CommandSpec RulesCheckSpec() { return {.declare = &DeclareCommon, .convert = &ConvertCheck}; }

CommandSpec RulesTestSpec() { return {.declare = &DeclareTest, .convert = &ConvertTest}; }

CommandSpec RulesExplainSpec() { return {.declare = &DeclareCommon, .convert = &ConvertExplain}; }

CommandSpec RulesReloadSpec() { return {.declare = &DeclareSocket, .convert = &ConvertReload}; }

}  // namespace kentry
