// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_PIPELINE_H_
#define KENTRY_SENSOR_PIPELINE_PIPELINE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "sensor/decode/record.h"
#include "sensor/event/env_names.h"
#include "sensor/journal/journal.h"
#include "sensor/kernel/kernel.h"
#include "sensor/pipeline/accounting.h"
#include "sensor/pipeline/canary.h"
#include "sensor/pipeline/event_maker.h"
#include "sensor/pipeline/kill_times.h"
#include "sensor/pipeline/rule_host.h"
#include "sensor/process/process_table.h"
#include "sensor/util/mutex.h"
#include "sensor/workload/cgroup_table.h"

namespace kentry {

struct PipelineOptions {
  KernelOptions kernel;  // cgroup_subsys and cgroup_hierarchy are found out by Start
  ProcessTable::Options processes;
  CgroupTable::Options cgroups;
  // Variables for process.env; empty = the environment does not leave the kernel.
  std::vector<std::string> env_names = DefaultEnvNames();
  std::string version;    // for sensor.start
  EngineMaker engine_of;  // for rules that another sensor left in force; see Kernel::adopted
};

struct PipelineStats {
  uint64_t events = 0;  // appended to the journal
  uint64_t lost = 0;    // found lost, missed and malformed ones among them
  uint64_t malformed = 0;
  uint64_t late = 0;           // records older than one already handed on
  uint64_t alerts = 0;         // events with an alert
  uint64_t logged = 0;         // events that only rules with `then: log` match
  uint64_t dropped = 0;        // events that a rule dropped
  uint64_t marks_refused = 0;  // a process had too many
  uint64_t judged_away = 0;    // records that the kernel let through and no rule wanted
  uint64_t suppressed = 0;     // alerts that a limit held back
  uint64_t outdated = 0;       // records judged by a rule set that is not kept any more
};

// kernel → decode → process → workload → journal: one pass, one thread. Start and Run may be on
// different threads, one after the other; Stop and Ask may be called from any.
class Pipeline {
 public:
  // Loads and attaches the hooks, then reads the cgroups and processes that exist: nothing between
  // is missed, because the hooks came first. kFailedPrecondition, kPermissionDenied: see
  // Kernel::Load. `journal` must outlive the pipeline.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Start(PipelineOptions options, Journal* journal);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Handles records until Stop; then detaches, drains what is left and closes the journal.
  void Run();
  // Makes Run return soon. Async-signal-safe.
  void Stop();
  // Runs `question` on the pipeline's thread between two records and waits for it; not at all when
  // Run has returned (false). Must not be called from the pipeline's thread.
  bool Ask(const std::function<void()>& question) ABSL_LOCKS_EXCLUDED(mu_);

  // Puts a rule set in force, in one step; on an error the one before stays. To be called on the
  // pipeline's thread, through Ask, or when Run is not running. kFailedPrecondition: this kernel
  // can't have one of the classes.
  absl::Status LoadRules(std::unique_ptr<RuleEngine> engine);
  // With pins: what is loaded, and the rules that were, outlive this process from now on; hooks of
  // another build are ended, and what they had to tell is told. Once, before Run, with the first
  // rules in force.
  absl::Status TakeOver();
  // Rules only say what they would do, or act again. Tells it as an event when that is news.
  void Pause(bool paused);
  // Rules don't act on what the program does while it runs as root, in the machine's own
  // namespaces, and is not traced; or they do again. The file counts as it is now: when it is
  // written to or replaced, it is not trusted any more. An absolute path; links in it are followed
  // now. kInvalidArgument, kNotFound, kResourceExhausted: see TrustList.
  absl::Status SetTrusted(const std::string& path, bool trusted);
  // The rules in force, or nullptr. Same thread.
  const RuleHost& rules() const { return rules_; }
  RuleHost& rules() { return rules_; }

  // Drains the rings once, up to `until_ns` of CLOCK_BOOTTIME; returns the number of records. For
  // tests; Run does it.
  uint64_t Poll(uint64_t until_ns);

  // To be used on the pipeline's thread, through Ask, or when Run is not running.
  Kernel& kernel() { return *kernel_; }
  const ProcessTable& processes() const { return processes_; }
  const CgroupTable& cgroups() const { return cgroups_; }
  const PipelineStats& stats() const { return stats_; }
  const KillTimes& kills() const { return kills_; }
  // Kernel's and reader's counters together.
  ClassTotals Totals(ke_type type) const;
  uint64_t LostOnCpu(uint32_t cpu) const { return accounting_.LostOnCpu(cpu); }
  uint64_t out_of_sequence() const { return accounting_.out_of_sequence(); }

 private:
  Pipeline(PipelineOptions options, Journal* journal, std::unique_ptr<Kernel> kernel);
  // What exists before the hooks are attached, and then again: who ends between is known, who
  // starts between is missed by neither.
  absl::Status ReadBeforeAttach();
  absl::Status ReadAfterAttach();
  // What another sensor left: its rules, how far it came, what it did not read.
  void TakeUp();
  void ResumeAccounting();
  void WriteNotes();
  void ReadOthers(OtherRings* rings, uint64_t until_ns);
  void Handle(std::span<const uint8_t> record);
  absl::Status WalkCgroupMount();
  absl::Status ReadProcesses(bool pending);
  void OnRecord(std::span<const uint8_t> record);
  void OnExisting(std::span<const uint8_t> record, bool pending);
  void OnCgroup(std::span<const uint8_t> record);
  void Emit(EventClass cls, std::span<const uint8_t> record, Process* process);
  void OnFile(EventClass cls, std::span<const uint8_t> record);
  void OnDeed(EventClass cls, std::span<const uint8_t> record);
  void OnExecDenied(std::span<const uint8_t> record);
  void TellExisting(Process* process);
  // Who judges a record, and what the kernel found of it.
  struct Judgement {
    RuleEngine* engine = nullptr;
    std::array<uint64_t, KE_WORDS> clauses{};
    size_t words = 0;
    bool undecided = false;
    uint32_t verdict = 0;
  };
  Judgement Begin(std::span<const uint8_t> record);
  // Appends the event, with what the rules say of it, unless they drop it. `only_alerts`: not at
  // all when they say nothing.
  void Judge(EventView event, std::span<const uint8_t> record, Process* process, bool only_alerts);
  void ReportEnforcement(std::string_view change, std::string_view path);
  void AppendVerdict(EventClass cls, uint32_t verdict);
  void StopRunaways(const RuleEngine& engine);
  void ReportSuppressed(std::string_view rule, const Limiter::Suppressed& suppressed);
  void Append(EventView event);
  void AppendSensorEvent(EventClass cls);
  void ReportLoss(const LostRange& range, std::string_view reason);
  void CheckMissed();
  // What the canary found. kUntried: it could not do what the hook watches.
  enum class HookState : uint8_t { kFires, kSilent, kUntried };
  HookState TryHook(ke_type type);
  void CheckHooks();
  void CheckStrict();
  void Housekeeping(uint64_t now_ns);
  void Resync(uint64_t now_ns);
  void AnswerQuestions() ABSL_LOCKS_EXCLUDED(mu_);

  PipelineOptions options_;
  Journal& journal_;
  std::unique_ptr<Kernel> kernel_;
  std::string cgroup_mount_;
  ProcessTable processes_;
  CgroupTable cgroups_;
  EventMaker maker_;
  RuleHost rules_;
  Accounting accounting_;
  PipelineStats stats_;
  KillTimes kills_;
  Canary canary_;
  std::array<HookState, KE_TYPE_MAX> hook_states_{};  // as was told last
  std::vector<ke_cpu_stats> snapshot_;
  std::array<uint64_t, KE_TYPE_MAX> missed_{};
  std::array<uint64_t, KE_SITE_MAX> strict_told_{};  // of KE_SITE_STRICT_*
  uint64_t told_by_others_ns_ = 0;  // what was not judged before it, another build's hooks told
  uint64_t next_housekeeping_ns_ = 0;
  uint64_t next_resync_ns_ = 0;
  bool resync_processes_ = false;
  bool resync_cgroups_ = false;
  std::string host_, release_, boot_id_;

  Fd wake_;  // eventfd
  std::atomic<bool> stop_{false};
  Mutex mu_;
  CondVar answers_;
  std::vector<const std::function<void()>*> questions_ ABSL_GUARDED_BY(mu_);
  uint64_t answered_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t asked_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_PIPELINE_H_
