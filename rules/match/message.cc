// SPDX-License-Identifier: Apache-2.0
#include "rules/match/message.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <system_error>

namespace kentry {
namespace {

constexpr int kDeviceMinorBits = 20;

template <typename T>
void AppendNumber(T number, int base, std::string* out) {
  char digits[24];
  const std::to_chars_result end =
      std::to_chars(std::begin(digits), std::end(digits), number, base);
  out->append(digits, end.ptr);
}

// At most `most` bytes, and no character of UTF-8 is cut in two.
std::string_view Cut(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  const auto continues = [&](size_t at) { return (text[at] & 0xc0) == 0x80; };
  size_t end = most;
  while (most - end < 3 && continues(end)) --end;
  return text.substr(0, continues(end) ? most : end);
}

void AppendList(std::string_view list, std::string* out) {
  if (list.ends_with('\0')) list.remove_suffix(1);
  const size_t from = out->size();
  out->append(Cut(list, kMaxMessageValue));
  std::replace(out->begin() + static_cast<ptrdiff_t>(from), out->end(), '\0', ' ');
}

}  // namespace

void AppendFieldText(const FieldValue& value, std::string* out) {
  switch (GetField(value.id).type) {
    case FieldType::kString:
      out->append(Cut(value.text, kMaxMessageValue));
      return;
    case FieldType::kStringList:
      return AppendList(value.text, out);
    case FieldType::kBool:
      out->append(value.number != 0 ? "true" : "false");
      return;
    case FieldType::kInt:
      return AppendNumber(static_cast<int64_t>(value.number), 10, out);
    case FieldType::kHex:
      out->append("0x");
      return AppendNumber(value.number, 16, out);
    case FieldType::kDevice:
      AppendNumber(value.number >> kDeviceMinorBits, 10, out);
      out->push_back(':');
      return AppendNumber(value.number & ((uint64_t{1} << kDeviceMinorBits) - 1), 10, out);
    case FieldType::kUint:
    case FieldType::kDuration:
      return AppendNumber(value.number, 10, out);
  }
}

void RenderMessage(const Rule& rule, const EventFields& event, std::string* out) {
  out->clear();
  if (rule.message.empty()) {
    out->append(rule.description.empty() ? rule.name : rule.description);
    return;
  }
  for (const MessagePart& part : rule.message) {
    out->append(part.text);
    if (part.field == FieldId::kInvalid) continue;
    if (const FieldValue* value = event.Get(part.field)) {
      AppendFieldText(*value, out);
    } else if (event.IsUnknown(part.field)) {
      out->push_back('?');
    } else if (GetField(part.field).type == FieldType::kBool) {
      out->append("false");
    }
  }
  if (out->size() > kMaxMessage) out->resize(Cut(*out, kMaxMessage).size());
}

}  // namespace kentry
