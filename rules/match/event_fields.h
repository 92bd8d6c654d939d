// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_EVENT_FIELDS_H_
#define KENTRY_RULES_MATCH_EVENT_FIELDS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "sensor/event/event.h"
#include "sensor/event/field_table.h"

namespace kentry {

// The values of one event by field id, and which of them are not known. Made once and refilled for
// each event; refilling allocates nothing. One thread.
class EventFields {
 public:
  // Takes over the values of `event`, whose bytes must stay until the next Assign or the last Get.
  void Assign(const EventView& event);

  // The value, or nullptr when the event doesn't carry it: then the field has its type's zero
  // value, unless it IsUnknown. Valid until the next Assign.
  const FieldValue* Get(FieldId id) const {
    const FieldValue& value = values_[static_cast<size_t>(id)];
    return value.id == FieldId::kInvalid ? nullptr : &value;
  }

  // True when nothing may be concluded from the value or from its absence:
  // - the value is marked kFieldCut;
  // - process.* but pid, start_ns and `unknown` itself, when the event says process.unknown;
  // - parent.binary, when there is a parent and no parent.binary;
  // - container.*, pod.*, cgroup.path and process.in_container, when it says cgroup.unknown.
  bool IsUnknown(FieldId id) const;

  EventClass cls() const { return cls_; }

 private:
  std::array<FieldValue, kFieldCount> values_{};
  std::array<FieldId, kFieldCount> used_{};  // the first used_count_ are set in values_
  size_t used_count_ = 0;
  EventClass cls_ = EventClass::kNone;
  bool process_unknown_ = false;
  bool parent_unknown_ = false;
  bool cgroup_unknown_ = false;
};

// Whether a process.* field tells of the image, so that it is not known of a process whose exec or
// fork was lost.
bool IsImageField(FieldId id);

// The ancestors of an event's process, nearest first: number 0 is its parent. Called on the thread
// that evaluates, only while an event is being evaluated.
class AncestorSource {
 public:
  virtual ~AncestorSource() = default;
  // How many are known.
  virtual int Count() const = 0;
  // The process.* field of ancestor `generation` (below Count()), with views that stay as long as
  // the event is evaluated; nothing when the ancestor doesn't have it. A value that is not whole is
  // flagged kFieldCut; of an ancestor without a record of its image, kProcessUnknown is true.
  virtual std::optional<FieldValue> Field(int generation, FieldId id) const = 0;
  // False when there are more ancestors than Count(), which the source doesn't know: then no
  // condition on ancestors is false.
  virtual bool Complete() const { return true; }
};

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_EVENT_FIELDS_H_
