// SPDX-License-Identifier: Apache-2.0
// Any bytes as records of the kernel: what the check lets through must pass the tables and become
// a well-formed event.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "sensor/decode/record.h"
#include "sensor/pipeline/accounting.h"
#include "sensor/pipeline/event_maker.h"

namespace {

using namespace kentry;

class Sensor {
 public:
  void OnRecord(std::span<const uint8_t> record) {
    if (CheckRecord(record) != RecordError::kNone) return;
    accounting_.OnRecord(RecordHeader(record));
    switch (RecordHeader(record).type) {
      case KE_EXEC:
        return Make(EventClass::kProcessExec, record, processes_.OnExec(record));
      case KE_EXEC_DENIED: {
        const Process attempt = processes_.Refused(record);
        return Make(EventClass::kProcessExec, record, &attempt);
      }
      case KE_EXISTING:
        return Make(EventClass::kProcessExisting, record, processes_.OnExisting(record));
      case KE_FORK:
        return Make(EventClass::kProcessFork, record, processes_.OnFork(As<ke_fork>(record)));
      case KE_EXIT:
        return Make(EventClass::kProcessExit, record, processes_.OnExit(As<ke_exit>(record)));
      case KE_EXEC_FAILED: {
        const auto& failed = As<ke_exec_failed>(record);
        return Make(EventClass::kProcessExecFailed, record,
                    processes_.FindOrUnknown({failed.tgid, failed.start_ns}));
      }
      case KE_CGROUP:
        return Check(maker_.MakeCgroup(record));
      case KE_CGROUP_MOVE:
        return processes_.OnCgroupMove(As<ke_cgroup_move>(record));
      case KE_FILE_OPEN: {
        const auto& open = As<ke_file_open>(record);
        return Make(EventClass::kFileOpen, record,
                    processes_.FindOrUnknown({open.tgid, open.start_ns}));
      }
      case KE_PTRACE:
      case KE_SIGNAL:
      case KE_BPF: {
        const auto& rec = As<ke_deed>(record);
        const int cls = static_cast<int>(EventClass::kProcessPtrace) + rec.by.hdr.type - KE_PTRACE;
        return Make(static_cast<EventClass>(cls), record,
                    processes_.FindOrUnknown({rec.by.tgid, rec.by.start_ns}));
      }
      default: {  // a change of a file
        const auto& rec = As<ke_file_change>(record);
        const int kind = rec.file.hdr.type - KE_FILE_UNLINK;
        const int cls = static_cast<int>(EventClass::kFileUnlink) + kind;
        if (kind < 0 || cls >= kEventClassCount) std::abort();
        return Make(static_cast<EventClass>(cls), record,
                    processes_.FindOrUnknown({rec.file.tgid, rec.file.start_ns}));
      }
    }
  }

 private:
  void Make(EventClass cls, std::span<const uint8_t> record, const Process* process) {
    if (process != nullptr) Check(maker_.Make(cls, record, *process));
  }
  static void Check(EventView event) {
    if (!EventView::Parse(event.bytes()).ok()) std::abort();
  }

  ProcessTable processes_{{.capacity = 8, .max_exited = 4}};
  CgroupTable cgroups_{{.capacity = 8}};
  EventMaker maker_{&processes_, &cgroups_, {"LD_PRELOAD"}};
  Accounting accounting_{2};
};

}  // namespace

// The input is a row of records, each behind its length in two bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Sensor sensor;
  while (size >= 2) {
    uint16_t len = 0;
    std::memcpy(&len, data, sizeof(len));
    data += 2;
    size -= 2;
    if (len > size) len = static_cast<uint16_t>(size);
    // Rings align records to eight bytes; most of a header that only luck would find is given.
    std::vector<uint64_t> words((static_cast<size_t>(len) + 7) / 8 + 1);
    auto* bytes = reinterpret_cast<uint8_t*>(words.data());
    std::memcpy(bytes, data, len);
    if (len >= sizeof(ke_hdr)) {
      auto* hdr = reinterpret_cast<ke_hdr*>(bytes);
      hdr->version = KE_RECORD_VERSION;
      hdr->size = len;
      hdr->type %= KE_EXEC_DENIED + 2;
    }
    sensor.OnRecord({bytes, len});
    data += len;
    size -= len;
  }
  return 0;
}
