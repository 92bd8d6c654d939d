// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_JSON_H_
#define KENTRY_EXPORTERS_ENCODE_JSON_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/encode/encoder.h"
#include "sensor/event/field_table.h"

namespace kentry {

// One JSON object a line:
//   {"id":7,"class":"process.exec","time":"2026-11-23T03:04:05.123456789Z","cpu":0,"seq":3,
//    "process":{"pid":42,"args":["ls","-l"]},"parent":{…},…}
// - One object per field group, members in the order of the field table.
// - "cpu" and "seq" only for events that come from the kernel; "partial":true only when set.
// - False bools, empty strings and empty lists are left out.
// - Numbers are JSON integers up to 2^64 - 1 (a parser that has only doubles rounds above 2^53);
//   durations in nanoseconds; bit masks are strings "0x…", devices "major:minor".
// - A value that is not whole has a sibling "<key>_cut":true.
// - Bytes that are not UTF-8 become U+FFFD, and a sibling "<key>_b64" holds the raw bytes in
//   base64; for a list it is an object from the element's index to that: {"3":"…"}.
// - The line is valid UTF-8 and has no byte below 0x20 but its final newline.
class JsonEncoder final : public Encoder {
 public:
  JsonEncoder();
  void Encode(EventView event, Buffer& out) override;

 private:
  // What is written in front of a value, made ready at construction.
  struct Key {
    char text[32] = {};  // "key":  copied whole, because a copy of fixed size is two instructions
    uint8_t size = 0;    // of the part that counts
    uint8_t group = 0;   // index in groups_
    FieldType type = FieldType::kUint;
    bool cut_is_field = false;  // "<key>_cut" is a field of its own
  };

  char* WriteHeader(const EventHeader& header, char* to);
  char* WriteTime(int64_t time_ns, char* to);
  // The members that only values have which are cut or not UTF-8.
  char* WriteSiblings(const FieldDef& field, const FieldValue& value, bool valid, char* to,
                      Buffer& out) const;

  std::array<Key, kFieldCount> keys_;
  std::vector<std::string> groups_;                        // "process":{
  std::array<std::string, kEventClassCount> class_names_;  // ,"class":"process.exec","time":"
  int64_t cached_second_ = INT64_MIN;                      // that second_text_ stands for
  char second_text_[20] = {};                              // 2026-11-23T03:04:05.
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_JSON_H_
