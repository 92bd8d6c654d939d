// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/record.h"

#include <initializer_list>

#include "bpf/abi/rules.h"

namespace kentry {
namespace {

// A span must lie behind the fixed part, whose size is `fixed`.
RecordError CheckSpans(size_t size, size_t fixed, std::initializer_list<ke_span> spans) {
  for (const ke_span span : spans) {
    if (span.len == 0) continue;
    if (span.off < fixed || span.off > size || span.len > size - span.off)
      return RecordError::kSpan;
  }
  return RecordError::kNone;
}

// A whole row or nothing.
RecordError CheckClauses(size_t size, size_t fixed, ke_span clauses) {
  if (clauses.len != 0 && clauses.len != sizeof(ke_row)) return RecordError::kSpan;
  return CheckSpans(size, fixed, {clauses});
}

RecordError CheckProcess(std::span<const uint8_t> bytes) {
  const auto& rec = As<ke_process>(bytes);
  const RecordError clauses = CheckClauses(bytes.size(), sizeof(rec), rec.clauses);
  if (clauses != RecordError::kNone) return clauses;
  return CheckSpans(bytes.size(), sizeof(rec),
                    {rec.binary, rec.cwd, rec.script, rec.interps, rec.args, rec.env});
}

RecordError CheckFileOpen(std::span<const uint8_t> bytes) {
  const auto& rec = As<ke_file_open>(bytes);
  const RecordError clauses = CheckClauses(bytes.size(), sizeof(rec), rec.clauses);
  return clauses != RecordError::kNone ? clauses
                                       : CheckSpans(bytes.size(), sizeof(rec), {rec.path});
}

RecordError CheckFileChange(std::span<const uint8_t> bytes) {
  const auto& rec = As<ke_file_change>(bytes);
  const RecordError clauses = CheckClauses(bytes.size(), sizeof(rec), rec.file.clauses);
  if (clauses != RecordError::kNone) return clauses;
  return CheckSpans(bytes.size(), sizeof(rec), {rec.file.path, rec.to, rec.text});
}

RecordError CheckDeed(std::span<const uint8_t> bytes) {
  return CheckClauses(bytes.size(), sizeof(ke_deed), As<ke_deed>(bytes).clauses);
}

}  // namespace

std::string_view RecordErrorText(RecordError error) {
  switch (error) {
    case RecordError::kNone:
      return "none";
    case RecordError::kShort:
      return "shorter than its type";
    case RecordError::kSize:
      return "size in the header differs";
    case RecordError::kType:
      return "unknown type";
    case RecordError::kVersion:
      return "unknown version";
    case RecordError::kSpan:
      return "string outside of the record";
  }
  return "?";
}

RecordError CheckRecord(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(ke_hdr)) return RecordError::kShort;
  const ke_hdr& hdr = RecordHeader(bytes);
  if (hdr.size != bytes.size()) return RecordError::kSize;
  if (hdr.version != KE_RECORD_VERSION) return RecordError::kVersion;
  const auto at_least = [&](size_t size) {
    return bytes.size() < size ? RecordError::kShort : RecordError::kNone;
  };
  switch (hdr.type) {
    case KE_EXEC:
    case KE_EXISTING:
    case KE_EXEC_DENIED:
      return bytes.size() < sizeof(ke_process) ? RecordError::kShort : CheckProcess(bytes);
    case KE_FORK:
      return at_least(sizeof(ke_fork));
    case KE_EXIT:
      return at_least(sizeof(ke_exit));
    case KE_EXEC_FAILED: {
      if (bytes.size() < sizeof(ke_exec_failed)) return RecordError::kShort;
      const bool fits = As<ke_exec_failed>(bytes).path_len < KE_FAILED_PATH_MAX;
      return fits ? RecordError::kNone : RecordError::kSpan;
    }
    case KE_CGROUP:
      if (bytes.size() < sizeof(ke_cgroup)) return RecordError::kShort;
      return CheckSpans(bytes.size(), sizeof(ke_cgroup), {As<ke_cgroup>(bytes).path});
    case KE_CGROUP_MOVE:
      return at_least(sizeof(ke_cgroup_move));
    case KE_FILE_OPEN:
      return bytes.size() < sizeof(ke_file_open) ? RecordError::kShort : CheckFileOpen(bytes);
    case KE_PTRACE:
    case KE_SIGNAL:
    case KE_BPF:
      return bytes.size() < sizeof(ke_deed) ? RecordError::kShort : CheckDeed(bytes);
    default:  // a number from outside
      if (hdr.type < KE_FILE_UNLINK || hdr.type > KE_FILE_UMOUNT) return RecordError::kType;
      return bytes.size() < sizeof(ke_file_change) ? RecordError::kShort : CheckFileChange(bytes);
  }
}

}  // namespace kentry
