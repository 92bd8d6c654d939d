// SPDX-License-Identifier: Apache-2.0
// The commands with few options; "run" has a file of its own.
#include <array>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sensor/cli/command_spec.h"
#include "sensor/cli/printable.h"
#include "sensor/cli/values.h"
#include "sensor/util/status.h"
#include "sensor/util/suggest.h"

namespace kentry {
namespace {

constexpr char kTextOrJson[] = "text or json (default text)";
constexpr std::array<std::string_view, 2> kHardeningModes = {"monitor", "enforce"};
constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
constexpr std::array<std::string_view, 3> kFieldsFormats = {"text", "json", "markdown"};

absl::StatusOr<Command> ConvertStatus(const RawOptions& raw) {
  StatusOptions options;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  return Command(std::move(options));
}

absl::StatusOr<Command> ConvertPs(const RawOptions& raw) {
  PsOptions options;
  options.with_exited = raw.all;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  return Command(std::move(options));
}

absl::StatusOr<Command> ConvertProbe(const RawOptions& raw) {
  ProbeOptions options;
  options.quiet = raw.quiet;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  return Command(options);
}

absl::StatusOr<Command> ConvertCleanup(const RawOptions& raw) {
  CleanupOptions options;
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  return Command(std::move(options));
}

absl::StatusOr<Command> ConvertFields(const RawOptions& raw) {
  FieldsOptions options;
  if (!raw.format.empty()) {
    const auto format = ParseChoice(raw.format, kFieldsFormats);
    RETURN_IF_ERROR(ForOption("--format", format.status()));
    options.format = static_cast<FieldsFormat>(*format);
  }
  if (raw.event_class.empty()) return Command(options);
  const ClassDef* const cls = FindClass(raw.event_class);
  if (cls == nullptr) {
    std::vector<std::string_view> names;
    for (const ClassDef& known : Classes()) names.push_back(known.name);
    const std::string nearest = DidYouMean(raw.event_class, names);
    return absl::InvalidArgumentError(fmt::format(
        "unknown event class \"{}\"{}", Printable(raw.event_class),
        nearest.empty() ? fmt::format("; classes are {}", fmt::join(names, ", ")) : nearest));
  }
  options.cls = cls->id;
  return Command(options);
}

absl::StatusOr<Command> ConvertVersion(const RawOptions& raw) {
  VersionOptions options;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  return Command(options);
}

}  // namespace

void DeclareFormat(CLI::App& app, RawOptions& raw, const std::string& choices) {
  app.add_option("-o,--format", raw.format, choices)->type_name("FORMAT");
}

void DeclareSocket(CLI::App& app, RawOptions& raw) {
  app.add_option("--socket", raw.socket,
                 fmt::format("the daemon's socket (default {})", kDefaultSocketPath))
      ->type_name("PATH");
}

void DeclareHardening(CLI::App& app, RawOptions& raw) {
  app.add_option(
         "--hardening", raw.hardening,
         "monitor or enforce: add the hardening rules, which forbid what attackers need and "
         "services don't; it is the mode of all rules then (default: not added)")
      ->type_name("MODE");
}

absl::StatusOr<Hardening> ConvertHardening(const RawOptions& raw) {
  if (raw.hardening.empty()) return Hardening::kOff;
  const auto mode = ParseChoice(raw.hardening, kHardeningModes);
  RETURN_IF_ERROR(ForOption("--hardening", mode.status()));
  return *mode == 0 ? Hardening::kMonitor : Hardening::kEnforce;
}

absl::StatusOr<EventFormat> ConvertFormat(const RawOptions& raw) {
  if (raw.format.empty()) return EventFormat::kText;
  const auto format = ParseChoice(raw.format, kFormats);
  RETURN_IF_ERROR(ForOption("--format", format.status()));
  return static_cast<EventFormat>(*format);
}

absl::StatusOr<std::string> ConvertSocket(const RawOptions& raw) {
  if (raw.socket.empty()) return std::string(kDefaultSocketPath);
  auto path = ParseSocketPath(raw.socket);
  RETURN_IF_ERROR(ForOption("--socket", path.status()));
  return path;
}

absl::Status ForOption(const char* option, const absl::Status& status) {
  if (status.ok()) return status;
  const absl::string_view message = status.message();
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", option, std::string_view(message.data(), message.size())));
}

CommandSpec StatusSpec() {
  return {.declare =
              [](CLI::App& app, RawOptions& raw) {
                DeclareFormat(app, raw, kTextOrJson);
                DeclareSocket(app, raw);
              },
          .convert = &ConvertStatus};
}

CommandSpec PsSpec() {
  return {.declare =
              [](CLI::App& app, RawOptions& raw) {
                DeclareFormat(app, raw, kTextOrJson);
                app.add_flag("-a,--all", raw.all,
                             "also processes that ended and are still remembered");
                DeclareSocket(app, raw);
              },
          .convert = &ConvertPs};
}

CommandSpec ProbeSpec() {
  return {.declare =
              [](CLI::App& app, RawOptions& raw) {
                DeclareFormat(app, raw, kTextOrJson);
                app.add_flag("-q,--quiet", raw.quiet, "print nothing; the exit code tells");
              },
          .convert = &ConvertProbe};
}

CommandSpec CleanupSpec() { return {.declare = &DeclareSocket, .convert = &ConvertCleanup}; }

CommandSpec FieldsSpec() {
  return {.declare =
              [](CLI::App& app, RawOptions& raw) {
                app.add_option("CLASS", raw.event_class, "only this class of events");
                DeclareFormat(app, raw,
                              "text, json or markdown (default text); markdown is docs/events.md");
              },
          .convert = &ConvertFields};
}

CommandSpec VersionSpec() {
  return {.declare = [](CLI::App& app, RawOptions& raw) { DeclareFormat(app, raw, kTextOrJson); },
          .convert = &ConvertVersion};
}

}  // namespace kentry
