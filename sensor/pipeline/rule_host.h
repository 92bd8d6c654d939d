// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_RULE_HOST_H_
#define KENTRY_SENSOR_PIPELINE_RULE_HOST_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "sensor/kernel/kernel.h"
#include "sensor/pipeline/file_idents.h"
#include "sensor/pipeline/kept_rules.h"
#include "sensor/pipeline/rule_engine.h"
#include "sensor/process/process_table.h"
#include "sensor/workload/cgroup_table.h"

namespace kentry {

// Keeps the kernel's side of the rules in step with what user space knows: living processes,
// cgroups, inodes of the paths that rules name. One thread: the pipeline's.
class RuleHost {
 public:
  RuleHost(Kernel* kernel, ProcessTable* processes, const CgroupTable* cgroups)
      : kernel_(*kernel),
        processes_(*processes),
        cgroups_(*cgroups),
        files_(kernel, processes, cgroups) {}

  // Puts `engine` in force in one step. On an error the rules before stay in force. What the rules
  // before held back is appended to `suppressed`.
  absl::Status Load(std::unique_ptr<RuleEngine> engine,
                    std::vector<std::pair<std::string, Limiter::Suppressed>>* suppressed);

  // Rules of another sensor, whose text was kept: those in force become current() again, older ones
  // and those of other builds are there to name rules. False: they can't be restored.
  bool Adopt(uint32_t epoch, std::string_view text, const EngineMaker& make);
  bool AddOlder(uint32_t epoch, std::string_view text, const EngineMaker& make);
  // Nobody is current() then.
  void ForgetAll() { engines_.clear(); }

  // The rules that judged an event of this epoch; nullptr: none did.
  RuleEngine* Find(uint32_t epoch);
  // The rules in force, or nullptr.
  RuleEngine* current() { return engines_.empty() ? nullptr : engines_.back().engine.get(); }
  uint32_t epoch() const { return engines_.empty() ? 0 : engines_.back().epoch; }

  // A cgroup changed; the table knows already. kNew: the table had not known this id before.
  enum class CgroupChange : uint8_t { kNew, kRenamed, kRemoved };
  void OnCgroup(uint64_t id, CgroupChange change);
  // The table was walked anew: changes may have been lost.
  void OnCgroupsResynced();
  // The engine's runaways are to say only what they would do. False: the engine isn't in force any
  // more, or the kernel could not be told (counted).
  bool Silence(const RuleEngine& engine);
  // Once a second: inodes that have changed hands, containers that came and went.
  void Refresh();
  // Other names of the file as a kStringList, for a record of that epoch.
  std::string Aliases(uint32_t epoch, std::string_view path, uint32_t exact, uint32_t prefix);

  // Failures to tell the kernel something; what it doesn't know, user space judges.
  uint64_t errors() const { return errors_ + files_.counters().errors; }
  // What is known of the files that rules name.
  const FileIdents::Counters& files() const { return files_.counters(); }

 private:
  struct Loaded {
    uint32_t epoch = 0;
    std::unique_ptr<RuleEngine> engine;
  };
  absl::Status Fill(RuleEngine* engine);
  absl::Status Keep(const RuleEngine& engine, const MarkPlaces& places);
  void TellCgroup(RuleEngine* engine, const Cgroup& cgroup);
  void TellCgroups(RuleEngine* engine);
  void TellCgroupsBelow(RuleEngine* engine, const std::string& path);
  absl::Status TellProcesses(const RuleEngine& engine);
  void Count(const absl::Status& status) {
    if (!status.ok()) ++errors_;
  }

  Kernel& kernel_;
  ProcessTable& processes_;
  const CgroupTable& cgroups_;
  FileIdents files_;
  std::deque<Loaded> engines_;  // oldest first; the last one is in force
  MarkPlaces mark_places_;
  int later_passes_ = 0;
  uint64_t errors_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_RULE_HOST_H_
