// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sensor/cli/command_spec.h"
#include "sensor/cli/printable.h"
#include "sensor/cli/values.h"
#include "sensor/event/env_names.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 3> kColorModes = {"auto", "always", "never"};
constexpr std::array<std::string_view, 4> kLogLevels = {"error", "warn", "info", "debug"};

constexpr Bounds kRingBounds = {.min = kMinRingBytes, .max = kMaxRingBytes};
constexpr Bounds kPriorityBounds = {.min = kMinPriorityRingBytes, .max = kMaxPriorityRingBytes};
constexpr Bounds kJournalBounds = {.min = kMinJournalBytes, .max = kMaxJournalBytes};
constexpr Bounds kProcessBounds = {.min = kMinProcesses, .max = kMaxProcesses};

std::string Range(Bounds bounds) {
  return fmt::format("{} to {}", SizeText(bounds.min), SizeText(bounds.max));
}

void DeclareOutput(CLI::App& app, RawOptions& raw) {
  DeclareFormat(app, raw, "text or json; of what is printed (default text)");
  app.add_flag("-q,--quiet", raw.quiet, "print no events; for --output alone");
  app.add_option("--output", raw.output, "append every event as a line of JSON to this file")
      ->type_name("FILE");
  app.add_option("--events", raw.events,
                 "classes to show, like process.exec,process.exit, a group like process.*, or "
                 "all, or alerts for nothing but alerts (default: all as JSON; as text programs "
                 "that start, fail to start and end). Alerts, losses and changes of the rules are "
                 "always shown")
      ->type_name("LIST");
  app.add_option(
         "--rules", raw.paths,
         "rule files and directories of them, together one rule set, or none; may be "
         "repeated (default /etc/kentry/rules if it exists, else kentry's own). A change of "
         "a file, SIGHUP or \"kentry rules reload\" loads them again")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  DeclareHardening(app, raw);
  app.add_option("--env", raw.env,
                 fmt::format("variables to report of each program's environment, or none; may be "
                             "repeated (default {})",
                             fmt::join(DefaultEnvNames(), ",")))
      ->type_name("NAME,...")
      ->expected(1)
      ->take_all();
  app.add_option("--color", raw.color, "auto, always or never (default auto: on a terminal)")
      ->type_name("WHEN");
  app.add_option("--duration", raw.duration, "stop after this time, like 500ms, 90s or 5m")
      ->type_name("TIME");
}

void DeclareBounds(CLI::App& app, RawOptions& raw) {
  app.add_option("--ring-size", raw.ring_size,
                 fmt::format("kernel buffer per CPU, {}, rounded up to a power of two (default: "
                             "by memory and CPUs)",
                             Range(kRingBounds)))
      ->type_name("SIZE");
  app.add_option("--ring-priority-size", raw.ring_priority_size,
                 fmt::format("second kernel buffer per CPU, for what must not be pushed out, {}",
                             Range(kPriorityBounds)))
      ->type_name("SIZE");
  app.add_option("--max-processes", raw.max_processes,
                 fmt::format("processes to remember, {} to {} (default {})", kMinProcesses,
                             kMaxProcesses, kDefaultProcesses))
      ->type_name("N");
  app.add_option("--journal-size", raw.journal_size,
                 fmt::format("memory for events that an output has not taken yet, {} (default {})",
                             Range(kJournalBounds), SizeText(kDefaultJournalBytes)))
      ->type_name("SIZE");
}

void Declare(CLI::App& app, RawOptions& raw) {
  DeclareOutput(app, raw);
  DeclareBounds(app, raw);
  app.add_flag(
      "--pin", raw.pin,
      "keep the hooks, their rules and unread events in the kernel when this process ends, "
      "in whatever way, and take over what one before it kept; \"kentry enforce release\" "
      "ends that");
  DeclareSocket(app, raw);
  app.add_option("--log-level", raw.log_level,
                 "error, warn, info or debug: the sensor's own messages on standard error (default "
                 "info)")
      ->type_name("LEVEL");
}

// Value of a size option, rounded up to a power of two; 0 when it was not given.
absl::StatusOr<uint64_t> ConvertRing(const char* option, const std::string& text, Bounds bounds) {
  if (text.empty()) return 0;
  const auto bytes = ParseSize(text, bounds);
  RETURN_IF_ERROR(ForOption(option, bytes.status()));
  return RoundUpToPowerOfTwo(*bytes);
}

absl::Status ConvertBounds(const RawOptions& raw, RunOptions* options) {
  ASSIGN_OR_RETURN(options->ring_bytes, ConvertRing("--ring-size", raw.ring_size, kRingBounds));
  ASSIGN_OR_RETURN(options->priority_ring_bytes,
                   ConvertRing("--ring-priority-size", raw.ring_priority_size, kPriorityBounds));
  if (!raw.max_processes.empty()) {
    const auto count = ParseCount(raw.max_processes, kProcessBounds);
    RETURN_IF_ERROR(ForOption("--max-processes", count.status()));
    options->max_processes = static_cast<uint32_t>(*count);
  }
  if (!raw.journal_size.empty()) {
    const auto bytes = ParseSize(raw.journal_size, kJournalBounds);
    RETURN_IF_ERROR(ForOption("--journal-size", bytes.status()));
    options->journal_bytes = *bytes;
  }
  return absl::OkStatus();
}

absl::Status ConvertEvents(const RawOptions& raw, RunOptions* options) {
  if (options->format == EventFormat::kJson) options->stdout_classes = kAllClasses;
  if (!raw.events.empty()) {
    if (raw.events == "alerts") {
      options->stdout_classes = kSensorClasses;
    } else {
      const auto classes = ParseClasses(raw.events);
      RETURN_IF_ERROR(ForOption("--events", classes.status()));
      options->stdout_classes = *classes | kSensorClasses;
    }
    options->file_classes = options->stdout_classes;
  }
  if (raw.env.empty()) {
    options->env = DefaultEnvNames();
  } else {
    auto env = ParseEnvNames(raw.env);
    RETURN_IF_ERROR(ForOption("--env", env.status()));
    options->env = *std::move(env);
  }
  return absl::OkStatus();
}

absl::Status ConvertRest(const RawOptions& raw, RunOptions* options) {
  options->rules.none = raw.paths.size() == 1 && raw.paths[0] == "none";
  if (!options->rules.none) options->rules.paths = raw.paths;
  ASSIGN_OR_RETURN(options->rules.hardening, ConvertHardening(raw));
  if (!raw.color.empty()) {
    const auto mode = ParseChoice(raw.color, kColorModes);
    RETURN_IF_ERROR(ForOption("--color", mode.status()));
    options->color = static_cast<ColorMode>(*mode);
  }
  if (!raw.log_level.empty()) {
    const auto level = ParseChoice(raw.log_level, kLogLevels);
    RETURN_IF_ERROR(ForOption("--log-level", level.status()));
    options->log_level = static_cast<LogLevel>(*level);
  }
  if (!raw.duration.empty()) {
    const auto duration = ParseDuration(raw.duration);
    RETURN_IF_ERROR(ForOption("--duration", duration.status()));
    options->duration = *duration;
  }
  return absl::OkStatus();
}

absl::StatusOr<Command> Convert(const RawOptions& raw) {
  RunOptions options;
  options.quiet = raw.quiet;
  options.pin = raw.pin;
  if (raw.output == "-") {
    return absl::InvalidArgumentError(
        "--output: \"-\" is no file; \"-o json\" prints JSON on standard output");
  }
  if (raw.output.starts_with('-')) {
    return absl::InvalidArgumentError(
        fmt::format("--output: \"{0}\" looks like an option; write \"./{0}\" if the file is called "
                    "so",
                    Printable(raw.output)));
  }
  options.output_file = raw.output;
  ASSIGN_OR_RETURN(options.format, ConvertFormat(raw));
  ASSIGN_OR_RETURN(options.socket_path, ConvertSocket(raw));
  RETURN_IF_ERROR(ConvertEvents(raw, &options));
  RETURN_IF_ERROR(ConvertBounds(raw, &options));
  RETURN_IF_ERROR(ConvertRest(raw, &options));
  return Command(std::move(options));
}

}  // namespace

CommandSpec RunSpec() { return {.declare = &Declare, .convert = &Convert}; }

}  // namespace kentry
