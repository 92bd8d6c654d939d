// SPDX-License-Identifier: Apache-2.0
#include "sensor/event/event.h"

#include <cstring>

#include "fmt/format.h"

namespace kentry {
namespace {

constexpr size_t Padded(size_t len) { return (len + 7) & ~size_t{7}; }

bool IsText(FieldType type) { return type == FieldType::kString || type == FieldType::kStringList; }

}  // namespace

absl::StatusOr<EventView> EventView::Parse(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(EventHeader)) {
    return absl::DataLossError(
        fmt::format("event of {} bytes, its header has {}", bytes.size(), sizeof(EventHeader)));
  }
  EventHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.size != bytes.size()) {
    return absl::DataLossError(
        fmt::format("event says {} bytes, has {}", header.size, bytes.size()));
  }
  if (header.cls == 0 || header.cls >= kEventClassCount) {
    return absl::DataLossError(fmt::format("event of unknown class {}", header.cls));
  }
  size_t at = sizeof(EventHeader);
  uint16_t last = 0;
  for (int i = 0; i < header.field_count; ++i) {
    FieldHeader field;
    if (bytes.size() - at < sizeof(field)) {
      return absl::DataLossError(fmt::format("event ends in the header of value {}", i));
    }
    std::memcpy(&field, bytes.data() + at, sizeof(field));
    at += sizeof(field);
    if (field.id <= last || field.id >= kFieldCount) {
      return absl::DataLossError(
          fmt::format("value {} has field id {} behind {}", i, field.id, last));
    }
    last = field.id;
    if (!IsText(GetField(static_cast<FieldId>(field.id)).type) && field.len != sizeof(uint64_t)) {
      return absl::DataLossError(fmt::format("number {} of {} bytes", i, field.len));
    }
    if (Padded(field.len) > bytes.size() - at) {
      return absl::DataLossError(
          fmt::format("value {} of {} bytes is longer than its event", i, field.len));
    }
    at += Padded(field.len);
  }
  if (at != bytes.size()) {
    return absl::DataLossError(
        fmt::format("event has {} bytes behind its values", bytes.size() - at));
  }
  return EventView(bytes);
}

std::optional<FieldValue> EventView::Find(FieldId id) const {
  size_t at = sizeof(EventHeader);
  for (int left = header().field_count; left > 0; --left) {
    const FieldValue value = ValueAt(&at);
    if (value.id == id) return value;
    if (value.id > id) break;
  }
  return std::nullopt;
}

uint64_t EventView::Number(FieldId id, uint64_t otherwise) const {
  const std::optional<FieldValue> value = Find(id);
  return value ? value->number : otherwise;
}

std::string_view EventView::Text(FieldId id) const {
  const std::optional<FieldValue> value = Find(id);
  return value ? value->text : std::string_view();
}

void EventBuilder::Begin(EventClass cls) {
  bytes_.resize(sizeof(EventHeader));
  EventHeader fresh;
  fresh.cls = static_cast<uint16_t>(cls);
  std::memcpy(bytes_.data(), &fresh, sizeof(fresh));
}

EventHeader& EventBuilder::header() { return *reinterpret_cast<EventHeader*>(bytes_.data()); }

uint8_t* EventBuilder::Append(FieldId id, uint16_t flags, size_t len) {
  const EventView::FieldHeader field{static_cast<uint16_t>(id), flags, static_cast<uint32_t>(len)};
  const size_t at = bytes_.size();
  bytes_.resize(at + sizeof(field) + Padded(len));  // new bytes are zero, the padding stays so
  std::memcpy(bytes_.data() + at, &field, sizeof(field));
  ++header().field_count;
  return bytes_.data() + at + sizeof(field);
}

void EventBuilder::AddNumber(FieldId id, uint64_t value, uint16_t flags) {
  std::memcpy(Append(id, flags, sizeof(value)), &value, sizeof(value));
}

void EventBuilder::AddText(FieldId id, std::string_view text, uint16_t flags) {
  uint8_t* to = Append(id, flags, text.size());
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
}

EventView EventBuilder::View() {
  header().size = static_cast<uint32_t>(bytes_.size());
  return EventView::Trusted(bytes_);
}

}  // namespace kentry
