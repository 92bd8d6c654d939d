// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/lexer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

struct Unit {
  std::string_view name;
  NumberUnit unit;
  int64_t factor;
};
constexpr std::array<Unit, 14> kUnits = {{
    {"ns", NumberUnit::kDuration, 1},
    {"us", NumberUnit::kDuration, 1000},
    {"ms", NumberUnit::kDuration, 1000000},
    {"s", NumberUnit::kDuration, 1000000000},
    {"m", NumberUnit::kDuration, 60000000000},
    {"h", NumberUnit::kDuration, 3600000000000},
    {"d", NumberUnit::kDuration, 86400000000000},
    {"B", NumberUnit::kSize, 1},
    {"KB", NumberUnit::kSize, 1000},
    {"MB", NumberUnit::kSize, 1000000},
    {"GB", NumberUnit::kSize, 1000000000},
    {"KiB", NumberUnit::kSize, 1024},
    {"MiB", NumberUnit::kSize, 1048576},
    {"GiB", NumberUnit::kSize, 1073741824},
}};

struct Sign {
  std::string_view text;
  TokenKind kind;
};
// Longer ones first.
constexpr std::array<Sign, 17> kSigns = {{
    {"&&", TokenKind::kAnd},
    {"||", TokenKind::kOr},
    {"==", TokenKind::kEqual},
    {"!=", TokenKind::kNotEqual},
    {"<=", TokenKind::kLessEqual},
    {">=", TokenKind::kGreaterEqual},
    {"<", TokenKind::kLess},
    {">", TokenKind::kGreater},
    {"!", TokenKind::kNot},
    {"(", TokenKind::kLeftParen},
    {")", TokenKind::kRightParen},
    {"[", TokenKind::kLeftBracket},
    {"]", TokenKind::kRightBracket},
    {".", TokenKind::kDot},
    {",", TokenKind::kComma},
    {"|", TokenKind::kPipe},
    {"in", TokenKind::kIn},
}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

int DigitOf(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr std::array<uint8_t, 4> kFirst = {0, 0xc0, 0xe0, 0xf0};
  out->push_back(static_cast<char>(kFirst[static_cast<size_t>(more)] | code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3f)));
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::optional<TextError> Split(std::vector<Token>* tokens) {
    while (true) {
      while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
      Token token;
      token.begin = at_;
      if (at_ < text_.size()) Next(&token);
      if (error_) return error_;
      token.end = at_;
      const bool end = token.begin == text_.size();
      tokens->push_back(std::move(token));
      if (end) return std::nullopt;
    }
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void Fail(size_t begin, size_t end, std::string message, std::string hint = "") {
    if (!error_) error_ = TextError{begin, end, std::move(message), std::move(hint)};
  }

  void Next(Token* token) {
    const char c = Peek();
    if (c == '"' || c == '\'') return String(false, token);
    if (c == 'r' && (Peek(1) == '"' || Peek(1) == '\'')) {
      ++at_;
      return String(true, token);
    }
    if (IsDigit(c) || (c == '-' && IsDigit(Peek(1)))) return Number(token);
    if (IsNameStart(c)) return Name(token);
    for (const Sign& sign : kSigns) {
      if (!text_.substr(at_).starts_with(sign.text)) continue;
      at_ += sign.text.size();
      token->kind = sign.kind;
      return;
    }
    Unknown();
  }

  void Unknown() {
    const char c = Peek();
    const size_t size = DecodeUtf8(text_.substr(at_)).size;
    const std::string what = Shown(text_.substr(at_, size));
    if (c == '=') return Fail(at_, at_ + 1, "\"=\" is no operator", "write == to compare");
    if (c == '&') return Fail(at_, at_ + 1, "\"&\" is no operator", "write && for and");
    constexpr std::string_view kArithmetic = "+-*/%^~?";
    if (kArithmetic.find(c) != std::string_view::npos) {
      return Fail(at_, at_ + 1, fmt::format("{} is no operator: there is no arithmetic", what),
                  "operators are == != < <= > >= in && || !");
    }
    if (c == '$') {
      return Fail(at_, at_ + 1, "\"$\" is for items of lists only",
                  "in a condition a list's name stands alone");
    }
    Fail(at_, at_ + size, fmt::format("{} can't stand in a condition", what));
  }

  void Name(Token* token) {
    const size_t begin = at_;
    while (IsNamePart(Peek())) ++at_;
    token->kind = TokenKind::kName;
    token->text = std::string(text_.substr(begin, at_ - begin));
    if (token->text == "in") token->kind = TokenKind::kIn;
    if (token->text == "and") Fail(begin, at_, "\"and\" is no operator", "write &&");
    if (token->text == "or") Fail(begin, at_, "\"or\" is no operator", "write ||");
    if (token->text == "not") Fail(begin, at_, "\"not\" is no operator", "write !");
  }

  void Number(Token* token) {
    const size_t begin = at_;
    const bool negative = Peek() == '-';
    if (negative) ++at_;
    int base = 10;
    if (Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'o')) {
      base = Peek(1) == 'x' ? 16 : 8;
      at_ += 2;
    }
    const size_t digits = at_;
    absl::int128 value = 0;
    bool large = false;
    for (; DigitOf(Peek()) < base; ++at_) {
      value = value * base + DigitOf(Peek());
      large = large || value > absl::int128(std::numeric_limits<uint64_t>::max());
      if (large) value = 0;
    }
    const size_t unit = at_;
    while (IsNamePart(Peek())) ++at_;
    if (at_ == digits) return Fail(begin, at_, "a number lacks its digits");
    if (Peek() == '.' && IsDigit(Peek(1))) {
      return Fail(begin, at_ + 2, "numbers are whole", "write 1500ms for 1.5s");
    }
    token->kind = TokenKind::kNumber;
    token->number = negative ? -value : value;
    if (unit < at_ && !ApplyUnit(text_.substr(unit, at_ - unit), unit, token)) return;
    large = large || token->number > absl::int128(std::numeric_limits<uint64_t>::max()) ||
            token->number < absl::int128(std::numeric_limits<int64_t>::min());
    if (large) Fail(begin, at_, "the number is too large: 64 bits are the most");
  }

  bool ApplyUnit(std::string_view name, size_t begin, Token* token) {
    for (const Unit& unit : kUnits) {
      if (unit.name != name) continue;
      token->unit = unit.unit;
      token->number *= unit.factor;
      return true;
    }
    Fail(begin, at_, fmt::format("{} is no unit", Shown(name)),
         "durations: ns us ms s m h d; sizes: B KB MB GB KiB MiB GiB; one unit a number");
    return false;
  }

  void String(bool raw, Token* token) {
    const size_t begin = raw ? at_ - 1 : at_;
    const char quote = text_[at_++];
    token->kind = TokenKind::kString;
    while (at_ < text_.size() && text_[at_] != quote && !error_) {
      if (text_[at_] == '\\' && !raw) {
        Escape(&token->text);
      } else {
        token->text.push_back(text_[at_++]);
      }
    }
    if (error_) return;
    if (at_ == text_.size()) {
      return Fail(begin, begin + 1, "the string has no end",
                  fmt::format("close it with {}", quote));
    }
    ++at_;
    if (token->text.find('\0') != std::string::npos) {
      return Fail(begin, at_, "the string holds a NUL byte, which no value can hold");
    }
    if (token->text.size() > kMaxStringBytes) {
      Fail(begin, at_,
           fmt::format("the string has {} bytes; {} are the most", token->text.size(),
                       kMaxStringBytes));
    }
  }

  void Escape(std::string* out) {
    const size_t begin = at_++;
    const char kind = Peek();
    ++at_;
    constexpr std::string_view kNames = "ntrabfv\\\"'`?";
    constexpr std::string_view kBytes = "\n\t\r\a\b\f\v\\\"'`?";
    if (const size_t i = kNames.find(kind); i != std::string_view::npos) {
      return out->push_back(kBytes[i]);
    }
    const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    uint32_t code = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      if (DigitOf(Peek()) >= 16) {
        return Fail(begin, at_, fmt::format("\\{} needs {} hexadecimal digits", kind, digits));
      }
      code = code * 16 + static_cast<uint32_t>(DigitOf(Peek()));
    }
    if (digits == 2) return out->push_back(static_cast<char>(code));
    if (digits > 0) {
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return Fail(begin, at_, "no character has this number");
      }
      return AppendUtf8(code, out);
    }
    at_ = std::min(at_, text_.size());
    Fail(begin, at_, fmt::format("{} is no escape", Shown(text_.substr(begin, at_ - begin))),
         "write \\\\ for a backslash, or a raw string: r'…'");
  }

  const std::string_view text_;
  size_t at_ = 0;
  std::optional<TextError> error_;
};

}  // namespace

std::optional<TextError> SplitTokens(std::string_view text, std::vector<Token>* tokens) {
  return Lexer(text).Split(tokens);
}

std::optional<Token> NumberOf(std::string_view text) {
  std::vector<Token> tokens;
  if (text.size() > 64 || SplitTokens(text, &tokens)) return std::nullopt;
  const bool one = tokens.size() == 2 && tokens[0].kind == TokenKind::kNumber;
  return one ? std::optional<Token>(tokens[0]) : std::nullopt;
}

std::string_view TokenText(TokenKind kind) {
  if (kind == TokenKind::kEnd) return "the end";
  for (const Sign& sign : kSigns) {
    if (sign.kind == kind) return sign.text;
  }
  return "";
}

}  // namespace kentry
