// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/pipeline.h"

#include <sys/eventfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "sensor/pipeline/loss_reasons.h"
#include "sensor/pipeline/proc_files.h"
#include "sensor/pipeline/verdict.h"
#include "sensor/util/clock.h"
#include "sensor/util/status.h"
#include "sensor/workload/cgroup_walk.h"

namespace kentry {
namespace {

std::string_view ClassNameOf(uint16_t type) {
  for (const ClassDef& cls : Classes()) {
    if (cls.record == type && cls.record != KE_INVALID) return cls.name;
  }
  if (type == KE_EXEC_DENIED) return "process.exec (denied)";
  return type == KE_CGROUP_MOVE ? "cgroup.move" : "unknown";
}

// The ancestors of a process, from the table.
class TableAncestors : public AncestorSource {
 public:
  static constexpr int kMax = 64;
  TableAncestors(ProcessTable* processes, const Process& process)
      : processes_(*processes), process_(process) {}

  int Count() const override {
    if (count_ >= 0) return count_;
    count_ = 0;
    for (const Process* at = processes_.Find(process_.parent()); at != nullptr && count_ < kMax;
         at = processes_.Find(at->parent())) {
      chain_[static_cast<size_t>(count_++)] = at;
    }
    return count_;
  }
  std::optional<FieldValue> Field(int generation, FieldId id) const override {
    const Process& process = *chain_[static_cast<size_t>(generation)];
    return ImageField(process, id);
  }
  bool Complete() const override { return Count() < kMax; }

 private:
  ProcessTable& processes_;
  const Process& process_;
  mutable int count_ = -1;
  mutable std::array<const Process*, kMax> chain_{};
};

// Does the record begin with struct ke_file_open?
bool IsFileRecord(uint16_t type) { return type >= KE_FILE_OPEN && type <= KE_FILE_UMOUNT; }

bool IsDeedRecord(uint16_t type) { return type >= KE_PTRACE && type <= KE_BPF; }

EventClass ChangeClass(uint16_t type) {
  return static_cast<EventClass>(static_cast<int>(EventClass::kFileUnlink) + type - KE_FILE_UNLINK);
}

}  // namespace

Pipeline::Pipeline(PipelineOptions options, Journal* journal, std::unique_ptr<Kernel> kernel)
    : options_(std::move(options)),
      journal_(*journal),
      kernel_(std::move(kernel)),
      processes_(options_.processes),
      cgroups_(options_.cgroups),
      maker_(&processes_, &cgroups_, options_.env_names),
      rules_(kernel_.get(), &processes_, &cgroups_),
      accounting_(kernel_->cpu_count()),
      snapshot_(static_cast<size_t>(kernel_->cpu_count())),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Start(PipelineOptions options,
                                                          Journal* journal) {
  std::string mount_path;
  if (auto mount = FindCgroupMount(); mount.ok()) {
    mount_path = mount->path;
    options.kernel.cgroup_subsys = mount->subsys_index;
    options.kernel.cgroup_hierarchy = mount->hierarchy_id;
  }
  options.kernel.environment = !options.env_names.empty();
  ASSIGN_OR_RETURN(std::unique_ptr<Kernel> kernel, Kernel::Load(options.kernel));
  std::unique_ptr<Pipeline> pipeline(new Pipeline(std::move(options), journal, std::move(kernel)));
  if (!pipeline->wake_.valid()) return ErrnoError(errno, "eventfd");
  pipeline->cgroup_mount_ = std::move(mount_path);
  RETURN_IF_ERROR(pipeline->kernel_->rings().AddWakeFd(pipeline->wake_.get()));
  RETURN_IF_ERROR(pipeline->ReadBeforeAttach());
  RETURN_IF_ERROR(pipeline->kernel_->Attach());
  pipeline->AppendSensorEvent(EventClass::kSensorStart);
  if (pipeline->kernel_->adopted()) pipeline->TakeUp();
  RETURN_IF_ERROR(pipeline->ReadAfterAttach());
  return pipeline;
}

absl::Status Pipeline::ReadBeforeAttach() {
  utsname names{};
  uname(&names);
  host_ = names.nodename;
  release_ = names.release;
  boot_id_ = ReadLine("/proc/sys/kernel/random/boot_id");
  maker_.set_wall_offset(static_cast<int64_t>(NowNs(CLOCK_REALTIME) - BootNowNs()));
  RETURN_IF_ERROR(WalkCgroupMount());
  return ReadProcesses(/*pending=*/true);
}

absl::Status Pipeline::ReadAfterAttach() {
  RETURN_IF_ERROR(WalkCgroupMount());
  processes_.StartResync();
  RETURN_IF_ERROR(ReadProcesses(/*pending=*/false));
  processes_.FinishResync(BootNowNs());
  journal_.Commit();
  return absl::OkStatus();
}

absl::Status Pipeline::WalkCgroupMount() {
  if (cgroup_mount_.empty()) return absl::OkStatus();
  // An incomplete walk is no reason not to start: what is missing shows as cgroup.unknown.
  (void)WalkCgroups(cgroup_mount_,
                    [this](uint64_t id, std::string_view path) { cgroups_.Add(id, path); });
  return absl::OkStatus();
}

absl::Status Pipeline::ReadProcesses(bool pending) {
  return kernel_->ForEachExisting([this, pending](std::span<const uint8_t> record) {
    if (CheckRecord(record) != RecordError::kNone) {
      ++stats_.malformed;
      return;
    }
    OnExisting(record, pending);
  });
}

void Pipeline::OnExisting(std::span<const uint8_t> record, bool pending) {
  const std::vector<uint8_t> complete = WithArguments(record);
  Process* process = processes_.OnExisting(complete, pending);
  if (process != nullptr && !pending) Emit(EventClass::kProcessExisting, complete, process);
}

void Pipeline::OnCgroup(std::span<const uint8_t> record) {
  const auto& rec = As<ke_cgroup>(record);
  const std::string_view path = SpanText(record, rec.path);
  auto change = RuleHost::CgroupChange::kRenamed;
  if (rec.op == KE_CGROUP_MKDIR) {
    if (cgroups_.Find(rec.id) == nullptr) change = RuleHost::CgroupChange::kNew;
    cgroups_.Add(rec.id, path);
  } else if (rec.op == KE_CGROUP_RENAME) {
    cgroups_.Rename(rec.id, path);
  } else {
    cgroups_.Remove(rec.id, rec.hdr.ktime_ns);
    change = RuleHost::CgroupChange::kRemoved;
  }
  rules_.OnCgroup(rec.id, change);
  Append(maker_.MakeCgroup(record));
}

void Pipeline::OnRecord(std::span<const uint8_t> record) {
  if (const RecordError error = CheckRecord(record); error != RecordError::kNone) {
    ++stats_.malformed;
    ReportLoss({.first = 1, .last = 1}, kMalformed);
    return;
  }
  const ke_hdr& hdr = RecordHeader(record);
  accounting_.OnRecord(hdr);
  if (hdr.ktime_ns > told_by_others_ns_ || hdr.epoch != 0) Handle(record);
}

void Pipeline::Handle(std::span<const uint8_t> record) {
  switch (static_cast<ke_type>(RecordHeader(record).type)) {
    case KE_EXEC:
      return Emit(EventClass::kProcessExec, record, processes_.OnExec(record));
    case KE_FORK:
      return Emit(EventClass::kProcessFork, record, processes_.OnFork(As<ke_fork>(record)));
    case KE_EXIT:
      maker_.set_kill(kills_.OnExit(As<ke_exit>(record)));
      return Emit(EventClass::kProcessExit, record, processes_.OnExit(As<ke_exit>(record)));
    case KE_EXEC_FAILED: {
      const auto& failed = As<ke_exec_failed>(record);
      return Emit(EventClass::kProcessExecFailed, record,
                  processes_.FindOrUnknown({failed.tgid, failed.start_ns}));
    }
    case KE_CGROUP:
      return OnCgroup(record);
    case KE_CGROUP_MOVE:
      return processes_.OnCgroupMove(As<ke_cgroup_move>(record));
    case KE_FILE_OPEN:
      return OnFile(EventClass::kFileOpen, record);
    case KE_EXEC_DENIED:
      return OnExecDenied(record);
    case KE_PTRACE:
      return OnDeed(EventClass::kProcessPtrace, record);
    case KE_SIGNAL:
      return OnDeed(EventClass::kProcessSignal, record);
    case KE_BPF:
      return OnDeed(EventClass::kProcessBpf, record);
    case KE_EXISTING:
    case KE_INVALID:
    case KE_TYPE_MAX:
      return;
    default:  // the rest are changes of files
      return OnFile(ChangeClass(RecordHeader(record).type), record);
  }
}

void Pipeline::TellExisting(Process* process) {
  if (!process->pending_existing) return;
  process->pending_existing = false;
  const auto* image = reinterpret_cast<const uint8_t*>(&process->image);
  Append(maker_.Make(EventClass::kProcessExisting, {image, sizeof(process->image)}, *process));
}

// The process goes on as what it is: neither its image nor its marks change.
void Pipeline::OnExecDenied(std::span<const uint8_t> record) {
  const auto& rec = As<ke_process>(record);
  TellExisting(processes_.FindOrUnknown({rec.tgid, rec.start_ns}));
  Process attempt = processes_.Refused(record);
  Judge(maker_.Make(EventClass::kProcessExec, record, attempt), record, &attempt,
        /*only_alerts=*/false);
}

void Pipeline::Emit(EventClass cls, std::span<const uint8_t> record, Process* process) {
  if (process == nullptr) return;  // told before
  TellExisting(process);
  Judge(maker_.Make(cls, record, *process), record, process, /*only_alerts=*/false);
  processes_.Trim(process);
}

void Pipeline::OnFile(EventClass cls, std::span<const uint8_t> record) {
  const auto& rec = As<ke_file_open>(record);
  Process* process = processes_.FindOrUnknown({rec.tgid, rec.start_ns});
  maker_.set_aliases(
      rules_.Aliases(rec.hdr.epoch, SpanText(record, rec.path), rec.alias, rec.alias_prefix));
  Judge(maker_.Make(cls, record, *process), record, process,
        /*only_alerts=*/true);
}

void Pipeline::OnDeed(EventClass cls, std::span<const uint8_t> record) {
  const auto& by = As<ke_actor>(record);
  Process* process = processes_.FindOrUnknown({by.tgid, by.start_ns});
  Judge(maker_.Make(cls, record, *process), record, process, /*only_alerts=*/true);
}

Pipeline::Judgement Pipeline::Begin(std::span<const uint8_t> record) {
  const ke_hdr& hdr = RecordHeader(record);
  Judgement begun;
  ke_span span{};
  if (hdr.type == KE_EXEC || hdr.type == KE_EXEC_DENIED) {
    span = As<ke_process>(record).clauses;
    begun.undecided = (As<ke_process>(record).flags & KE_F_UNDECIDED) != 0;
    begun.verdict = As<ke_process>(record).verdict;
  } else if (IsFileRecord(hdr.type)) {
    span = As<ke_file_open>(record).clauses;
    begun.undecided = (As<ke_file_open>(record).flags & KE_FILE_UNDECIDED) != 0;
    begun.verdict = As<ke_file_open>(record).verdict;
  } else if (IsDeedRecord(hdr.type)) {
    span = As<ke_deed>(record).clauses;
    begun.undecided = (As<ke_deed>(record).flags & KE_DEED_UNDECIDED) != 0;
    begun.verdict = As<ke_deed>(record).verdict;
  } else {
    begun.engine = rules_.current();
    return begun;
  }
  begun.engine = rules_.Find(hdr.epoch);
  begun.words = span.len / sizeof(uint64_t);
  std::memcpy(begun.clauses.data(), record.data() + span.off, span.len);
  if (begun.engine != nullptr || hdr.epoch == 0) return begun;
  ++stats_.outdated;
  if (IsFileRecord(hdr.type) || IsDeedRecord(hdr.type)) {
    // The clauses are those of rules that are gone. An exec goes out unjudged, an open would
    // vanish: the present rules judge it, each of them whole, as when the kernel knew nothing.
    begun.engine = rules_.current();
    begun.clauses.fill(~uint64_t{0});
    begun.words = begun.clauses.size();
    begun.undecided = true;
    begun.verdict &= ~KE_VERDICT_UNDECIDED;  // asked of the rules that are gone
  }
  return begun;
}

void Pipeline::Judge(EventView event, std::span<const uint8_t> record, Process* process,
                     bool only_alerts) {
  const ke_hdr& hdr = RecordHeader(record);
  const Judgement begun = Begin(record);
  RuleEngine* engine = begun.engine;
  RuleEngine::Result result = RuleEngine::Result::kNone;
  uint64_t suppressed = 0;
  if (engine != nullptr) {
    const TableAncestors ancestors(&processes_, *process);
    const uint64_t before = engine->suppressed();
    result = engine->Judge(event,
                           {.clauses = {begun.clauses.data(), begun.words},
                            .undecided = begun.undecided,
                            .verdict = begun.verdict},
                           &ancestors);
    suppressed = engine->suppressed() - before;
    stats_.suppressed += suppressed;
    for (const RuleMark* mark : engine->marks()) {
      const uint64_t end = mark->lifetime_ns == 0 ? 0 : hdr.ktime_ns + mark->lifetime_ns;
      if (!process->Mark(mark->name, end, hdr.ktime_ns)) ++stats_.marks_refused;
    }
  }
  if (Killed(begun.verdict)) {
    kills_.OnKill(*process, hdr.ktime_ns, engine == nullptr ? "" : engine->Killer());
  }
  const bool runaway = engine != nullptr && !engine->runaways().empty();
  switch (result) {
    case RuleEngine::Result::kNone:
      if (Acted(begun.verdict)) return AppendVerdict(event.cls(), begun.verdict);
      if (only_alerts) {
        if (suppressed == 0) ++stats_.judged_away;
        return;
      }
      return Append(event);
    case RuleEngine::Result::kDrop:
      ++stats_.dropped;
      return;
    case RuleEngine::Result::kAlert:
      engine->Describe(&maker_.builder());
      ++((maker_.builder().header().flags & kEventAlert) != 0 ? stats_.alerts : stats_.logged);
      Append(maker_.Finish());
      if (runaway) StopRunaways(*engine);
  }
}

void Pipeline::StopRunaways(const RuleEngine& engine) {
  const bool told = rules_.Silence(engine);
  for (const uint32_t rule : engine.runaways()) {
    EventBuilder& event = maker_.Begin(EventClass::kSensorGuard, BootNowNs());
    event.AddText(FieldId::kGuardRule, engine.rules().rules[rule].name);
    event.AddNumber(FieldId::kGuardProcesses, engine.rules().rules[rule].guard);
    event.AddNumber(FieldId::kGuardStopped, told ? 1 : 0);
    event.header().flags |= kEventAlert;
    Append(maker_.Finish());
  }
}

// The rules that made the kernel act are gone.
void Pipeline::AppendVerdict(EventClass cls, uint32_t verdict) {
  AddVerdict(cls, verdict, /*missed=*/false, &maker_.builder());
  ++stats_.alerts;
  Append(maker_.Finish());
}

absl::Status Pipeline::LoadRules(std::unique_ptr<RuleEngine> engine) {
  std::vector<std::pair<std::string, Limiter::Suppressed>> suppressed;
  RETURN_IF_ERROR(rules_.Load(std::move(engine), &suppressed));
  for (const auto& [rule, one] : suppressed) ReportSuppressed(rule, one);
  const RuleSet& rules = rules_.current()->rules();
  EventBuilder& event = maker_.Begin(EventClass::kSensorRules, BootNowNs());
  event.AddText(FieldId::kRulesName, rules.name);
  event.AddText(FieldId::kRulesRevision, rules.revision);
  event.AddText(FieldId::kRulesMode, ModeName(rules.mode));
  event.AddNumber(FieldId::kRulesCount,
                  static_cast<uint64_t>(std::count_if(rules.rules.begin(), rules.rules.end(),
                                                      [](const Rule& r) { return r.enabled; })));
  event.AddNumber(FieldId::kRulesEpoch, rules_.epoch());
  Append(maker_.Finish());
  return absl::OkStatus();
}

void Pipeline::ReportSuppressed(std::string_view rule, const Limiter::Suppressed& suppressed) {
  EventBuilder& event = maker_.Begin(EventClass::kSensorSuppressed, BootNowNs());
  event.AddText(FieldId::kSuppressedRule, rule);
  event.AddNumber(FieldId::kSuppressedCount, suppressed.count);
  event.AddNumber(FieldId::kSuppressedKeys, suppressed.keys);
  if (suppressed.keys == 1 && !suppressed.key.empty()) {
    event.AddText(FieldId::kSuppressedKey, suppressed.key);
  }
  Append(maker_.Finish());
}

void Pipeline::Append(EventView event) {
  journal_.Append(event);
  ++stats_.events;
}

void Pipeline::AppendSensorEvent(EventClass cls) {
  EventBuilder& event = maker_.Begin(cls, BootNowNs());
  event.AddText(FieldId::kSensorVersion, options_.version);
  event.AddText(FieldId::kSensorKernel, release_);
  event.AddText(FieldId::kSensorBootId, boot_id_);
  event.AddText(FieldId::kSensorHost, host_);
  if (cls == EventClass::kSensorStop) {
    event.AddNumber(FieldId::kSensorEventCount, stats_.events);
    event.AddNumber(FieldId::kSensorLost, stats_.lost);
  }
  Append(maker_.Finish());
}

void Pipeline::ReportLoss(const LostRange& range, std::string_view reason) {
  const bool numbered = reason == kRingFull || reason == kReaderDied;
  const uint64_t count = range.count();
  stats_.lost += count;
  EventBuilder& event = maker_.Begin(EventClass::kSensorLoss, BootNowNs());
  event.AddText(FieldId::kLossClass, ClassNameOf(range.type));
  event.AddNumber(FieldId::kLossCpu, range.cpu);
  event.AddNumber(FieldId::kLossFirst, numbered ? range.first : 0);
  event.AddNumber(FieldId::kLossLast, numbered ? range.last : 0);
  event.AddNumber(FieldId::kLossCount, count);
  event.AddText(FieldId::kLossReason, reason);
  Append(maker_.Finish());
  if (range.type == KE_CGROUP || range.type == KE_CGROUP_MOVE) resync_cgroups_ = true;
  resync_processes_ = true;
}

// The kernel skips a hook that is running already on that CPU (recursion guard).
void Pipeline::CheckMissed() {
  for (int type = KE_EXEC; type < KE_TYPE_MAX; ++type) {
    const uint64_t now = kernel_->Missed(static_cast<ke_type>(type));
    uint64_t& before = missed_[static_cast<size_t>(type)];
    if (now <= before) continue;
    ReportLoss({.type = static_cast<uint16_t>(type), .first = 1, .last = now - before},
               kHookMissed);
    before = now;
  }
}

uint64_t Pipeline::Poll(uint64_t until_ns) {
  // Counters first: what they say was lost can then not be in the rings any more.
  for (int cpu = 0; cpu < kernel_->cpu_count(); ++cpu) {
    snapshot_[static_cast<size_t>(cpu)] = kernel_->stats(cpu);
  }
  const uint64_t count =
      kernel_->rings().Drain(until_ns, [this](std::span<const uint8_t> r) { OnRecord(r); });
  for (uint32_t cpu = 0; cpu < snapshot_.size(); ++cpu) {
    accounting_.Reconcile(cpu, snapshot_[cpu],
                          [this](const LostRange& range) { ReportLoss(range, kRingFull); });
  }
  CheckStrict();
  stats_.late = kernel_->rings().stats().out_of_order;
  WriteNotes();
  journal_.Commit();
  return count;
}

ClassTotals Pipeline::Totals(ke_type type) const {
  ClassTotals totals = accounting_.Totals(type);
  for (int cpu = 0; cpu < kernel_->cpu_count(); ++cpu) {
    const ke_counts& counts = kernel_->stats(cpu).classes[type];
    totals.attempted += counts.attempted;
    totals.filtered += counts.filtered;
  }
  totals.missed = missed_[type];
  totals.lost += totals.missed;
  return totals;
}

}  // namespace kentry
