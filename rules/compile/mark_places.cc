// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/mark_places.h"

#include <algorithm>

#include "sensor/util/packed_text.h"

namespace kentry {

MarkPlaces::Slot* MarkPlaces::Find(std::string_view name) {
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [name](const Slot& slot) { return slot.name == name; });
  return at == slots_.end() ? nullptr : &*at;
}

MarkPlaces::Slot* MarkPlaces::Free(const MarkList& list) {
  if (Slot* unused = Find(""); unused != nullptr) return unused;
  // There is one: a list has no more marks than there are slots.
  return &*std::find_if(slots_.begin(), slots_.end(), [&list](const Slot& slot) {
    return list.Find(slot.name) == list.marks().size();
  });
}

void MarkPlaces::Lose(const std::string& name) {
  if (lost_.size() < kLostMax) {
    lost_.insert(name);
  } else {
    all_lost_ = true;
  }
}

std::vector<MarkPlace> MarkPlaces::Place(const MarkList& list) {
  std::vector<MarkPlace> places;
  for (const MarkInfo& mark : list.marks()) {
    Slot* slot = Find(mark.name);
    if (slot == nullptr) {
      slot = Free(list);
      const bool used = !slot->name.empty();
      if (used) Lose(slot->name);
      *slot = {.name = mark.name, .all_seen = !IsLost(mark.name), .certain = !used};
    }
    // For good: the next rule set's processes may have been marked under this one.
    slot->all_seen &= !mark.set_outside;
    slot->certain &= !mark.ends;
    places.push_back({.bit = static_cast<uint32_t>(slot - slots_.data()),
                      .all_seen = slot->all_seen,
                      .certain = slot->certain});
  }
  for (const std::string& name : list.left_out()) {
    Lose(name);
    if (Slot* slot = Find(name); slot != nullptr) slot->all_seen = false;
  }
  return places;
}

std::string MarkPlaces::Save() const {
  PackedText text;
  for (const Slot& slot : slots_) {
    text.Add(slot.name);
    text.Add(uint64_t{slot.all_seen} | uint64_t{slot.certain} << 1);
  }
  text.Add(uint64_t{all_lost_});
  text.Add(lost_.size());
  for (const std::string& name : lost_) text.Add(name);
  return text.Take();
}

absl::StatusOr<MarkPlaces> MarkPlaces::Restore(std::string_view text) {
  PackedReader reader(text);
  MarkPlaces places;
  for (Slot& slot : places.slots_) {
    slot.name = reader.Text();
    const uint64_t flags = reader.Number();
    slot.all_seen = (flags & 1) != 0;
    slot.certain = (flags & 2) != 0;
  }
  places.all_lost_ = reader.Number() != 0;
  const uint64_t lost = reader.Number();
  for (uint64_t i = 0; i < lost && i < kLostMax && reader.ok(); ++i) {
    places.lost_.insert(reader.Text());
  }
  if (!reader.ok()) return absl::DataLossError("places of marks: not whole");
  return places;
}

}  // namespace kentry
