// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/escape.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "sensor/util/utf8.h"

namespace kentry {
namespace {

struct Result {
  std::string text;
  bool valid;
};

// Exactly the room that is asked for, so that the sanitizers see a byte written behind it.
template <typename F>
Result Run(F escape, std::string_view text) {
  const std::vector<char> input(text.begin(), text.end());
  std::vector<char> room(EscapedRoom(text.size()));
  const Escaped escaped = escape(std::string_view(input.data(), input.size()), room.data());
  return {std::string(room.data(), escaped.end), escaped.valid};
}

Result Escape(std::string_view text) {
  const Result best = Run(EscapeJson, text);
  const Result portable = Run(EscapeJsonPortable, text);
  EXPECT_EQ(best.text, portable.text);
  EXPECT_EQ(best.valid, portable.valid);
  return best;
}

TEST(EscapeTest, PlainTextIsCopiedAtEveryLength) {
  for (size_t size = 0; size < 70; ++size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(' ' + i));
    if (size > 2) text[2] = 'x';    // was a quote
    if (size > 60) text[60] = 'x';  // was a backslash
    const Result result = Escape(text);
    EXPECT_EQ(result.text, text);
    EXPECT_TRUE(result.valid);
  }
}

TEST(EscapeTest, EveryAsciiByteIsEscapedAsJsonNeedsItAtEveryPosition) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (size_t position = 0; position < 36; ++position) {
      std::string text(36, 'a');
      text[position] = static_cast<char>(byte);
      const Result result = Escape(text);
      const bool plain = byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
      EXPECT_EQ(result.text == text, plain) << byte << " at " << position;
      EXPECT_TRUE(result.valid);
      EXPECT_EQ(nlohmann::json::parse('"' + result.text + '"').get<std::string>(), text);
    }
  }
}

TEST(EscapeTest, UsesTheShortFormsThatAreCommon) {
  EXPECT_EQ(Escape("a\nb\tc\rd\"e\\f").text, R"(a\nb\tc\rd\"e\\f)");
  EXPECT_EQ(Escape(std::string_view("\0\x1b\x7f", 3)).text, "\\u0000\\u001b\\u007f");
}

TEST(EscapeTest, PrintableUtf8IsLeftAlone) {
  const std::string text = "grün, 日本語, עברית, 😀 \uffff";
  const Result result = Escape(text);
  EXPECT_EQ(result.text, text);
  EXPECT_TRUE(result.valid);
}

TEST(EscapeTest, ControlsBeyondAsciiAreEscaped) {
  EXPECT_EQ(Escape("\u0080\u009f\u00a0").text, "\\u0080\\u009f\u00a0");
  EXPECT_EQ(Escape("\u2028\u2029").text, "\\u2028\\u2029");
  EXPECT_EQ(Escape("\u202a\u202e\u2066\u2069\u200e\u200f\u061c").text,
            "\\u202a\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c");
}

TEST(EscapeTest, InvalidUtf8BecomesOneReplacementPerMaximalSubpart) {
  const std::string r = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"\x80", r},                          // continuation alone
      {"\xff", r},                          // never valid
      {"\xc0\xaf", r + r},                  // overlong
      {"\xe0\x80\xaf", r + r + r},          // overlong
      {"\xf0\x80\x80\xaf", r + r + r + r},  // overlong
      {"\xed\xa0\x80", r + r + r},          // surrogate
      {"\xf4\x90\x80\x80", r + r + r + r},  // above U+10FFFF
      {"\xf5\x80", r + r},                  // lead that never is
      {"\xe2\x82", r},                      // truncated at the end
      {"\xf0\x9f\x98", r},                  // truncated at the end
      {"\xe2\x82"
       "A",
       r + "A"},                               // truncated before another
      {"\xf0\x9f\xe2\x82\xac", r + "\u20ac"},  // truncated before a good one
      {"ok\xc3", "ok" + r},
  };
  for (const auto& [text, expected] : rows) {
    const Result result = Escape(text);
    EXPECT_EQ(result.text, expected);
    EXPECT_FALSE(result.valid);
  }
}

TEST(EscapeTest, WorstCaseFitsIntoThePromisedRoom) {
  for (const char byte : {'\x01', '\x7f', '\xff', '"'}) {
    for (size_t size = 0; size < 50; ++size) Escape(std::string(size, byte));
  }
}

TEST(EscapeTest, RandomBytesAreReadBackByAnotherParser) {
  std::mt19937 random(1);
  const std::string alphabet = "ab\"\\\n\x01\x7f\x80\xc2\xa0\xe2\x80\xa8\xf0\x9f\x98\x80\xed\xff";
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (size_t size = random() % 40; size > 0; --size) {
      text.push_back(alphabet[random() % alphabet.size()]);
    }
    const Result result = Escape(text);
    const auto parsed = nlohmann::json::parse('"' + result.text + '"').get<std::string>();
    EXPECT_EQ(result.valid, IsValidUtf8(text));
    if (result.valid) {
      EXPECT_EQ(parsed, text);
    } else {
      EXPECT_NE(parsed.find("\xef\xbf\xbd"), std::string::npos);
    }
  }
}

std::string Base64(std::string_view bytes) {
  std::string text(Base64Room(bytes.size()), '?');
  EXPECT_EQ(EncodeBase64(bytes, text.data()), text.data() + text.size());
  return text;
}

TEST(Base64Test, AgreesWithTheVectorsOfTheRfc) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foob"), "Zm9vYg==");
  EXPECT_EQ(Base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xff\xfe\xfb"), "//77");
}

}  // namespace
}  // namespace kentry
