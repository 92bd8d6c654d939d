// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_JSON_WRITER_H_
#define KENTRY_SENSOR_CLI_JSON_WRITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kentry {

// Writes one JSON value on one line; for the commands' answers, where speed doesn't matter. As in
// events, bytes that are not UTF-8 get a sibling "<key>_b64" (for lists: an object from index to
// that). The caller closes what it opens. One thread.
class JsonWriter {
 public:
  // An empty key is for elements of arrays and for the outermost value.
  void BeginObject(std::string_view key = {});
  void EndObject();
  void BeginArray(std::string_view key = {});
  void EndArray();

  void String(std::string_view key, std::string_view bytes);
  void Strings(std::string_view key, std::span<const std::string> list);
  void Uint(std::string_view key, uint64_t value);
  void Int(std::string_view key, int64_t value);
  void Bool(std::string_view key, bool value);

  // The text so far with a newline; the writer starts again.
  std::string TakeLine();

 private:
  void Key(std::string_view key);
  // Appends `bytes` quoted; whether they were UTF-8.
  bool Quoted(std::string_view bytes);
  void Base64(std::string_view bytes);

  std::string text_;
  bool first_ = true;  // no comma before the next value
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_JSON_WRITER_H_
