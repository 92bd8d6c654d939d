// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include "exporters/encode/json.h"
#include "exporters/encode/text.h"
#include "exporters/sink/fd_sink.h"
#include "exporters/sink/file_sink.h"
#include "fmt/format.h"
#include "sensor/api/server.h"
#include "sensor/app/commands.h"
#include "sensor/app/machine_lock.h"
#include "sensor/app/rule_source.h"
#include "sensor/app/state.h"
#include "sensor/app/users.h"
#include "sensor/cli/cli.h"
#include "sensor/cli/commands.h"
#include "sensor/cli/status_view.h"
#include "sensor/kernel/pinned.h"
#include "sensor/util/clock.h"
#include "sensor/util/log.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// How long outputs may take to write what is left when the sensor stops.
constexpr absl::Duration kDrainTime = absl::Seconds(5);
// How often the rule files are looked at.
constexpr absl::Duration kRulesLook = absl::Seconds(2);

struct App {
  explicit App(const RunOptions& run_options)
      : options(run_options), journal(run_options.journal_bytes) {}

  const RunOptions& options;
  uint64_t started_ns = BootNowNs();
  Fd machine_lock;
  std::optional<ApiSocket> socket;
  Journal journal;
  std::vector<NamedOutput> outputs;
  TextEncoder* terminal = nullptr;  // owned by its output; nullptr = no terminal
  FileSink* file = nullptr;         // owned by its output; nullptr = no file
  std::unique_ptr<Pipeline> pipeline;
  std::unique_ptr<RuleSource> rules;
  std::unique_ptr<AppState> state;
  std::unique_ptr<ApiServer> server;
};

LogSeverity SeverityOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return LogSeverity::kError;
    case LogLevel::kWarn:
      return LogSeverity::kWarn;
    case LogLevel::kInfo:
      return LogSeverity::kInfo;
    case LogLevel::kDebug:
      return LogSeverity::kDebug;
  }
  return LogSeverity::kInfo;
}

bool WantColor(ColorMode mode) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

size_t TerminalWidth() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0) return 0;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&set, number);
  return set;
}

// Two sensors on one machine would only cost twice; whatever their sockets are called.
absl::Status TakeLock(App& app) {
  ASSIGN_OR_RETURN(app.machine_lock, LockMachine());
  return absl::OkStatus();
}

// A sensor that doesn't pin would run beside hooks that nobody reads.
absl::Status LookForPins(App& app) {
  if (app.options.pin || !AnythingPinned()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      "hooks of an earlier \"kentry run --pin\" are in force; start with --pin to take them over, "
      "or "
      "remove them with \"kentry enforce release\"");
}

absl::Status ClaimSocket(App& app) {
  ASSIGN_OR_RETURN(app.socket, ApiSocket::Claim(app.options.socket_path));
  return absl::OkStatus();
}

// Before any thread starts, so that all of them inherit the mask.
absl::Status TakeSignals(App&) {
  const sigset_t set = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return absl::OkStatus();
}

std::unique_ptr<Encoder> StdoutEncoder(App& app) {
  if (app.options.format == EventFormat::kJson) return std::make_unique<JsonEncoder>();
  TextOptions text;
  text.color = WantColor(app.options.color);
  text.width = TerminalWidth();
  utsname names{};
  if (uname(&names) == 0) text.host = names.nodename;
  text.user_name = [names = ReadUserNames("/etc/passwd")](uint32_t uid) {
    const auto name = names.find(uid);
    return name == names.end() ? std::string() : name->second;
  };
  auto encoder = std::make_unique<TextEncoder>(std::move(text));
  app.terminal = encoder.get();
  return encoder;
}

absl::Status OpenOutputs(App& app) {
  const RunOptions& options = app.options;
  if (!options.output_file.empty()) {
    ASSIGN_OR_RETURN(std::unique_ptr<FileSink> sink, FileSink::Open(options.output_file));
    app.file = sink.get();
    OutputOptions output;
    output.classes = options.file_classes;
    app.outputs.push_back(
        {options.output_file, std::make_unique<Output>(app.journal, std::make_unique<JsonEncoder>(),
                                                       std::move(sink), std::move(output))});
  }
  if (options.quiet) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::unique_ptr<FdSink> sink, FdSink::Create(STDOUT_FILENO));
  OutputOptions output;
  output.classes = options.stdout_classes;
  if (app.file == nullptr) {
    // Nobody reads any more (`kentry run | head`): then there is nothing left to do.
    output.on_end = [](const absl::Status&) { kill(getpid(), SIGTERM); };
  }
  app.outputs.push_back(
      {"standard output", std::make_unique<Output>(app.journal, StdoutEncoder(app), std::move(sink),
                                                   std::move(output))});
  return absl::OkStatus();
}

absl::Status StartPipeline(App& app) {
  PipelineOptions options;
  options.kernel.ring_bytes = static_cast<uint32_t>(app.options.ring_bytes);
  options.kernel.prio_ring_bytes = static_cast<uint32_t>(app.options.priority_ring_bytes);
  options.processes.capacity = app.options.max_processes;
  options.kernel.processes = app.options.max_processes;
  options.env_names = app.options.env;
  options.version = Version();
  options.kernel.version = Version();
  options.kernel.pin = app.options.pin;
  options.engine_of = EngineOf;
  absl::StatusOr<std::unique_ptr<Pipeline>> pipeline =
      Pipeline::Start(std::move(options), &app.journal);
  const absl::StatusCode code = pipeline.status().code();
  if (code == absl::StatusCode::kFailedPrecondition ||
      code == absl::StatusCode::kPermissionDenied) {
    // What this kernel can't do is told apart from what went wrong.
    return absl::UnimplementedError(pipeline.status().message());
  }
  RETURN_IF_ERROR(pipeline.status());
  app.pipeline = *std::move(pipeline);
  return absl::OkStatus();
}

// Several lines, each an entry of the log.
void LogLines(LogSeverity severity, std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end != 0) Log(severity, std::string(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

absl::Status StartRules(App& app) {
  app.rules = std::make_unique<RuleSource>(app.options.rules, app.pipeline.get());
  const absl::StatusOr<std::string> loaded = app.rules->Load(/*running=*/false);
  if (loaded.ok()) {
    LogLines(LogSeverity::kInfo, *loaded);
    return absl::OkStatus();
  }
  if (loaded.status().code() != absl::StatusCode::kFailedPrecondition) return loaded.status();
  // Processes are watched all the same; the user is told what this kernel can't do.
  LogLines(LogSeverity::kError,
           fmt::format("{}: {}",
                       app.pipeline->rules().epoch() == 0 ? "no rules are in force"
                                                          : "the rules before stay in force",
                       std::string(loaded.status().message())));
  return absl::OkStatus();
}

absl::Status TakeOver(App& app) {
  const bool no_rules = app.pipeline->rules().epoch() == 0;
  if (no_rules && !app.options.rules.none && app.pipeline->kernel().has_others()) {
    return absl::FailedPreconditionError(
        "rules that another build of kentry pinned are in force, and these can't take their place: "
        "they stay; \"kentry enforce release\" ends them");
  }
  return app.pipeline->TakeOver();
}

// A file changed, or somebody asked: an invalid set leaves the old one in force, loudly.
void ReloadRules(App& app) {
  const absl::StatusOr<std::string> loaded = app.rules->Load(/*running=*/true);
  if (loaded.ok()) {
    LogLines(LogSeverity::kInfo, *loaded);
  } else {
    LogLines(LogSeverity::kError, fmt::format("{}the rules before stay in force",
                                              std::string(loaded.status().message())));
  }
}

absl::Status Serve(App& app) {
  app.state = std::make_unique<AppState>(app.pipeline.get(), &app.journal, &app.outputs,
                                         app.options.journal_bytes, app.started_ns);
  app.state->set_rules(app.rules.get());
  ASSIGN_OR_RETURN(app.server, ApiServer::Start(*std::move(app.socket), app.state.get()));
  app.socket.reset();
  return absl::OkStatus();
}

absl::Status Announce(App& app) {
  for (const Backend& backend : app.pipeline->kernel().backends()) {
    if (!backend.cost.empty() && (backend.chosen || !backend.available)) {
      Log(LogSeverity::kWarn, fmt::format("{}: {}", backend.feature, backend.cost));
    }
  }
  Kernel& kernel = app.pipeline->kernel();
  if (kernel.adopted()) Log(LogSeverity::kInfo, "took over what an earlier sensor had pinned");
  if (kernel.rules().paused()) {
    Log(LogSeverity::kWarn, "nothing is enforced: paused; \"kentry enforce resume\" ends that");
  }
  const KernelMemory memory = kernel.Memory();
  Log(LogSeverity::kInfo,
      fmt::format("watching, {} processes known; maps {} KiB, rings {} KiB; Ctrl-C ends",
                  app.pipeline->processes().size(), memory.map_bytes / 1024,
                  memory.ring_bytes / 1024));
  return absl::OkStatus();
}

// In the order of the start; the destructor of App undoes them backwards.
constexpr std::array<absl::Status (*)(App&), 10> kSteps = {
    ClaimSocket,   TakeLock,   LookForPins, TakeSignals, OpenOutputs,
    StartPipeline, StartRules, TakeOver,    Serve,       Announce};

// Sleeps until a signal or the end of the asked-for time says to stop.
void AwaitEnd(App& app) {
  const sigset_t set = HandledSignals();
  const bool limited = app.options.duration != absl::InfiniteDuration();
  const absl::Time end = absl::Now() + app.options.duration;
  while (true) {
    const absl::Duration left = limited ? end - absl::Now() : absl::InfiniteDuration();
    if (limited && left <= absl::ZeroDuration()) return;
    const timespec timeout = absl::ToTimespec(std::min(left, kRulesLook));
    switch (sigtimedwait(&set, nullptr, &timeout)) {
      case SIGINT:
      case SIGTERM:
        return;
      case SIGHUP:
        if (app.file != nullptr) app.file->Reopen();
        ReloadRules(app);
        break;
      case SIGWINCH:
        if (app.terminal != nullptr) app.terminal->SetWidth(TerminalWidth());
        break;
      default:  // time is over, or a signal of no interest
        if (app.rules->Changed()) ReloadRules(app);
        break;
    }
  }
}

// Ends the outputs; false when one could not write all it had.
bool CloseOutputs(App& app) {
  bool complete = true;
  for (NamedOutput& named : app.outputs) {
    const absl::Status status = named.output->Stop(kDrainTime);
    const OutputStats stats = named.output->stats();
    if (!status.ok() && stats.unwritten != 0) {
      complete = false;
      Log(LogSeverity::kError, fmt::format("{}: {} events not written: {}", named.name,
                                           stats.unwritten, std::string(status.message())));
    }
  }
  return complete;
}

void PrintSummary(const App& app) {
  const PipelineStats& stats = app.pipeline->stats();
  const double seconds = static_cast<double>(BootNowNs() - app.started_ns) / 1e9;
  const double cpu = static_cast<double>(NowNs(CLOCK_PROCESS_CPUTIME_ID)) / 1e9;
  fmt::print(stderr, "\nkentry: {} events, {} lost, in {:.1f} s; {:.2f} s CPU ({:.1f} %)\n",
             stats.events, stats.lost, seconds, cpu, seconds > 0 ? 100 * cpu / seconds : 0);
  const KillStatus kills = KillStatusOf(app.pipeline->kills());
  if (kills.confirmed + kills.waiting + kills.unconfirmed + kills.not_followed == 0) return;
  fmt::print(stderr, "kentry: killed: {}\n", KillText(kills));
}

}  // namespace

int RunCommand(const RunOptions& options) {
  // A few threads, none of which allocates much: two arenas instead of eight a CPU.
  mallopt(M_ARENA_MAX, 2);
  SetLogSeverity(SeverityOf(options.log_level));
  App app(options);
  for (const auto step : kSteps) {
    if (const absl::Status status = step(app); !status.ok()) return ReportError(status);
  }
  std::thread pipeline([&app] { app.pipeline->Run(); });
  AwaitEnd(app);
  app.pipeline->Stop();
  pipeline.join();
  app.server.reset();
  const bool complete = CloseOutputs(app);
  PrintSummary(app);
  return complete ? kExitOk : kExitFailed;
}

}  // namespace kentry
