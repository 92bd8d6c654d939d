// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/utf8.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace kentry {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
constexpr bool IsIn(const Range (&ranges)[N], char32_t value) {
  const Range* range = std::upper_bound(std::begin(ranges), std::end(ranges), value,
                                        [](char32_t v, const Range& r) { return v <= r.last; });
  return range != std::end(ranges) && range->first <= value;
}

constexpr Range kUnprintable[] = {
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},  // C0, DEL, C1, soft hyphen
    {0x34f, 0x34f},     {0x61c, 0x61c},                    // grapheme joiner, Arabic letter mark
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},  // fillers, Mongolian selectors
    {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},  // zero-width, bidi, separators
    {0x3164, 0x3164},   {0xd800, 0xdfff},   {0xfdd0, 0xfdef},  // filler, surrogates, non-characters
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},  // variation selectors, BOM
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x1bca0, 0x1bca3},  // interlinear marks, shorthand
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},                      // musical format, tags
};

constexpr Range kJsonEscaped[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

constexpr Range kCombining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x64b, 0x65f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

}  // namespace

CodePoint DecodeUtf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  // The second byte's bounds are what excludes overlong forms, surrogates and what is too large.
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  size_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {0, 1, false};
  }
  char32_t value = lead & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {0, i, false};
    value = (value << 6) | (byte(i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {value, size, true};
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    if (!point.valid) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

bool IsUnprintable(char32_t value) {
  return IsIn(kUnprintable, value) || (value & 0xfffe) == 0xfffe || value > 0x10ffff;
}

bool IsJsonEscaped(char32_t value) { return IsIn(kJsonEscaped, value); }

int Columns(char32_t value) {
  if (value < 0x300) return 1;
  if (IsIn(kCombining, value)) return 0;
  return IsIn(kWide, value) ? 2 : 1;
}

}  // namespace kentry
