// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <system_error>

#include "fmt/format.h"
#include "sensor/cli/command_spec.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

template <EnforceOptions::Task kTask>
absl::StatusOr<Command> Convert(const RawOptions& raw) {
  EnforceOptions options;
  options.task = kTask;
  for (const std::string& path : raw.paths) {
    std::error_code error;
    options.paths.push_back(std::filesystem::absolute(path, error).lexically_normal());
    if (error) return absl::InvalidArgumentError(fmt::format("PATH: {}", error.message()));
  }
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  return Command(std::move(options));
}

void DeclareStatus(CLI::App& app, RawOptions& raw) {
  DeclareFormat(app, raw, "text or json (default text)");
  DeclareSocket(app, raw);
}

void DeclareTrust(CLI::App& app, RawOptions& raw) {
  app.add_option("PATH", raw.paths, "programs")->take_all()->required();
  DeclareSocket(app, raw);
}

}  // namespace

CommandSpec EnforceStatusSpec() {
  return {.declare = &DeclareStatus, .convert = &Convert<EnforceOptions::Task::kStatus>};
}

CommandSpec EnforcePauseSpec() {
  return {.declare = &DeclareSocket, .convert = &Convert<EnforceOptions::Task::kPause>};
}

CommandSpec EnforceResumeSpec() {
  return {.declare = &DeclareSocket, .convert = &Convert<EnforceOptions::Task::kResume>};
}

CommandSpec EnforceTrustSpec() {
  return {.declare = &DeclareTrust, .convert = &Convert<EnforceOptions::Task::kTrust>};
}

CommandSpec EnforceUntrustSpec() {
  return {.declare = &DeclareTrust, .convert = &Convert<EnforceOptions::Task::kUntrust>};
}

CommandSpec EnforceReleaseSpec() {
  return {.declare = [](CLI::App&, RawOptions&) {},
          .convert = &Convert<EnforceOptions::Task::kRelease>};
}

}  // namespace kentry
