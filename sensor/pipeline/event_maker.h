// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_EVENT_MAKER_H_
#define KENTRY_SENSOR_PIPELINE_EVENT_MAKER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sensor/event/event.h"
#include "sensor/pipeline/kill_times.h"
#include "sensor/process/process_table.h"
#include "sensor/workload/cgroup_table.h"

namespace kentry {

// A process.* field of a process's image, without what is derived from more than that; nothing when
// it isn't there. Views live as long as the process. For a string that was cut, kFieldCut is set.
std::optional<FieldValue> ImageField(const Process& process, FieldId id);

// Turns a record and what the tables know into an event, field by field as the field table says.
// One thread: the pipeline's.
class EventMaker {
 public:
  // `env_names`: variables that go into process.env. The tables must outlive this.
  EventMaker(ProcessTable* processes, const CgroupTable* cgroups,
             std::vector<std::string> env_names)
      : processes_(*processes), cgroups_(*cgroups), env_names_(std::move(env_names)) {}

  // The event of `cls` about `process`; `record` is the kernel's, already applied to the table.
  // Valid until the next call.
  EventView Make(EventClass cls, std::span<const uint8_t> record, const Process& process);
  // Other names of the file of the next event (kFileAliases), as a kStringList.
  void set_aliases(std::string aliases) { aliases_ = std::move(aliases); }
  // What KillTimes says of the next exit's process.
  void set_kill(std::optional<KillTimes::Kill> kill) { kill_ = std::move(kill); }
  // The builder of the event that Make returned last, to add fields behind those it has; then
  // Finish.
  EventBuilder& builder() { return builder_; }
  // The event of a cgroup's change; `cgroup` may be nullptr when the table has no place for it.
  EventView MakeCgroup(std::span<const uint8_t> record);
  // An event that user space adds; the caller fills it through `builder()` before Finish.
  EventBuilder& Begin(EventClass cls, uint64_t boot_ns);
  EventView Finish() { return builder_.View(); }

  // Wall clock minus boot clock, refreshed by the pipeline.
  void set_wall_offset(int64_t offset_ns) { wall_offset_ns_ = offset_ns; }

 private:
  struct Source {
    EventClass cls = EventClass::kNone;
    std::span<const uint8_t> record;
    const Process* process = nullptr;
    const ke_process* image = nullptr;  // the process's, with what the record knows better
    const Process* parent = nullptr;
    const Cgroup* cgroup = nullptr;
  };
  void Stamp(EventClass cls, const ke_hdr& hdr);
  void AddField(const FieldDef& field, const Source& source);
  void AddUnknown(const FieldDef& field);
  void AddPlaced(const FieldDef& field, const uint8_t* fixed, std::string_view behind,
                 size_t fixed_size);
  void AddDerived(const FieldDef& field, const Source& source);
  void AddExit(FieldId id, const ke_exit& rec);
  void AddDeed(FieldId id, const ke_deed& rec);
  void AddSignalName(FieldId id, uint32_t signal);
  void AddInterpreters(const Process& process);
  void AddEnv(const Process& process);
  void AddEarlier(const Process& process);
  void AddMarks(const Process& process);
  void AddText(FieldId id, std::string_view text, uint16_t flags = 0) {
    if (!text.empty()) builder_.AddText(id, text, flags);
  }
  void AddTrue(FieldId id, bool value) {
    if (value) builder_.AddNumber(id, 1);
  }

  ProcessTable& processes_;
  const CgroupTable& cgroups_;
  std::vector<std::string> env_names_;
  EventBuilder builder_;
  std::string scratch_;
  std::string aliases_;
  std::optional<KillTimes::Kill> kill_;
  int64_t wall_offset_ns_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_EVENT_MAKER_H_
