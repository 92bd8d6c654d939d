// SPDX-License-Identifier: Apache-2.0
// `kentry enforce …`: through a daemon where one answers, else on what is pinned.
#include <algorithm>

#include "fmt/format.h"
#include "sensor/api/client.h"
#include "sensor/app/commands.h"
#include "sensor/app/machine_lock.h"
#include "sensor/app/rule_source.h"
#include "sensor/cli/commands.h"
#include "sensor/cli/enforce_view.h"
#include "sensor/kernel/pinned.h"
#include "sensor/pipeline/kept_rules.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(5);

EnforceState OfDaemon(const SensorStatus& status) {
  return {.pinned = status.pinned,
          .paused = status.paused,
          .daemon_pid = status.pid,
          .epoch = status.rules.epoch,
          .rule_set = status.rules.name,
          .revision = status.rules.revision,
          .mode = status.rules.mode,
          .rules = status.rules.count,
          .generations = status.pinned ? 1u : 0u,
          .trusted = status.trusted};
}

// The rule set of the text that was kept with the tables.
void FillRules(const std::string& text, EnforceState* state) {
  const absl::StatusOr<KeptRules> kept = ReadKeptRules(text);
  if (!kept.ok() || kept->files.empty()) return;
  const LoadResult loaded = ParseRules(kept->files);
  if (loaded.rules == nullptr) return;
  state->rule_set = loaded.rules->name;
  state->revision = loaded.rules->revision;
  state->mode = ModeName(kept->mode);
  state->rules =
      static_cast<uint64_t>(std::count_if(loaded.rules->rules.begin(), loaded.rules->rules.end(),
                                          [](const Rule& rule) { return rule.enabled; }));
}

// The newest generation speaks for all.
EnforceState OfPins(const std::vector<PinnedGeneration>& pins) {
  EnforceState state{.pinned = true, .generations = pins.size()};
  const PinnedGeneration& newest = pins.back();
  if (!newest.readable) return state;
  state.paused = newest.control.paused != 0;
  state.daemon_pid = newest.control.self;
  state.trusted = newest.trusted;
  state.epoch = KE_STAMP_EPOCH(newest.control.stamp);
  if (const auto text = newest.rules.find(state.epoch); text != newest.rules.end()) {
    FillRules(text->second, &state);
  }
  return state;
}

// kUnavailable: no daemon answers and nothing is pinned.
absl::StatusOr<EnforceState> Look(const std::string& socket_path) {
  const auto client = ApiClient::Connect(socket_path, kDeadline);
  if (client.ok()) {
    ASSIGN_OR_RETURN(const SensorStatus status, (*client)->Status());
    return OfDaemon(status);
  }
  ASSIGN_OR_RETURN(const auto pins, PinnedGenerations());
  if (!pins.empty()) return OfPins(pins);
  return absl::UnavailableError(fmt::format("nothing is enforced: nothing is pinned, and {}",
                                            std::string(client.status().message())));
}

absl::Status SetPaused(const std::string& socket_path, bool paused) {
  const auto client = ApiClient::Connect(socket_path, kDeadline);
  if (client.ok()) return (*client)->SetPaused(paused);
  ASSIGN_OR_RETURN(const auto pins, PinnedGenerations());
  if (pins.empty()) return client.status();
  return PausePinned(paused);
}

absl::StatusOr<uint64_t> RemovePinned() {
  const absl::StatusOr<Fd> lock = LockMachine();
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(
        "a kentry daemon runs: end it first, or let its rules only watch with \"kentry enforce "
        "pause\"");
  }
  RETURN_IF_ERROR(lock.status());
  return RemoveAllPins();
}

absl::Status SetTrusted(const EnforceOptions& options) {
  ASSIGN_OR_RETURN(const auto client, ApiClient::Connect(options.socket_path, kDeadline));
  for (const std::string& path : options.paths) {
    RETURN_IF_ERROR(client->SetTrusted(path, options.task == EnforceOptions::Task::kTrust));
  }
  return absl::OkStatus();
}

int Show(const EnforceOptions& options) {
  const absl::StatusOr<EnforceState> state = Look(options.socket_path);
  if (!state.ok()) return ReportError(state.status());
  return PrintAnswer(options.format == EventFormat::kJson ? RenderEnforceJson(*state)
                                                          : RenderEnforceText(*state));
}

int Release() {
  const absl::StatusOr<uint64_t> removed = RemovePinned();
  if (!removed.ok()) return ReportError(removed.status());
  if (*removed == 0) return PrintAnswer("nothing is pinned\n");
  return PrintAnswer(fmt::format("{} pinned objects removed: nothing is enforced\n", *removed));
}

}  // namespace

int EnforceCommand(const EnforceOptions& options) {
  switch (options.task) {
    case EnforceOptions::Task::kStatus:
      return Show(options);
    case EnforceOptions::Task::kRelease:
      return Release();
    case EnforceOptions::Task::kTrust:
    case EnforceOptions::Task::kUntrust: {
      const absl::Status status = SetTrusted(options);
      return status.ok() ? 0 : ReportError(status);
    }
    case EnforceOptions::Task::kPause:
    case EnforceOptions::Task::kResume:
      break;
  }
  const bool pause = options.task == EnforceOptions::Task::kPause;
  if (const absl::Status status = SetPaused(options.socket_path, pause); !status.ok()) {
    return ReportError(status);
  }
  return PrintAnswer(pause ? "paused: rules only say what they would do, until \"kentry enforce "
                             "resume\"\n"
                           : "resumed: rules act again\n");
}

}  // namespace kentry
