// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace kentry {
namespace {

// The plain definition of UTF-8, to compare the decoder with.
std::string EncodeUtf8(char32_t value) {
  std::string text;
  const auto tail = [&](int shift) {
    text.push_back(static_cast<char>(0x80 | ((value >> shift) & 0x3f)));
  };
  if (value < 0x80) {
    text.push_back(static_cast<char>(value));
  } else if (value < 0x800) {
    text.push_back(static_cast<char>(0xc0 | (value >> 6)));
    tail(0);
  } else if (value < 0x10000) {
    text.push_back(static_cast<char>(0xe0 | (value >> 12)));
    tail(6);
    tail(0);
  } else {
    text.push_back(static_cast<char>(0xf0 | (value >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
  return text;
}

// Whether `value` decodes to itself, or to nothing where it is no code point, and each cut of it is
// one invalid part.
bool DecodesRight(char32_t value) {
  const std::string text = EncodeUtf8(value);
  const CodePoint point = DecodeUtf8(text);
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return !point.valid;
  if (!point.valid || point.value != value || point.size != text.size()) return false;
  for (size_t size = 1; size < text.size(); ++size) {
    const CodePoint cut = DecodeUtf8(std::string_view(text).substr(0, size));
    if (cut.valid || cut.size != size) return false;
  }
  return true;
}

TEST(Utf8Test, EveryCodePointDecodesToItselfAndSurrogatesDoNot) {
  for (char32_t value = 0; value <= 0x110400; ++value) {
    if (!DecodesRight(value)) ADD_FAILURE() << std::hex << static_cast<uint32_t>(value);
  }
}

TEST(Utf8Test, OverlongFormsAreInvalid) {
  for (const std::string text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf"}) {
    EXPECT_FALSE(DecodeUtf8(text).valid);
    EXPECT_EQ(DecodeUtf8(text).size, 1u);
    EXPECT_FALSE(IsValidUtf8(text));
  }
}

TEST(Utf8Test, RangesHaveTheirExactEnds) {
  for (const char32_t value : {0x0, 0x1f, 0x7f, 0x9f, 0xad, 0x61c, 0x200b, 0x200f, 0x2028, 0x202e,
                               0x2060, 0x206f, 0xfeff, 0xfffe, 0x1ffff, 0xe0001, 0x10ffff}) {
    EXPECT_TRUE(IsUnprintable(value)) << std::hex << static_cast<uint32_t>(value);
  }
  for (const char32_t value : {0x20, 0x7e, 0xa0, 0xac, 0xae, 0x61b, 0x61d, 0x200a, 0x2010, 0x2027,
                               0x202f, 0x205f, 0x2070, 0xfefe, 0xfffd, 0x1f600, 0xe1000}) {
    EXPECT_FALSE(IsUnprintable(value)) << std::hex << static_cast<uint32_t>(value);
  }
  for (const char32_t value : {0x80, 0x9f, 0x200e, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069}) {
    EXPECT_TRUE(IsJsonEscaped(value)) << std::hex << static_cast<uint32_t>(value);
  }
  for (const char32_t value : {0xa0, 0x200d, 0x2010, 0x2027, 0x202f, 0x2065, 0x206a, 0xfeff}) {
    EXPECT_FALSE(IsJsonEscaped(value)) << std::hex << static_cast<uint32_t>(value);
  }
}

TEST(Utf8Test, WideBlocksHaveTwoColumnsAndCombiningMarksNone) {
  EXPECT_EQ(Columns('a'), 1);
  EXPECT_EQ(Columns(0xe9), 1);
  EXPECT_EQ(Columns(0x301), 0);
  EXPECT_EQ(Columns(0x65e5), 2);
  EXPECT_EQ(Columns(0xac00), 2);
  EXPECT_EQ(Columns(0x1f600), 2);
  EXPECT_EQ(Columns(0x5d0), 1);
}

}  // namespace
}  // namespace kentry
