// SPDX-License-Identifier: Apache-2.0
#include "rules/match/event_fields.h"

namespace kentry {
namespace {

enum class Knowledge : uint8_t { kAlways, kWithImage, kWithParent, kWithCgroup };

// What each field's being known depends on, besides its own flag.
std::array<Knowledge, kFieldCount> MakeKnowledge() {
  std::array<Knowledge, kFieldCount> table{};
  for (const FieldDef& field : Fields()) {
    Knowledge& knowledge = table[static_cast<size_t>(field.id)];
    if (field.group == "container" || field.group == "pod") {
      knowledge = Knowledge::kWithCgroup;
    } else if (field.group == "parent" && field.type == FieldType::kString) {
      knowledge = Knowledge::kWithParent;
    } else if (field.group == "process") {
      knowledge = Knowledge::kWithImage;
    }
  }
  const auto set = [&table](FieldId id, Knowledge knowledge) {
    table[static_cast<size_t>(id)] = knowledge;
  };
  set(FieldId::kProcessPid, Knowledge::kAlways);
  set(FieldId::kProcessStart, Knowledge::kAlways);
  set(FieldId::kProcessUnknown, Knowledge::kAlways);
  set(FieldId::kProcessInContainer, Knowledge::kWithCgroup);
  set(FieldId::kCgroupPath, Knowledge::kWithCgroup);
  return table;
}

Knowledge KnowledgeOf(FieldId id) {
  static const std::array<Knowledge, kFieldCount> table = MakeKnowledge();
  return table[static_cast<size_t>(id)];
}

}  // namespace

bool IsImageField(FieldId id) {
  return id == FieldId::kProcessInContainer || KnowledgeOf(id) == Knowledge::kWithImage;
}

void EventFields::Assign(const EventView& event) {
  for (size_t i = 0; i < used_count_; ++i) values_[static_cast<size_t>(used_[i])] = FieldValue();
  used_count_ = 0;
  cls_ = event.cls();
  event.ForEachValue([this](const FieldValue& value) {
    values_[static_cast<size_t>(value.id)] = value;
    used_[used_count_++] = value.id;
  });
  const auto holds = [this](FieldId id) {
    const FieldValue* value = Get(id);
    return value != nullptr && value->number != 0;
  };
  process_unknown_ = holds(FieldId::kProcessUnknown);
  parent_unknown_ = holds(FieldId::kParentPid) && Get(FieldId::kParentBinary) == nullptr;
  cgroup_unknown_ = holds(FieldId::kCgroupUnknown);
}

bool EventFields::IsUnknown(FieldId id) const {
  const FieldValue* value = Get(id);
  if (value != nullptr && (value->flags & kFieldCut) != 0) return true;
  switch (KnowledgeOf(id)) {
    case Knowledge::kAlways:
      return false;
    case Knowledge::kWithImage:
      return process_unknown_;
    case Knowledge::kWithParent:
      return parent_unknown_;
    case Knowledge::kWithCgroup:
      // Also an image field: process.in_container.
      return cgroup_unknown_ || (process_unknown_ && id == FieldId::kProcessInContainer);
  }
  return false;
}

}  // namespace kentry
