// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/json_writer.h"

#include <utility>

#include "exporters/encode/escape.h"
#include "fmt/format.h"

namespace kentry {

void JsonWriter::Key(std::string_view key) {
  if (!first_) text_ += ',';
  first_ = false;
  if (key.empty()) return;
  Quoted(key);
  text_ += ':';
}

bool JsonWriter::Quoted(std::string_view bytes) {
  text_ += '"';
  const size_t at = text_.size();
  text_.resize(at + EscapedRoom(bytes.size()));
  const Escaped escaped = EscapeJson(bytes, text_.data() + at);
  text_.resize(static_cast<size_t>(escaped.end - text_.data()));
  text_ += '"';
  return escaped.valid;
}

void JsonWriter::Base64(std::string_view bytes) {
  text_ += '"';
  const size_t at = text_.size();
  text_.resize(at + Base64Room(bytes.size()));
  EncodeBase64(bytes, text_.data() + at);
  text_ += '"';
}

void JsonWriter::BeginObject(std::string_view key) {
  Key(key);
  text_ += '{';
  first_ = true;
}

void JsonWriter::EndObject() {
  text_ += '}';
  first_ = false;
}

void JsonWriter::BeginArray(std::string_view key) {
  Key(key);
  text_ += '[';
  first_ = true;
}

void JsonWriter::EndArray() {
  text_ += ']';
  first_ = false;
}

void JsonWriter::String(std::string_view key, std::string_view bytes) {
  Key(key);
  if (Quoted(bytes) || key.empty()) return;
  Key(fmt::format("{}_b64", key));
  Base64(bytes);
}

void JsonWriter::Strings(std::string_view key, std::span<const std::string> list) {
  BeginArray(key);
  std::string raw;  // members of the sibling
  for (size_t i = 0; i < list.size(); ++i) {
    Key({});
    if (Quoted(list[i])) continue;
    const size_t before = text_.size();
    Base64(list[i]);
    raw += fmt::format("{}\"{}\":{}", raw.empty() ? "" : ",", i, text_.substr(before));
    text_.resize(before);
  }
  EndArray();
  if (raw.empty()) return;
  Key(fmt::format("{}_b64", key));
  text_ += fmt::format("{{{}}}", raw);
}

void JsonWriter::Uint(std::string_view key, uint64_t value) {
  Key(key);
  text_ += fmt::format("{}", value);
}

void JsonWriter::Int(std::string_view key, int64_t value) {
  Key(key);
  text_ += fmt::format("{}", value);
}

void JsonWriter::Bool(std::string_view key, bool value) {
  Key(key);
  text_ += value ? "true" : "false";
}

std::string JsonWriter::TakeLine() {
  text_ += '\n';
  first_ = true;
  return std::exchange(text_, {});
}

}  // namespace kentry
