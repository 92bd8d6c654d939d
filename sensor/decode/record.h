// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_DECODE_RECORD_H_
#define KENTRY_SENSOR_DECODE_RECORD_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "bpf/abi/event.h"

namespace kentry {

enum class RecordError : uint8_t {
  kNone,
  kShort,    // fewer bytes than its type has
  kSize,     // says another size than it has
  kType,     // no such type
  kVersion,  // of another ABI
  kSpan,     // a string reaches beyond the record
};

// What is wrong, in words.
std::string_view RecordErrorText(RecordError error);

// Checks a record from the kernel: after kNone, As<T> of the type in its header and SpanText of
// every span in it are safe. `bytes` must be 8-byte aligned. Any thread.
RecordError CheckRecord(std::span<const uint8_t> bytes);

inline const ke_hdr& RecordHeader(std::span<const uint8_t> record) {
  return *reinterpret_cast<const ke_hdr*>(record.data());
}

// The checked record as the struct of its type; lives as long as the bytes.
template <typename T>
const T& As(std::span<const uint8_t> record) {
  return *reinterpret_cast<const T*>(record.data());
}

// A string of a checked record.
inline std::string_view SpanText(std::span<const uint8_t> record, ke_span span) {
  return {reinterpret_cast<const char*>(record.data()) + span.off, span.len};
}

}  // namespace kentry

#endif  // KENTRY_SENSOR_DECODE_RECORD_H_
