// SPDX-License-Identifier: Apache-2.0
// An event as the pipeline hands it on: a header and a list of typed values, in one flat piece of
// memory. The journal stores these bytes, encoders and matchers read them; no reader needs the
// process table.
#ifndef KENTRY_SENSOR_EVENT_EVENT_H_
#define KENTRY_SENSOR_EVENT_EVENT_H_

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sensor/event/field_table.h"

namespace kentry {

// First bytes of an event. Native byte order: an event does not leave the machine in this form.
struct EventHeader {
  uint32_t size = 0;  // whole event, header included, a multiple of 8
  uint16_t cls = 0;   // EventClass
  uint16_t field_count = 0;
  uint64_t id = 0;       // position in the journal, from 1; set by the journal
  int64_t time_ns = 0;   // wall clock, nanoseconds since 1970
  uint64_t boot_ns = 0;  // CLOCK_BOOTTIME of the event in the kernel
  uint64_t seq = 0;      // the kernel's number per (cpu, class); 0 = user space's own event
  uint32_t cpu = 0;
  uint32_t flags = 0;  // EventFlag bits
};

enum EventFlag : uint32_t {
  kEventPartial = 1,  // something about it could not be found in time
  kEventAlert = 2,    // a rule that matches wants people to see it
};

enum FieldFlag : uint16_t {
  kFieldCut = 1,  // the value is not whole
};

// A value of an event. Views point into the event's bytes.
struct FieldValue {
  FieldId id = FieldId::kInvalid;
  uint16_t flags = 0;     // FieldFlag bits
  uint64_t number = 0;    // kUint, kInt (two's complement), kBool, kDuration, kHex, kDevice
  std::string_view text;  // kString: the bytes; kStringList: see FieldType; else meaningless
};

// Calls f(std::string_view) for each string of a kStringList value.
template <typename F>
void ForEachString(std::string_view list, F f) {
  while (!list.empty()) {
    const size_t end = list.find('\0');
    f(list.substr(0, end));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

// Reads an event. A view does not own its bytes; they must outlive it. Any thread.
class EventView {
 public:
  // Checks every length and id, so that the rest need not: for bytes from outside.
  static absl::StatusOr<EventView> Parse(std::span<const uint8_t> bytes);
  // For bytes that an EventBuilder made.
  static EventView Trusted(std::span<const uint8_t> bytes) { return EventView(bytes); }

  const EventHeader& header() const { return *reinterpret_cast<const EventHeader*>(bytes_.data()); }
  EventClass cls() const { return static_cast<EventClass>(header().cls); }
  std::span<const uint8_t> bytes() const { return bytes_; }

  // The field's value, or nothing when the event doesn't carry it.
  std::optional<FieldValue> Find(FieldId id) const;
  // The field's number, or `otherwise`.
  uint64_t Number(FieldId id, uint64_t otherwise = 0) const;
  // The field's text, or "".
  std::string_view Text(FieldId id) const;

  // Calls f(const FieldDef&, const FieldValue&) for each value, in the order of the field ids.
  template <typename F>
  void ForEach(F f) const {
    ForEachValue([&f](const FieldValue& value) { f(GetField(value.id), value); });
  }
  // The same without the field's row, for who has a table of his own: f(const FieldValue&).
  template <typename F>
  void ForEachValue(F f) const {
    size_t at = sizeof(EventHeader);
    for (int left = header().field_count; left > 0; --left) f(ValueAt(&at));
  }

 private:
  friend class EventBuilder;
  explicit EventView(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  struct FieldHeader {
    uint16_t id = 0;
    uint16_t flags = 0;
    uint32_t len = 0;
  };
  // The value at *at; moves *at behind it. Inline and without a look at the field table, because
  // every encoder does it for every value.
  FieldValue ValueAt(size_t* at) const {
    FieldHeader field;
    std::memcpy(&field, bytes_.data() + *at, sizeof(field));
    const uint8_t* data = bytes_.data() + *at + sizeof(field);
    *at += sizeof(field) + ((size_t{field.len} + 7) & ~size_t{7});
    FieldValue value{.id = static_cast<FieldId>(field.id),
                     .flags = field.flags,
                     .text = {reinterpret_cast<const char*>(data), field.len}};
    if (field.len == sizeof(value.number)) std::memcpy(&value.number, data, sizeof(value.number));
    return value;
  }

  std::span<const uint8_t> bytes_;
};

// Builds one event after the other in the same memory. Values must be added in the order of their
// field ids. One thread.
class EventBuilder {
 public:
  // Starts a new event; what was built before is gone.
  void Begin(EventClass cls);
  EventHeader& header();
  void AddNumber(FieldId id, uint64_t value, uint16_t flags = 0);
  // `text` for kString and kStringList; it is copied.
  void AddText(FieldId id, std::string_view text, uint16_t flags = 0);
  // The finished event, valid until the next call of Begin or Add….
  EventView View();

 private:
  // Room for a value of `len` bytes behind its field header.
  uint8_t* Append(FieldId id, uint16_t flags, size_t len);

  std::vector<uint8_t> bytes_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_EVENT_EVENT_H_
