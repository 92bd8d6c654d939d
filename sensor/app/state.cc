// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/state.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "sensor/cli/cli.h"
#include "sensor/pipeline/proc_files.h"
#include "sensor/util/clock.h"

namespace kentry {
namespace {

// An answer holds all processes at once.
constexpr size_t kMaxArgBytes = 512;

uint64_t RssBytes() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0;
  unsigned long long resident = 0;
  const int got = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return got == 2 ? resident * static_cast<uint64_t>(getpagesize()) : 0;
}

int64_t WallOffset() { return static_cast<int64_t>(NowNs(CLOCK_REALTIME) - BootNowNs()); }

std::string ChosenBackend(const std::vector<Backend>& backends, std::string_view feature) {
  for (const Backend& backend : backends) {
    if (backend.feature == feature && backend.chosen) return backend.name;
  }
  return "";
}

ProcessRow RowOf(const Process& process, const CgroupTable& cgroups, int64_t wall_offset) {
  const ke_process& image = process.image;
  ProcessRow row;
  row.pid = image.tgid;
  row.start_ns = image.start_ns;
  row.started_unix_ns = static_cast<int64_t>(image.start_ns) + wall_offset;
  row.parent_pid = image.parent_tgid;
  row.parent_start_ns = image.parent_start_ns;
  row.name.assign(image.comm, strnlen(image.comm, sizeof(image.comm)));
  row.binary = process.Text(image.binary);
  const std::string_view args = process.Text(image.args);
  row.args_cut = (image.flags & KE_F_ARGS_CUT) != 0 || args.size() > kMaxArgBytes;
  ForEachString(args.substr(0, kMaxArgBytes),
                [&](std::string_view arg) { row.args.emplace_back(arg); });
  row.uid = image.creds.uid;
  if (const Cgroup* cgroup = cgroups.Find(image.cgroup_id); cgroup != nullptr) {
    row.container_id = cgroup->container_id;
    row.container_runtime = RuntimeName(cgroup->runtime);
  }
  row.exited = process.exited_ns != 0;
  return row;
}

// Enabled rules, as many as an answer holds; `*enabled` is how many there are.
std::vector<RuleStatus> BusiestRules(const RuleEngine& engine, uint64_t* enabled) {
  const std::vector<Rule>& rules = engine.rules().rules;
  const std::vector<RuleCounters>& counters = engine.counters();
  std::vector<size_t> order;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].enabled) order.push_back(i);
  }
  *enabled = order.size();
  const size_t shown = std::min(order.size(), kMaxRuleRows);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<ptrdiff_t>(shown), order.end(),
      [&](size_t a, size_t b) {
        return counters[a].hits != counters[b].hits ? counters[a].hits > counters[b].hits : a < b;
      });
  std::vector<RuleStatus> rows;
  rows.reserve(shown);
  for (size_t i = 0; i < shown; ++i) {
    const size_t rule = order[i];
    rows.push_back({.name = rules[rule].name,
                    .hits = counters[rule].hits,
                    .uncertain = counters[rule].uncertain,
                    .suppressed = engine.suppressed(rule)});
  }
  return rows;
}

}  // namespace

AppState::AppState(Pipeline* pipeline, const Journal* journal,
                   const std::vector<NamedOutput>* outputs, size_t journal_bytes,
                   uint64_t started_boot_ns)
    : pipeline_(*pipeline),
      journal_(*journal),
      outputs_(*outputs),
      journal_bytes_(journal_bytes),
      started_boot_ns_(started_boot_ns) {}

void AppState::FillKernel(SensorStatus* status) {
  Kernel& kernel = pipeline_.kernel();
  status->pinned = kernel.pinned();
  status->paused = kernel.rules().paused();
  status->trusted = kernel.trust().Paths();
  for (const ClassDef& cls : Classes()) {
    if (cls.record == KE_INVALID || cls.record == KE_EXISTING) continue;
    const ClassTotals totals = pipeline_.Totals(cls.record);
    status->classes.push_back({.name = std::string(cls.name),
                               .backend = ChosenBackend(kernel.backends(), cls.name),
                               .attempted = totals.attempted,
                               .missed = totals.missed,
                               .filtered = totals.filtered,
                               .delivered = totals.delivered,
                               .lost = totals.lost});
  }
  const ClassTotals moves = pipeline_.Totals(KE_CGROUP_MOVE);
  status->classes.push_back({.name = "cgroup.move",
                             .backend = ChosenBackend(kernel.backends(), "cgroup.change"),
                             .attempted = moves.attempted,
                             .missed = moves.missed,
                             .filtered = moves.filtered,
                             .delivered = moves.delivered,
                             .lost = moves.lost});
  std::vector<uint64_t> sites(KE_SITE_MAX);
  for (int cpu = 0; cpu < kernel.cpu_count(); ++cpu) {
    status->cpu_loss.push_back(
        {static_cast<uint32_t>(cpu), pipeline_.LostOnCpu(static_cast<uint32_t>(cpu))});
    for (size_t site = 0; site < sites.size(); ++site) {
      sites[site] += kernel.stats(cpu).sites[site];
    }
  }
  for (size_t site = 0; site < sites.size(); ++site) {
    if (sites[site] == 0) continue;
    status->helper_failures.push_back({std::string(SiteName(static_cast<int>(site))), sites[site]});
  }
  const RingReaderStats& reader = kernel.rings().stats();
  status->reader.polls = reader.polls;
  status->reader.wakeups = kernel.wakeups();
  status->reader.held_back = reader.held_back;
  status->reader.busy = reader.busy;
  status->reader.late = reader.out_of_order;
  status->reader.out_of_order = pipeline_.out_of_sequence();
  status->reader.malformed = pipeline_.stats().malformed + reader.unreadable;
  const KernelMemory memory = kernel.Memory();
  status->memory = {RssBytes(), memory.map_bytes, memory.ring_bytes};
}

void AppState::FillTables(SensorStatus* status) {
  const ProcessTable& processes = pipeline_.processes();
  status->processes = {processes.size(), processes.options().capacity,
                       processes.counters().evicted + processes.counters().refused};
  const CgroupTable& cgroups = pipeline_.cgroups();
  const CgroupTable::Counters& counters = cgroups.counters();
  status->cgroups = {cgroups.size(), CgroupTable::Options().capacity,
                     counters.evicted + counters.refused_full + counters.refused_container};
}

void AppState::FillRules(RulesStatus* status) {
  const PipelineStats& stats = pipeline_.stats();
  status->alerts = stats.alerts;
  status->logged = stats.logged;
  status->dropped = stats.dropped;
  status->suppressed = stats.suppressed;
  status->judged_away = stats.judged_away;
  status->marks_refused = stats.marks_refused;
  status->outdated = stats.outdated;
  status->kernel_errors = pipeline_.rules().errors();
  const FileIdents::Counters& files = pipeline_.rules().files();
  status->file_roots = files.roots;
  status->file_roots_skipped = files.skipped;
  status->files_no_room = files.no_room;
  status->epoch = pipeline_.rules().epoch();
  const RuleEngine* engine = pipeline_.rules().current();
  if (engine == nullptr) return;
  const RuleSet& rules = engine->rules();
  status->name = rules.name;
  status->revision = rules.revision;
  status->mode = ModeName(rules.mode);
  status->rules = BusiestRules(*engine, &status->count);
  status->rules_left_out = status->count - status->rules.size();
}

KillStatus KillStatusOf(const KillTimes& kills) {
  const Spans& spans = kills.spans();
  return {.confirmed = spans.count(),
          .p50_ns = spans.Percentile(50),
          .p99_ns = spans.Percentile(99),
          .max_ns = spans.max_ns(),
          .waiting = kills.waiting(),
          .unconfirmed = kills.counters().unconfirmed,
          .not_followed = kills.counters().not_followed};
}

SensorStatus AppState::Status() {
  SensorStatus status;
  status.version = Version();
  status.pid = static_cast<uint32_t>(getpid());
  status.uptime_ns = BootNowNs() - started_boot_ns_;
  status.started_unix_ns = static_cast<int64_t>(started_boot_ns_) + WallOffset();
  status.cpu_ns = NowNs(CLOCK_PROCESS_CPUTIME_ID);
  utsname names{};
  uname(&names);
  status.kernel_release = names.release;
  status.host = names.nodename;
  status.boot_id = ReadLine("/proc/sys/kernel/random/boot_id");
  pipeline_.Ask([&] {
    FillKernel(&status);
    FillTables(&status);
    FillRules(&status.rules);
    status.kills = KillStatusOf(pipeline_.kills());
  });
  if (rules_ != nullptr) {
    const RuleSource::Refusal refusal = rules_->refusal();
    status.rules.refused_unix_ns = refusal.unix_ns;
    status.rules.refused_error = refusal.error;
  }
  const JournalStats journal = journal_.stats();
  status.journal = {journal.memory_bytes, journal_bytes_, journal.last_id, journal.pushed_out};
  for (const NamedOutput& named : outputs_) {
    const OutputStats stats = named.output->stats();
    status.outputs.push_back({.name = named.name,
                              .written = stats.events,
                              .bytes_written = stats.bytes,
                              .missed = stats.missed,
                              .errors = stats.errors});
  }
  return status;
}

std::vector<ProcessRow> AppState::Processes(bool with_exited) {
  std::vector<ProcessRow> rows;
  const int64_t wall_offset = WallOffset();
  pipeline_.Ask([&] {
    pipeline_.processes().ForEach([&](const Process& process) {
      if (process.exited_ns == 0 || with_exited) {
        rows.push_back(RowOf(process, pipeline_.cgroups(), wall_offset));
      }
    });
  });
  std::sort(rows.begin(), rows.end(), [](const ProcessRow& a, const ProcessRow& b) {
    return std::pair(a.start_ns, a.pid) < std::pair(b.start_ns, b.pid);
  });
  return rows;
}

absl::StatusOr<std::string> AppState::ReloadRules() {
  if (rules_ == nullptr) return absl::FailedPreconditionError("this sensor has no rules");
  return rules_->Load(/*running=*/true);
}

absl::Status AppState::SetPaused(bool paused) {
  if (pipeline_.Ask([&] { pipeline_.Pause(paused); })) return absl::OkStatus();
  return absl::AbortedError("the sensor is stopping");
}

absl::Status AppState::SetTrusted(const std::string& path, bool trusted) {
  absl::Status status = absl::AbortedError("the sensor is stopping");
  pipeline_.Ask([&] { status = pipeline_.SetTrusted(path, trusted); });
  return status;
}

}  // namespace kentry
