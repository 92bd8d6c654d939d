// SPDX-License-Identifier: Apache-2.0
// Any bytes through the JSON escape: both of its forms agree, an independent parser accepts the
// result, and the bytes come back, directly or out of base64.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/encode/escape.h"
#include "exporters/encode/json.h"
#include "nlohmann/json.hpp"
#include "sensor/event/event.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// Decodes by search, unlike the encoder, and refuses everything that is not canonical.
std::string DecodeBase64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  Require(text.size() % 4 == 0);
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    Require(digit != std::string_view::npos);
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>(bits >> count & 0xff));
  }
  return bytes;
}

std::string Escape(std::string_view text, bool* valid) {
  std::vector<char> room(kentry::EscapedRoom(text.size()));
  const kentry::Escaped best = kentry::EscapeJson(text, room.data());
  std::string result(room.data(), best.end);
  std::vector<char> other(kentry::EscapedRoom(text.size()));
  const kentry::Escaped portable = kentry::EscapeJsonPortable(text, other.data());
  Require(result ==
          std::string_view(other.data(), static_cast<size_t>(portable.end - other.data())));
  Require(best.valid == portable.valid);
  *valid = best.valid;
  return result;
}

void CheckEscape(std::string_view text) {
  bool valid = false;
  const std::string escaped = Escape(text, &valid);
  for (const char c : escaped) Require(static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);
  // The parser refuses what is not UTF-8.
  const auto parsed = nlohmann::json::parse('"' + escaped + '"').get<std::string>();
  Require(!valid || parsed == text);
  Require(valid || parsed.find("\xef\xbf\xbd") != std::string::npos);
}

// The bytes as a string and as a list of an event: both come back whole.
void CheckEvent(std::string_view text) {
  kentry::EventBuilder builder;
  builder.Begin(kentry::EventClass::kProcessExec);
  const std::string_view path = text.substr(0, text.find('\0'));
  builder.AddText(kentry::FieldId::kProcessBinary, path);
  builder.AddText(kentry::FieldId::kProcessArgs, text);
  kentry::JsonEncoder encoder;
  kentry::Buffer out;
  encoder.Encode(builder.View(), out);
  Require(out.view().back() == '\n');
  const auto parsed = nlohmann::json::parse(out.view());
  if (text.empty()) return;
  const auto& process = parsed.at("process");
  if (!path.empty()) {
    const bool raw = process.contains("binary_b64");
    Require(path == (raw ? DecodeBase64(process["binary_b64"].get<std::string>())
                         : process["binary"].get<std::string>()));
  }
  size_t index = 0;
  kentry::ForEachString(text, [&](std::string_view element) {
    const std::string key = std::to_string(index);
    const bool raw = process.contains("args_b64") && process["args_b64"].contains(key);
    Require(element == (raw ? DecodeBase64(process["args_b64"][key].get<std::string>())
                            : process["args"].at(index).get<std::string>()));
    ++index;
  });
  Require(process["args"].size() == index);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckEscape(text);
  CheckEvent(text);
  return 0;
}
