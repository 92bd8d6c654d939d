// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/line.h"

#include <algorithm>

#include "exporters/encode/number.h"
#include "sensor/util/terminal.h"

namespace kentry {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr size_t kUnlimited = SIZE_MAX;

bool IsPlainInShell(char c) {
  constexpr std::string_view kPlain = "%+,-./:=@_";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

enum class Quoting { kNone, kSingle, kDollar };

Quoting QuotingOf(std::string_view word) {
  Quoting quoting = word.empty() ? Quoting::kSingle : Quoting::kNone;
  while (!word.empty()) {
    const CodePoint point = DecodeUtf8(word);
    if (!point.valid || IsUnprintable(point.value) || point.value == '\'') return Quoting::kDollar;
    if (point.value >= 0x80 || !IsPlainInShell(static_cast<char>(point.value))) {
      quoting = Quoting::kSingle;
    }
    word.remove_prefix(point.size);
  }
  return quoting;
}

}  // namespace

Line::Line(Buffer& out, size_t width)
    : out_(out), width_(width == 0 ? kUnlimited : width), limit_(width_), cut_at_(out.size()) {}

void Line::SetLimit(size_t limit) {
  limit_ = limit;
  if (columns_ >= limit_ || full_) return;
  cut_at_ = out_.size();
  cut_columns_ = columns_;
}

void Line::Put(std::string_view bytes, size_t columns) {
  if (full_) return;
  if (columns_ + columns > limit_) {
    out_.Truncate(cut_at_);
    columns_ = cut_columns_;
    if (columns_ < limit_) {
      out_.Append(kEllipsis);
      ++columns_;
    }
    full_ = true;
    return;
  }
  out_.Append(bytes);
  columns_ += columns;
  if (columns_ < limit_) {
    cut_at_ = out_.size();
    cut_columns_ = columns_;
  }
}

void Line::Text(std::string_view text) {
  ForEachTerminalPiece(text, [this](std::string_view piece, size_t columns) {
    Put(piece, columns);
    return !full_;
  });
}

void Line::Column(std::string_view text, size_t columns) {
  if (full_) return;
  const size_t outer = limit_;
  const size_t end = columns_ + columns;
  SetLimit(std::min(outer, end));
  Text(text);
  // Cut because the column ended, not because the line did: the line goes on.
  if (end < outer) full_ = false;
  SetLimit(outer);
  while (!full_ && columns_ < end) Put(" ", 1);
}

void Line::Number(uint64_t value) {
  char digits[kNumberRoom];
  const char* end = WriteUint(value, digits);
  Put({digits, static_cast<size_t>(end - digits)}, static_cast<size_t>(end - digits));
}

void Line::Number(uint64_t value, size_t columns) {
  char digits[kNumberRoom];
  const auto size = static_cast<size_t>(WriteUint(value, digits) - digits);
  for (size_t i = size; i < columns; ++i) Put(" ", 1);
  Put({digits, size}, size);
}

void Line::Word(std::string_view word) {
  switch (QuotingOf(word)) {
    case Quoting::kNone:
      Text(word);
      return;
    case Quoting::kSingle:
      Put("'", 1);
      Text(word);
      Put("'", 1);
      return;
    case Quoting::kDollar:
      break;
  }
  Put("$'", 2);
  ForEachTerminalPiece(word, [this](std::string_view piece, size_t columns) {
    if (piece == "'" || piece == "\\") {
      Put(piece == "'" ? "\\'" : "\\\\", 2);
    } else {
      Put(piece, columns);
    }
    return !full_;
  });
  Put("'", 1);
}

void Line::Control(std::string_view sequence) { out_.Append(sequence); }

void Line::Reserve(size_t columns) {
  if (width_ == kUnlimited) return;
  const size_t limit = width_ - std::min(width_, columns);
  if (limit > limit_) full_ = false;  // what was kept free can be used now
  SetLimit(limit);
}

void Line::End(std::string_view reset) {
  out_.Append(reset);
  out_.Append('\n');
}

}  // namespace kentry
