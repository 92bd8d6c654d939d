// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_UTIL_PACKED_TEXT_H_
#define KENTRY_SENSOR_UTIL_PACKED_TEXT_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace kentry {

// Numbers and strings in one string, in the byte order of the machine that also reads them.
class PackedText {
 public:
  void Add(uint64_t number) {
    char bytes[sizeof(number)];
    std::memcpy(bytes, &number, sizeof(number));
    text_.append(bytes, sizeof(bytes));
  }
  void Add(std::string_view part) {
    Add(uint64_t{part.size()});
    text_ += part;
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Reads them in the same order. Behind the end everything is 0 and empty, and ok() is false.
class PackedReader {
 public:
  // `text` must outlive the reader.
  explicit PackedReader(std::string_view text) : left_(text) {}

  uint64_t Number() {
    uint64_t number = 0;
    if (!Has(sizeof(number))) return 0;
    std::memcpy(&number, left_.data(), sizeof(number));
    left_.remove_prefix(sizeof(number));
    return number;
  }
  std::string Text() {
    const uint64_t size = Number();
    if (!Has(size)) return "";
    std::string text(left_.substr(0, size));
    left_.remove_prefix(size);
    return text;
  }
  bool ok() const { return ok_; }

 private:
  bool Has(uint64_t bytes) {
    ok_ = ok_ && bytes <= left_.size();
    return ok_;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_PACKED_TEXT_H_
