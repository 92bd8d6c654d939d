// SPDX-License-Identifier: Apache-2.0
// Events as the pipeline makes them, for the tests of encoders and sinks.
#ifndef KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_SAMPLE_EVENTS_H_
#define KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_SAMPLE_EVENTS_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "sensor/event/event.h"

namespace kentry {

inline constexpr int64_t kSampleTime = 1'795'403'045'123'456'789;  // 2026-11-23T03:04:05.123456789Z

struct SampleValue {
  FieldId id;
  std::variant<uint64_t, std::string_view> value;
  uint16_t flags = 0;
};

inline SampleValue Num(FieldId id, uint64_t value) { return {id, value, 0}; }
inline SampleValue Str(FieldId id, std::string_view value, uint16_t flags = 0) {
  return {id, value, flags};
}

// An event of a kernel record: id 7, CPU 1, sequence number 3. The values in the order of their
// ids. Valid until the builder's next use.
inline EventView Sample(EventBuilder& builder, EventClass cls,
                        std::initializer_list<SampleValue> values) {
  builder.Begin(cls);
  builder.header().id = 7;
  builder.header().time_ns = kSampleTime;
  builder.header().cpu = 1;
  builder.header().seq = 3;
  for (const SampleValue& value : values) {
    if (const auto* number = std::get_if<uint64_t>(&value.value)) {
      builder.AddNumber(value.id, *number, value.flags);
    } else {
      builder.AddText(value.id, std::get<std::string_view>(value.value), value.flags);
    }
  }
  return builder.View();
}

// An exec in a container with all the fields that one usually carries.
inline EventView TypicalExec(EventBuilder& builder) {
  using enum FieldId;
  using namespace std::string_view_literals;
  return Sample(
      builder, EventClass::kProcessExec,
      {
          Num(kProcessPid, 41523),
          Num(kProcessStart, 8123456789012),
          Str(kProcessBinary, "/usr/bin/git"),
          Str(kProcessName, "git"),
          Str(kProcessArgs, "git\0-c\0core.pager=cat\0log\0--oneline\0-n\0005\0"sv),
          Num(kProcessArgsLen, 45),
          Num(kProcessArgc, 7),
          Str(kProcessCwd, "/home/user/src/project"),
          Num(kProcessTid, 41523),
          Num(kProcessNsPid, 212),
          Num(kProcessUid, 1000),
          Num(kProcessGid, 1000),
          Num(kProcessEuid, 1000),
          Num(kProcessEgid, 1000),
          Num(kProcessSuid, 1000),
          Num(kProcessSgid, 1000),
          Num(kProcessFsuid, 1000),
          Num(kProcessFsgid, 1000),
          Num(kProcessCapEffective, 0),
          Num(kProcessCapPermitted, 0),
          Num(kProcessCapInheritable, 0),
          Num(kProcessCapBounding, 0x1ffffffffff),
          Num(kProcessCapAmbient, 0),
          Num(kProcessLoginUid, 1000),
          Num(kProcessSession, 4),
          Str(kProcessTty, "pts0"),
          Num(kProcessNsMnt, 4026531841),
          Num(kProcessNsPidNs, 4026531836),
          Num(kProcessNsNet, 4026531840),
          Num(kProcessNsUts, 4026531838),
          Num(kProcessNsIpc, 4026531839),
          Num(kProcessNsUser, 4026531837),
          Num(kProcessNsCgroup, 4026531835),
          Num(kProcessNsTime, 4026531834),
          Num(kProcessBinaryDev, 254u << 20 | 1),
          Num(kProcessBinaryIno, 1572903),
          Num(kProcessBinaryMode, 0100755),
          Num(kProcessInContainer, 1),
          Num(kProcessDepth, 5),
          Num(kParentPid, 40021),
          Num(kParentStart, 8120000000000),
          Str(kParentBinary, "/usr/bin/bash"),
          Str(kContainerId, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
          Str(kContainerRuntime, "docker"),
          Num(kCgroupId, 8123),
          Str(kCgroupPath,
              "/system.slice/docker-"
              "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.scope"),
      });
}

}  // namespace kentry

#endif  // KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_SAMPLE_EVENTS_H_
