// SPDX-License-Identifier: Apache-2.0
// Numbers as text for the encoders. Each function writes to `to` and returns the end of what it
// wrote; it may use up to kNumberRoom bytes of `to`.
#ifndef KENTRY_EXPORTERS_ENCODE_NUMBER_H_
#define KENTRY_EXPORTERS_ENCODE_NUMBER_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kentry {

inline constexpr size_t kNumberRoom = 32;

namespace number_internal {

// The eight decimal digits of a number below 10^8, one a byte, the first in the lowest byte. Splits
// all halves of the number at once, in lanes of one word; the factors are reciprocals of 100 and 10
// that are exact for the lanes' ranges.
constexpr uint64_t EightDigits(uint32_t value) {
  const uint64_t top = value / 10000;
  const uint64_t fours = top | (value - top * 10000) << 32;
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = ((pairs * 103) >> 10) & 0x000f000f000f000f;
  return tens | (pairs - tens * 10) << 8;
}

inline constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (int i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

// Writes a number from 0 to 99 in as many digits as it has.
inline char* WriteSmall(uint32_t value, char* to) {
  if (value < 10) {
    *to = static_cast<char>('0' + value);
    return to + 1;
  }
  std::memcpy(to, &kPairs[2 * value], 2);
  return to + 2;
}

inline constexpr uint64_t kZeros = 0x3030303030303030;  // "00000000"
inline constexpr uint64_t kEightDigitsEnd = 100'000'000;

inline void Store(uint64_t bytes, char* to) {
  if constexpr (std::endian::native == std::endian::big) bytes = __builtin_bswap64(bytes);
  std::memcpy(to, &bytes, sizeof(bytes));
}

}  // namespace number_internal

// Decimal, 1 to 20 digits.
inline char* WriteUint(uint64_t value, char* to) {
  using namespace number_internal;
  // Most numbers in events are small or have ten digits (namespaces).
  if (value < 100) return WriteSmall(static_cast<uint32_t>(value), to);
  if (value < 10000) {
    const auto small = static_cast<uint32_t>(value);
    to = WriteSmall(small / 100, to);
    std::memcpy(to, &kPairs[2 * (small % 100)], 2);
    return to + 2;
  }
  if (value < kEightDigitsEnd) {
    const uint64_t digits = EightDigits(static_cast<uint32_t>(value));
    const int zeros = std::countr_zero(digits) & ~7;  // leading ones, in bits
    Store((digits | kZeros) >> zeros, to);
    return to + 8 - zeros / 8;
  }
  const uint64_t top = value / kEightDigitsEnd;
  to = top < 100 ? WriteSmall(static_cast<uint32_t>(top), to) : WriteUint(top, to);
  Store(EightDigits(static_cast<uint32_t>(value - top * kEightDigitsEnd)) | kZeros, to);
  return to + 8;
}

// Decimal with leading zeros, exactly 8 or 9 digits; `value` has no more than that.
inline char* WriteEightDigits(uint64_t value, char* to) {
  using namespace number_internal;
  Store(EightDigits(static_cast<uint32_t>(value)) | kZeros, to);
  return to + 8;
}
inline char* WriteNineDigits(uint64_t value, char* to) {
  const uint64_t first = value / number_internal::kEightDigitsEnd;
  *to = static_cast<char>('0' + first);
  return WriteEightDigits(value - first * number_internal::kEightDigitsEnd, to + 1);
}

inline char* WriteInt(int64_t value, char* to) {
  if (value >= 0) return WriteUint(static_cast<uint64_t>(value), to);
  *to = '-';
  return WriteUint(uint64_t{0} - static_cast<uint64_t>(value), to + 1);
}

// "0x" and at least one lower-case digit.
inline char* WriteHex(uint64_t value, char* to) {
  *to++ = '0';
  *to++ = 'x';
  for (int shift = (std::bit_width(value | 1) - 1) & ~3; shift >= 0; shift -= 4) {
    *to++ = "0123456789abcdef"[(value >> shift) & 15];
  }
  return to;
}

// Decimal with leading zeros, exactly `digits` digits; `value` has no more than that.
inline char* WritePadded(uint64_t value, int digits, char* to) {
  for (int at = digits - 1; at >= 0; --at) {
    to[at] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return to + digits;
}

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_NUMBER_H_
