// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/json.h"

#include <cassert>
#include <cstring>

#include "exporters/encode/escape.h"
#include "exporters/encode/number.h"
#include "sensor/util/utf8.h"

namespace kentry {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int kNoGroup = -1;

char* WriteText(std::string_view text, char* to) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

// Days since 1970 as a civil date. The calendar repeats every 400 years of 146,097 days, and with
// years that begin in March the leap day is the last of its year.
char* WriteDate(int64_t days, char* to) {
  const int64_t shifted = days + 719468;  // days since 0000-03-01
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day = shifted - era * 146097;
  const int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
  const int64_t march_month = (5 * day_of_year + 2) / 153;
  const int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  const int64_t civil_year = year + era * 400 + (month <= 2 ? 1 : 0);
  to = WritePadded(static_cast<uint64_t>(civil_year), 4, to);
  *to++ = '-';
  to = WritePadded(static_cast<uint64_t>(month), 2, to);
  *to++ = '-';
  return WritePadded(static_cast<uint64_t>(day_of_year - (153 * march_month + 2) / 5 + 1), 2, to);
}

// "key<suffix>":
void AppendKey(std::string_view key, std::string_view suffix, Buffer& out) {
  out.Append('"');
  out.Append(key);
  out.Append(suffix);
  out.Append("\":");
}

void AppendBase64(std::string_view bytes, Buffer& out) {
  char* to = out.Room(Base64Room(bytes.size()) + 2);
  *to++ = '"';
  to = EncodeBase64(bytes, to);
  *to++ = '"';
  out.SetEnd(to);
}

// The sibling member with the raw bytes of an invalid string, or of a list's invalid elements.
void AppendRaw(const FieldDef& field, std::string_view text, Buffer& out) {
  AppendKey(field.key, "_b64", out);
  if (field.type == FieldType::kString) {
    AppendBase64(text, out);
    out.Append(',');
    return;
  }
  char separator = '{';
  uint64_t index = 0;
  ForEachString(text, [&](std::string_view element) {
    if (!IsValidUtf8(element)) {
      out.Append(separator);
      separator = ',';
      char* to = out.Room(kNumberRoom + 4);
      *to++ = '"';
      to = WriteUint(index, to);
      *to++ = '"';
      *to++ = ':';
      out.SetEnd(to);
      AppendBase64(element, out);
    }
    ++index;
  });
  out.Append("},");
}

// Room for an event that is all valid UTF-8: its header line, for each value group, key, number and
// quotes, and for each byte of text six; a list element adds quotes and comma to its one NUL.
size_t RoomFor(const EventHeader& header) {
  return 512 + header.field_count * size_t{160} + EscapedRoom(header.size) + 3 * header.size;
}

Escaped WriteList(std::string_view list, char* to) {
  bool valid = true;
  *to++ = '[';
  ForEachString(list, [&](std::string_view element) {
    *to++ = '"';
    const Escaped escaped = EscapeJson(element, to);
    to = escaped.end;
    valid &= escaped.valid;
    *to++ = '"';
    *to++ = ',';
  });
  to[-1] = ']';
  return {to, valid};
}

char* WriteDevice(uint64_t device, char* to) {
  *to++ = '"';
  to = WriteUint(device >> 20, to);
  *to++ = ':';
  to = WriteUint(device & 0xfffff, to);
  *to++ = '"';
  return to;
}

// False bools, empty strings and empty lists; but not what was cut to nothing.
bool IsLeftOut(FieldType type, const FieldValue& value) {
  if (type == FieldType::kBool) return value.number == 0;
  const bool text = type == FieldType::kString || type == FieldType::kStringList;
  return text && value.text.empty() && (value.flags & kFieldCut) == 0;
}

// Takes the value apart, so that it can live in registers.
Escaped WriteValue(FieldType type, uint64_t number, std::string_view text, char* to) {
  switch (type) {
    case FieldType::kUint:
    case FieldType::kDuration:
      return {WriteUint(number, to), true};
    case FieldType::kInt:
      return {WriteInt(static_cast<int64_t>(number), to), true};
    case FieldType::kBool:
      return {WriteText("true", to), true};
    case FieldType::kHex:
      *to++ = '"';
      to = WriteHex(number, to);
      *to++ = '"';
      return {to, true};
    case FieldType::kDevice:
      return {WriteDevice(number, to), true};
    case FieldType::kString: {
      *to++ = '"';
      Escaped escaped = EscapeJson(text, to);
      *escaped.end++ = '"';
      return escaped;
    }
    case FieldType::kStringList:
      if (text.empty()) return {WriteText("[]", to), true};
      return WriteList(text, to);
  }
  return {to, true};
}

}  // namespace

JsonEncoder::JsonEncoder() {
  std::string_view group;
  for (const FieldDef& field : Fields()) {
    if (field.group != group) {
      group = field.group;
      groups_.push_back('"' + std::string(group) + "\":{");
    }
    Key& key = keys_[static_cast<size_t>(field.id)];
    const std::string text = '"' + std::string(field.key) + "\":";
    assert(text.size() <= sizeof(key.text));
    key.size = static_cast<uint8_t>(text.size());
    std::memcpy(key.text, text.data(), text.size());
    key.group = static_cast<uint8_t>(groups_.size() - 1);
    key.type = field.type;
    key.cut_is_field = FindField(std::string(field.name) + "_cut") != nullptr;
  }
  for (const ClassDef& cls : Classes()) {
    class_names_[static_cast<size_t>(cls.id)] =
        ",\"class\":\"" + std::string(cls.name) + "\",\"time\":\"";
  }
}

char* JsonEncoder::WriteTime(int64_t time_ns, char* to) {
  int64_t second = time_ns / kNsPerSecond;
  int64_t rest = time_ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    --second;
  }
  if (second != cached_second_) {
    cached_second_ = second;
    constexpr int64_t kSecondsPerDay = 86400;
    const int64_t days = (second >= 0 ? second : second - kSecondsPerDay + 1) / kSecondsPerDay;
    const auto of_day = static_cast<uint64_t>(second - days * kSecondsPerDay);
    char* text = WriteDate(days, second_text_);
    *text++ = 'T';
    text = WritePadded(of_day / 3600, 2, text);
    *text++ = ':';
    text = WritePadded(of_day / 60 % 60, 2, text);
    *text++ = ':';
    text = WritePadded(of_day % 60, 2, text);
    *text = '.';
  }
  std::memcpy(to, second_text_, sizeof(second_text_));
  return WriteNineDigits(static_cast<uint64_t>(rest), to + sizeof(second_text_));
}

char* JsonEncoder::WriteHeader(const EventHeader& header, char* to) {
  to = WriteText("{\"id\":", to);
  to = WriteUint(header.id, to);
  to = WriteText(class_names_[header.cls], to);
  to = WriteTime(header.time_ns, to);
  to = WriteText("Z\",", to);
  if (header.seq != 0) {
    to = WriteText("\"cpu\":", to);
    to = WriteUint(header.cpu, to);
    to = WriteText(",\"seq\":", to);
    to = WriteUint(header.seq, to);
    *to++ = ',';
  }
  if ((header.flags & kEventPartial) != 0) to = WriteText("\"partial\":true,", to);
  return to;
}

char* JsonEncoder::WriteSiblings(const FieldDef& field, const FieldValue& value, bool valid,
                                 char* to, Buffer& out) const {
  out.SetEnd(to);
  if (!valid) AppendRaw(field, value.text, out);
  if ((value.flags & kFieldCut) != 0 && !keys_[static_cast<size_t>(field.id)].cut_is_field) {
    AppendKey(field.key, "_cut", out);
    out.Append("true,");
  }
  return out.Room(0);
}

// Each member is written with a comma behind it, and the last one's comma becomes the bracket that
// closes its object: no member need know whether it is the first.
void JsonEncoder::Encode(EventView event, Buffer& out) {
  const size_t room = RoomFor(event.header());
  char* to = WriteHeader(event.header(), out.Room(room));
  int group = kNoGroup;
  event.ForEachValue([&](const FieldValue& value) {
    const Key& key = keys_[static_cast<size_t>(value.id)];
    if (key.type != FieldType::kUint && IsLeftOut(key.type, value)) return;
    if (key.group != group) {
      if (group != kNoGroup) {
        to[-1] = '}';
        *to++ = ',';
      }
      group = key.group;
      to = WriteText(groups_[key.group], to);
    }
    std::memcpy(to, key.text, sizeof(key.text));
    to += key.size;
    bool valid = true;
    if (key.type == FieldType::kUint) {
      to = WriteUint(value.number, to);
    } else {
      const Escaped written = WriteValue(key.type, value.number, value.text, to);
      to = written.end;
      valid = written.valid;
    }
    *to++ = ',';
    if (!valid || (value.flags & kFieldCut) != 0) {
      // A copy for the same reason as in WriteValue: this way is rare.
      const FieldValue copy = value;
      to = WriteSiblings(GetField(copy.id), copy, valid, to, out);
      to = out.Room(to, room);
    }
  });
  to[-1] = '}';
  if (group != kNoGroup) *to++ = '}';
  *to++ = '\n';
  out.SetEnd(to);
}

}  // namespace kentry
