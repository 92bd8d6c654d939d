// SPDX-License-Identifier: Apache-2.0
// The one table of event classes and their fields. Decoder, encoders, `kentry fields`,
// docs/events.md (and the rule compiler) read it; nothing of it is listed a second time.
#ifndef KENTRY_SENSOR_EVENT_FIELD_TABLE_H_
#define KENTRY_SENSOR_EVENT_FIELD_TABLE_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "bpf/abi/event.h"

namespace kentry {

// Classes of events as users see them. The numeric values are part of the journal's format.
enum class EventClass : uint8_t {
  kNone = 0,
  kProcessExec = 1,
  kProcessFork = 2,
  kProcessExit = 3,
  kProcessExecFailed = 4,
  kProcessExisting = 5,
  kCgroup = 6,
  kSensorStart = 7,
  kSensorLoss = 8,
  kSensorStop = 9,
  kFileOpen = 10,
  kSensorRules = 11,
  kSensorSuppressed = 12,
  kSensorGuard = 13,
  // Changes of files, in the order of enum ke_change_kind.
  kFileUnlink = 14,
  kFileRmdir = 15,
  kFileRename = 16,
  kFileLink = 17,
  kFileSymlink = 18,
  kFileMkdir = 19,
  kFileMknod = 20,
  kFileChmod = 21,
  kFileChown = 22,
  kFileTruncated = 23,
  kFileSetxattr = 24,
  kFileMmapExec = 25,
  kFileMount = 26,
  kFileUmount = 27,
  // What a process does to another, or to maps and programs: struct ke_deed.
  kProcessPtrace = 28,
  kProcessSignal = 29,
  kProcessBpf = 30,
  kSensorEnforcement = 31,
  kSensorHook = 32,
};
inline constexpr int kEventClassCount = 33;

// Sets of classes: a bit for each.
using ClassMask = uint64_t;
constexpr ClassMask ClassBit(EventClass cls) { return ClassMask{1} << static_cast<int>(cls); }

struct ClassDef {
  EventClass id = EventClass::kNone;
  std::string_view name;        // "process.exec"
  ke_type record = KE_INVALID;  // the kernel record it is made of; KE_INVALID = user space's own
  std::string_view doc;
};

// All classes but kNone, in the order of their ids.
std::span<const ClassDef> Classes();
// The class's row; `id` must not be kNone.
const ClassDef& GetClass(EventClass id);
// Is it one of enum ke_change_kind? Which one is the class's distance from kFileUnlink.
constexpr bool IsChangeClass(EventClass id) {
  return id >= EventClass::kFileUnlink && id <= EventClass::kFileUmount;
}
// Is the event of a file: do its records begin with struct ke_file_open?
constexpr bool IsFileClass(EventClass id) {
  return id == EventClass::kFileOpen || IsChangeClass(id);
}
// Are its records struct ke_deed?
constexpr bool IsDeedClass(EventClass id) {
  return id >= EventClass::kProcessPtrace && id <= EventClass::kProcessBpf;
}
// The row with that name, or nullptr.
const ClassDef* FindClass(std::string_view name);

enum class FieldType : uint8_t {
  kUint,
  kInt,
  kBool,
  kString,      // any bytes but NUL
  kStringList,  // NUL-terminated strings one after the other; the last one may lack its NUL
  kDuration,    // nanoseconds
  kHex,         // bit mask, printed in hexadecimal
  kDevice,      // major << 20 | minor
};

// Whose record the value is read from.
enum class FieldSource : uint8_t {
  kEvent,    // the record of the event itself
  kProcess,  // the image record of the process the event is about
  kParent,   // the image record of that process's parent
  kDerived,  // computed in user space; Place is empty
};

// Comparisons that the kernel filter can make on a field.
enum KernelOp : uint8_t {
  kOpNone = 0,
  kOpEqual = 1,
  kOpRange = 2,
  kOpMask = 4,
  kOpPrefix = 8,
  kOpSuffix = 16,
  kLate = 32,  // no comparison: the value is not known while an exec can still be refused
};

// Where a value stands in its record. For strings and lists the place is a ke_span, or, with
// `inline_text`, a NUL-padded array.
struct Place {
  uint16_t offset = 0;
  uint16_t size = 0;  // 0 = nowhere
  bool inline_text = false;
  uint32_t mask = 0;          // kBool: true when any of these bits is set
  uint32_t cut_mask = 0;      // strings, lists: bits in the record's flags that say "cut"
  uint16_t flags_offset = 0;  // strings, lists: where those flags stand
};

enum class FieldId : uint16_t {
  kInvalid = 0,
#define KE_FIELD(id, name, type, source, place, ops, classes, doc) id,
#include "sensor/event/fields.inc"
#undef KE_FIELD
  kCount,
};
inline constexpr int kFieldCount = static_cast<int>(FieldId::kCount);

struct FieldDef {
  FieldId id = FieldId::kInvalid;
  std::string_view name;   // "process.binary": group and key
  std::string_view group;  // "process"
  std::string_view key;    // "binary"
  FieldType type = FieldType::kUint;
  FieldSource source = FieldSource::kDerived;
  Place place;
  uint8_t ops = kOpNone;  // KernelOp bits
  ClassMask classes = 0;
  std::string_view doc;
};

// All fields in the order of their ids; fields of a group are neighbours.
std::span<const FieldDef> Fields();
// The field's row; `id` must be a real field.
const FieldDef& GetField(FieldId id);
// The row with that full name, or nullptr.
const FieldDef* FindField(std::string_view name);
// The fields that events of `cls` may carry, in the order of their ids.
std::span<const FieldDef* const> FieldsOf(EventClass cls);
// "uint", "string list", … as the documents call the type.
std::string_view TypeName(FieldType type);

}  // namespace kentry

#endif  // KENTRY_SENSOR_EVENT_FIELD_TABLE_H_
