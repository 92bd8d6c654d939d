// SPDX-License-Identifier: Apache-2.0
// Between CLI11 and the commands: CLI11 splits the command line into words, names and values;
// each command says which options it has and turns their text into its options struct.
#ifndef KENTRY_SENSOR_CLI_COMMAND_SPEC_H_
#define KENTRY_SENSOR_CLI_COMMAND_SPEC_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "sensor/cli/options.h"

namespace kentry {

// The text of all options of all commands; "" = not given.
struct RawOptions {
  std::string format;
  std::string output;
  std::string events;
  std::vector<std::string> env;
  std::string ring_size;
  std::string ring_priority_size;
  std::string max_processes;
  std::string journal_size;
  std::string duration;
  std::string color;
  std::string log_level;
  std::string socket;
  std::string event_class;
  std::vector<std::string> paths;
  std::string rule;
  std::string hardening;
  bool quiet = false;
  bool all = false;
  bool pin = false;
};

// A command's two halves.
struct CommandSpec {
  // Declares the options; what they are given goes to `raw`.
  void (*declare)(CLI::App& app, RawOptions& raw);
  // InvalidArgument: the message starts with the option's name and lacks the command's.
  absl::StatusOr<Command> (*convert)(const RawOptions& raw);
};

// Options that several commands have.
void DeclareFormat(CLI::App& app, RawOptions& raw, const std::string& choices);
void DeclareSocket(CLI::App& app, RawOptions& raw);
void DeclareHardening(CLI::App& app, RawOptions& raw);
absl::StatusOr<Hardening> ConvertHardening(const RawOptions& raw);
// "text" or "json".
absl::StatusOr<EventFormat> ConvertFormat(const RawOptions& raw);
absl::StatusOr<std::string> ConvertSocket(const RawOptions& raw);
// The status with "OPTION: " in front, unless it is OK.
absl::Status ForOption(const char* option, const absl::Status& status);

CommandSpec RunSpec();
CommandSpec StatusSpec();
CommandSpec PsSpec();
CommandSpec ProbeSpec();
CommandSpec CleanupSpec();
CommandSpec FieldsSpec();
CommandSpec RulesCheckSpec();
CommandSpec RulesTestSpec();
CommandSpec RulesExplainSpec();
CommandSpec RulesReloadSpec();
CommandSpec EnforceStatusSpec();
CommandSpec EnforcePauseSpec();
CommandSpec EnforceResumeSpec();
CommandSpec EnforceTrustSpec();
CommandSpec EnforceUntrustSpec();
CommandSpec EnforceReleaseSpec();
CommandSpec VersionSpec();

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_COMMAND_SPEC_H_
