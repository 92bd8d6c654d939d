// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/rule_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "fmt/format.h"
#include "rules/library/builtin.h"
#include "rules/parse/report.h"
#include "sensor/util/clock.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr char kDefaultRules[] = "/etc/kentry/rules";

// The paths that LoadChosenRules reads; empty: kentry's own rules, or none.
std::vector<std::string> Effective(const RuleChoice& choice) {
  if (choice.none || !choice.paths.empty()) return choice.paths;
  if (access(kDefaultRules, F_OK) == 0) return {kDefaultRules};
  return {};
}

void LookAt(const std::string& path, std::string* seen) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    *seen += fmt::format("{} is not there\n", path);
    return;
  }
  *seen += fmt::format("{} {} {} {}.{}\n", path, file.st_ino, file.st_size, file.st_mtim.tv_sec,
                       file.st_mtim.tv_nsec);
  if (!S_ISDIR(file.st_mode)) return;
  std::vector<std::string> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.ends_with(".yaml") || name.ends_with(".yml")) entries.push_back(at->path());
  }
  std::sort(entries.begin(), entries.end());
  for (const std::string& entry : entries) {
    if (stat(entry.c_str(), &file) != 0) continue;
    *seen += fmt::format("{} {} {} {}.{}\n", entry, file.st_ino, file.st_size, file.st_mtim.tv_sec,
                         file.st_mtim.tv_nsec);
  }
}

void Append(std::vector<SourceFile> more, std::vector<SourceFile>* files) {
  std::move(more.begin(), more.end(), std::back_inserter(*files));
}

std::shared_ptr<const RuleSet> InMode(std::shared_ptr<const RuleSet> rules, RuleMode mode) {
  if (rules->mode == mode) return rules;
  auto changed = std::make_shared<RuleSet>(*rules);
  changed->mode = mode;
  return changed;
}

// A rule set that is off judges nothing.
std::shared_ptr<const RuleSet> SwitchedOff(std::shared_ptr<const RuleSet> rules) {
  if (rules->mode != RuleMode::kOff) return rules;
  auto off = std::make_shared<RuleSet>(*rules);
  for (Rule& rule : off->rules) rule.enabled = false;
  return off;
}

}  // namespace

LoadResult LoadChosenRules(const RuleChoice& choice) {
  const bool hardens = choice.hardening != Hardening::kOff;
  std::vector<SourceFile> first;
  if (hardens) first = HardeningRules();
  const std::vector<std::string> effective = Effective(choice);
  if (effective.empty() && !choice.none) Append(BuiltinRules(), &first);
  LoadResult loaded = LoadRuleFiles(effective, std::move(first));
  if (hardens && loaded.rules != nullptr) {
    loaded.rules =
        InMode(loaded.rules,
               choice.hardening == Hardening::kEnforce ? RuleMode::kEnforce : RuleMode::kMonitor);
    loaded.readable = loaded.rules;
  }
  return loaded;
}

std::unique_ptr<RuleEngine> EngineOf(std::vector<SourceFile> files, RuleMode mode) {
  LoadResult loaded = ParseRules(std::move(files));
  if (loaded.rules == nullptr) return nullptr;
  return RuleEngine::Create(SwitchedOff(InMode(loaded.rules, mode)), &loaded.diagnostics);
}

std::string RuleSource::Look() const {
  std::string seen;
  for (const std::string& path : Effective(choice_)) LookAt(path, &seen);
  return seen;
}

bool RuleSource::Changed() {
  if (choice_.none) return false;
  MutexLock lock(&mu_);
  return Look() != looked_;
}

RuleSource::Refusal RuleSource::refusal() const {
  MutexLock lock(&refusal_mu_);
  return refusal_;
}

absl::StatusOr<std::string> RuleSource::Load(bool running) {
  if (choice_.none && choice_.hardening == Hardening::kOff) return LoadNone();
  MutexLock lock(&mu_);
  looked_ = Look();
  std::string first;
  absl::StatusOr<std::string> loaded = Try(running, &first);
  MutexLock refusal_lock(&refusal_mu_);
  refusal_ = {};
  if (!loaded.ok()) {
    refusal_.unix_ns = static_cast<int64_t>(NowNs(CLOCK_REALTIME));
    if (first.empty()) first = std::string(loaded.status().message());
    refusal_.error = first.substr(0, first.find('\n'));
  }
  return loaded;
}

// Those that a sensor before this one left in force are not to stay.
absl::StatusOr<std::string> RuleSource::LoadNone() {
  if (pipeline_.kernel().adopted() && pipeline_.rules().epoch() != 0 && !cleared_) {
    Diagnostics diagnostics;
    auto nothing = std::make_shared<RuleSet>();
    nothing->name = "none";
    RETURN_IF_ERROR(pipeline_.LoadRules(RuleEngine::Create(std::move(nothing), &diagnostics)));
    cleared_ = true;
  }
  return std::string("no rules, as --rules none says\n");
}

absl::StatusOr<std::string> RuleSource::Try(bool running, std::string* first) {
  LoadResult loaded = LoadChosenRules(choice_);
  std::unique_ptr<RuleEngine> engine;
  if (loaded.rules != nullptr) {
    engine = RuleEngine::Create(SwitchedOff(loaded.rules), &loaded.diagnostics);
  }
  std::string report = FormatDiagnostics(loaded.readable->files, loaded.diagnostics, false);
  if (engine == nullptr) {
    *first = FirstError(loaded.readable->files, loaded.diagnostics);
    return absl::InvalidArgumentError(report);
  }
  absl::Status status;
  const auto put = [&] { status = pipeline_.LoadRules(std::move(engine)); };
  if (!running) {
    put();
  } else if (!pipeline_.Ask(put)) {
    return absl::AbortedError("the sensor is stopping");
  }
  if (!status.ok()) return status;
  const auto enabled = std::count_if(loaded.rules->rules.begin(), loaded.rules->rules.end(),
                                     [](const Rule& rule) { return rule.enabled; });
  report += fmt::format("rule set {}: {} rules, {}{}, revision {}\n", loaded.rules->name, enabled,
                        ModeName(loaded.rules->mode),
                        choice_.hardening == Hardening::kOff ? "" : " as --hardening says",
                        loaded.rules->revision);
  return report;
}

}  // namespace kentry
