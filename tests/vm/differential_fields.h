// SPDX-License-Identifier: Apache-2.0
// Which fields the kernel's numbers, words and bits are: written down a second time, so that the
// rule compiler's own table is tested too.
#ifndef KENTRY_TESTS_VM_DIFFERENTIAL_FIELDS_H_
#define KENTRY_TESTS_VM_DIFFERENTIAL_FIELDS_H_

#include <array>
#include <vector>

#include "bpf/abi/rules.h"
#include "sensor/event/field_table.h"

namespace kentry::vm {

// By ke_number; those of a process come first.
inline constexpr std::array<FieldId, KE_NUM_SIGNAL> kTryNumbers = {
    FieldId::kProcessUid,     FieldId::kProcessGid,      FieldId::kProcessSuid,
    FieldId::kProcessSgid,    FieldId::kProcessEuid,     FieldId::kProcessEgid,
    FieldId::kProcessFsuid,   FieldId::kProcessFsgid,    FieldId::kProcessLoginUid,
    FieldId::kProcessSession, FieldId::kProcessNsMnt,    FieldId::kProcessNsPidNs,
    FieldId::kProcessNsNet,   FieldId::kProcessNsUts,    FieldId::kProcessNsIpc,
    FieldId::kProcessNsUser,  FieldId::kProcessNsCgroup, FieldId::kProcessNsTime,
};
// By ke_word.
inline constexpr std::array<FieldId, 5> kTryCaps = {
    FieldId::kProcessCapInheritable, FieldId::kProcessCapPermitted, FieldId::kProcessCapEffective,
    FieldId::kProcessCapBounding,    FieldId::kProcessCapAmbient,
};

// The bool fields of events of `cls` that stand in a process's flags.
inline std::vector<const FieldDef*> FlagFields(EventClass cls) {
  std::vector<const FieldDef*> fields;
  for (const FieldDef* field : FieldsOf(cls)) {
    if (field->type == FieldType::kBool && field->source == FieldSource::kProcess &&
        field->place.offset == KE_OFFSETOF(ke_process, flags)) {
      fields.push_back(field);
    }
  }
  return fields;
}

// The bool fields that say how a file was opened.
inline std::vector<const FieldDef*> AccessFields() {
  std::vector<const FieldDef*> fields;
  for (const FieldDef* field : FieldsOf(EventClass::kFileOpen)) {
    if (field->type == FieldType::kBool && field->source == FieldSource::kEvent &&
        field->place.offset == KE_OFFSETOF(ke_file_open, access)) {
      fields.push_back(field);
    }
  }
  return fields;
}

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_DIFFERENTIAL_FIELDS_H_
