// SPDX-License-Identifier: Apache-2.0
// A condition's text as a list of words.
#ifndef KENTRY_RULES_PARSE_LEXER_H_
#define KENTRY_RULES_PARSE_LEXER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"

namespace kentry {

enum class TokenKind : uint8_t {
  kEnd,
  kName,
  kNumber,
  kString,
  kLeftParen,
  kRightParen,
  kLeftBracket,
  kRightBracket,
  kDot,
  kComma,
  kPipe,
  kNot,
  kAnd,
  kOr,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
};

enum class NumberUnit : uint8_t { kNone, kDuration, kSize };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t begin = 0;  // bytes of the condition's text
  size_t end = 0;
  std::string text;         // kName; kString: the bytes it stands for
  absl::int128 number = 0;  // kNumber: durations in nanoseconds, sizes in bytes
  NumberUnit unit = NumberUnit::kNone;
};

// What is wrong with a condition's text, and where.
struct TextError {
  size_t begin = 0;
  size_t end = 0;
  std::string message;
  std::string hint;
};

// Splits `text` into `tokens`, the last of which is kEnd; or says what can't be read. Any thread.
std::optional<TextError> SplitTokens(std::string_view text, std::vector<Token>* tokens);

// The number that is all of `text` ("10", "-1", "0x1f", "10m", "4KiB"), if it is one.
std::optional<Token> NumberOf(std::string_view text);

// The operator as it is written: "==".
std::string_view TokenText(TokenKind kind);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_LEXER_H_
