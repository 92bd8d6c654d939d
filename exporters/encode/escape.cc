// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/escape.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "sensor/util/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace kentry {
namespace {

// A block copies kSize bytes and returns how many of them, from the first, are plain: printable
// ASCII but `"` and `\`.
struct WordBlock {
  static constexpr size_t kSize = 8;

  static size_t Copy(const char* from, char* to) {
    uint64_t word;
    std::memcpy(&word, from, kSize);
    std::memcpy(to, &word, kSize);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    // A borrow can mark bytes behind the first special one by mistake, never before it.
    const uint64_t special = (Zero(word ^ kOnes * '"') | Zero(word ^ kOnes * '\\') |
                              Zero(word ^ kOnes * 0x7f) | ((word - kOnes * 0x20) & ~word) | word) &
                             kHighs;
    return special == 0 ? kSize : static_cast<size_t>(std::countr_zero(special)) / 8;
  }

 private:
  static constexpr uint64_t kOnes = 0x0101010101010101;
  static constexpr uint64_t kHighs = 0x8080808080808080;
  static constexpr uint64_t Zero(uint64_t word) { return (word - kOnes) & ~word; }
};

#ifdef __SSE2__
struct VectorBlock {
  static constexpr size_t kSize = 16;

  static size_t Copy(const char* from, char* to) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
    // Signed: also true for 0x80 and above.
    const __m128i control = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(control, quote), _mm_or_si128(backslash, del))));
    return mask == 0 ? kSize : static_cast<size_t>(std::countr_zero(mask));
  }
};
using BestBlock = VectorBlock;
#else
using BestBlock = WordBlock;
#endif

constexpr char kHexDigits[] = "0123456789abcdef";

char* WriteEscape(char32_t value, char* to) {
  *to++ = '\\';
  switch (value) {
    case '"':
    case '\\':
      *to++ = static_cast<char>(value);
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    default:
      break;
  }
  *to++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *to++ = kHexDigits[(value >> shift) & 15];
  return to;
}

// Writes the one code point at text[*at] and moves *at behind it.
Escaped WriteSpecial(std::string_view text, size_t* at, char* to) {
  const CodePoint point = DecodeUtf8(text.substr(*at));
  const size_t from = *at;
  *at += point.size;
  if (!point.valid) {
    constexpr std::string_view kReplacement = "\xef\xbf\xbd";
    std::memcpy(to, kReplacement.data(), kReplacement.size());
    return {to + kReplacement.size(), false};
  }
  if (point.value == '"' || point.value == '\\' || IsJsonEscaped(point.value)) {
    return {WriteEscape(point.value, to), true};
  }
  std::memcpy(to, text.data() + from, point.size);
  return {to + point.size, true};
}

// Copies fewer than 16 bytes, which `to` has room for, without calling memcpy.
void CopyShort(const char* from, size_t size, char* to) {
  const auto ends = [=](auto word) {
    std::memcpy(&word, from, sizeof(word));
    auto last = word;
    std::memcpy(&last, from + size - sizeof(word), sizeof(word));
    std::memcpy(to, &word, sizeof(word));
    std::memcpy(to + size - sizeof(word), &last, sizeof(word));
  };
  if (size >= 8) {
    ends(uint64_t{});
  } else if (size >= 4) {
    ends(uint32_t{});
  } else {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

template <typename Block>
Escaped Escape(std::string_view text, char* to) {
  bool valid = true;
  size_t at = 0;
  while (at < text.size()) {
    const size_t left = text.size() - at;
    size_t plain;
    if (left >= Block::kSize) {
      plain = Block::Copy(text.data() + at, to);
      if (plain == Block::kSize) {
        at += plain;
        to += plain;
        continue;
      }
    } else {
      // The block reads no byte behind the text, so its end is copied first, over blanks.
      char block[Block::kSize];
      std::memset(block, ' ', sizeof(block));
      CopyShort(text.data() + at, left, block);
      plain = Block::Copy(block, to);
      if (plain >= left) return {to + left, valid};
    }
    at += plain;
    const Escaped special = WriteSpecial(text, &at, to + plain);
    to = special.end;
    valid &= special.valid;
  }
  return {to, valid};
}

}  // namespace

Escaped EscapeJson(std::string_view text, char* to) { return Escape<BestBlock>(text, to); }

Escaped EscapeJsonPortable(std::string_view text, char* to) { return Escape<WordBlock>(text, to); }

char* EncodeBase64(std::string_view bytes, char* to) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t left = bytes.size() - at;
    const auto byte = [&](size_t i) -> uint32_t {
      return i < left ? static_cast<uint8_t>(bytes[at + i]) : 0;
    };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    *to++ = kDigits[bits >> 18];
    *to++ = kDigits[bits >> 12 & 63];
    *to++ = left > 1 ? kDigits[bits >> 6 & 63] : '=';
    *to++ = left > 2 ? kDigits[bits & 63] : '=';
  }
  return to;
}

}  // namespace kentry
