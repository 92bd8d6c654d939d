// SPDX-License-Identifier: Apache-2.0
#include "rules/match/regex_hints.h"

#include <cctype>
#include <cstddef>
#include <optional>
#include <vector>

#include "rules/match/regex_index.h"

namespace kentry {
namespace {

// A piece of a pattern outside of groups: a byte that stands for itself, or something that is not
// looked into.
struct Piece {
  enum class Kind { kByte, kStart, kEnd, kOther } kind = Kind::kOther;
  char byte = 0;
};

// Reads a pattern that RE2 accepts. What it does not understand for certain makes it give up.
class PatternReader {
 public:
  explicit PatternReader(std::string_view pattern) : rest_(pattern) {}

  // Nothing when no hint can be given.
  std::optional<std::vector<Piece>> Read() {
    while (!rest_.empty()) {
      if (!ReadPiece()) return std::nullopt;
    }
    return std::move(pieces_);
  }

 private:
  void Add(Piece::Kind kind, char byte = 0) { pieces_.push_back({kind, byte}); }

  bool ReadPiece() {
    const char c = rest_.front();
    switch (c) {
      case '|':
        return false;
      case '(':
        Add(Piece::Kind::kOther);
        return SkipGroup();
      case '[':
        Add(Piece::Kind::kOther);
        return SkipClass();
      case '\\':
        return ReadEscape();
      case '*':
      case '+':
      case '?':
      case '{':
        // Also a brace that counts nothing: then less is promised than could be.
        MakeLastOther();
        rest_.remove_prefix(1);
        if (c == '{') return SkipCount();
        return true;
      case '^':
        Add(Piece::Kind::kStart);
        break;
      case '$':
        Add(Piece::Kind::kEnd);
        break;
      case '.':
        Add(Piece::Kind::kOther);
        break;
      default:
        Add(Piece::Kind::kByte, c);
    }
    rest_.remove_prefix(1);
    return true;
  }

  void MakeLastOther() {
    if (pieces_.empty()) {
      Add(Piece::Kind::kOther);
    } else {
      pieces_.back() = Piece();
    }
  }

  // Behind a '{'. A count is digits and commas; anything else were literal characters.
  bool SkipCount() {
    const size_t end = rest_.find_first_not_of("0123456789,");
    if (end == std::string_view::npos || rest_[end] != '}') return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool ReadEscape() {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    const auto byte = static_cast<unsigned char>(c);
    if (c == 'A') {
      Add(Piece::Kind::kStart);
    } else if (c == 'z') {
      Add(Piece::Kind::kEnd);
    } else if (byte < 0x80 && std::ispunct(byte) != 0) {
      Add(Piece::Kind::kByte, c);
    } else if (std::string_view("dDsSwWbB").find(c) != std::string_view::npos) {
      Add(Piece::Kind::kOther);
    } else {
      return false;  // \Q, \x, \p and others have more behind them
    }
    return true;
  }

  // At '['.
  bool SkipClass() {
    size_t at = 1;
    if (at < rest_.size() && rest_[at] == '^') ++at;
    if (at < rest_.size() && rest_[at] == ']') ++at;
    for (; at < rest_.size(); ++at) {
      if (rest_[at] == '\\') {
        ++at;
      } else if (rest_[at] == '[' && at + 1 < rest_.size() && rest_[at + 1] == ':') {
        const size_t end = rest_.find(":]", at + 2);
        if (end != std::string_view::npos) at = end + 1;
      } else if (rest_[at] == ']') {
        rest_.remove_prefix(at + 1);
        return true;
      }
    }
    return false;
  }

  // At '('.
  bool SkipGroup() {
    int depth = 0;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '[') {
        if (!SkipClass()) return false;
        continue;
      }
      if (c == '\\') {
        if (rest_.size() < 2 || rest_[1] == 'Q') return false;
        rest_.remove_prefix(2);
        continue;
      }
      // Flags may change what ^ and $ and letters mean, also behind the group.
      if (c == '(' && rest_.starts_with("(?") && !rest_.starts_with("(?:")) return false;
      rest_.remove_prefix(1);
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) return true;
    }
    return false;
  }

  std::string_view rest_;
  std::vector<Piece> pieces_;
};

std::optional<std::vector<Piece>> ReadPattern(std::string_view pattern) {
  const re2::StringPiece piece(pattern.data(), pattern.size());
  if (!RE2(piece, PatternOptions(kPatternMemory)).ok()) return std::nullopt;
  return PatternReader(pattern).Read();
}

bool IsByte(const Piece& piece) { return piece.kind == Piece::Kind::kByte; }

}  // namespace

RegexHint HintOf(std::string_view pattern) {
  RegexHint hint;
  const std::optional<std::vector<Piece>> pieces = ReadPattern(pattern);
  if (!pieces || pieces->empty()) return hint;
  const bool at_start = pieces->front().kind == Piece::Kind::kStart;
  const bool at_end = pieces->back().kind == Piece::Kind::kEnd;
  size_t prefix = 0;
  for (size_t i = 1; at_start && i < pieces->size() && IsByte((*pieces)[i]); ++i) {
    hint.prefix += (*pieces)[i].byte;
    ++prefix;
  }
  size_t from = pieces->size() - 1;
  while (at_end && from > 0 && IsByte((*pieces)[from - 1])) --from;
  for (size_t i = from; at_end && i + 1 < pieces->size(); ++i) hint.suffix += (*pieces)[i].byte;
  hint.exact = at_start && at_end && pieces->size() == prefix + 2;
  return hint;
}

LiteralRegex LiteralOf(std::string_view pattern) {
  LiteralRegex result;
  const std::optional<std::vector<Piece>> pieces = ReadPattern(pattern);
  if (!pieces) return result;
  size_t begin = 0;
  size_t end = pieces->size();
  if (begin < end && (*pieces)[begin].kind == Piece::Kind::kStart) {
    result.at_start = true;
    ++begin;
  }
  if (begin < end && (*pieces)[end - 1].kind == Piece::Kind::kEnd) {
    result.at_end = true;
    --end;
  }
  for (size_t i = begin; i < end; ++i) {
    if (!IsByte((*pieces)[i])) return result;
    result.text += (*pieces)[i].byte;
  }
  result.literal = true;
  return result;
}

}  // namespace kentry
