// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/line.h"

#include <algorithm>

#include "exporters/encode/number.h"
#include "exporters/encode/utf8.h"

namespace kentry {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr size_t kUnlimited = SIZE_MAX;

bool IsPlainInShell(char c) {
  constexpr std::string_view kPlain = "%+,-./:=@_";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

// Calls f(bytes, code point) for each code point or invalid part of `text` until f says false.
template <typename F>
void ForEachCodePoint(std::string_view text, F f) {
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    if (!f(text.substr(0, point.size), point)) return;
    text.remove_prefix(point.size);
  }
}

bool IsShown(const CodePoint& point) { return point.valid && !IsUnprintable(point.value); }

enum class Quoting { kNone, kSingle, kDollar };

Quoting QuotingOf(std::string_view word) {
  Quoting quoting = word.empty() ? Quoting::kSingle : Quoting::kNone;
  ForEachCodePoint(word, [&](std::string_view, const CodePoint& point) {
    if (!IsShown(point) || point.value == '\'') {
      quoting = Quoting::kDollar;
      return false;
    }
    if (point.value >= 0x80 || !IsPlainInShell(static_cast<char>(point.value))) {
      quoting = Quoting::kSingle;
    }
    return true;
  });
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

void Line::PutEscaped(std::string_view bytes, char32_t value, bool valid) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  char escape[kNumberRoom] = {'\\'};
  if (!valid || value < 0x80) {
    for (const char byte : bytes) {
      const auto bits = static_cast<uint8_t>(byte);
      escape[1] = 'x';
      escape[2] = kHexDigits[bits >> 4];
      escape[3] = kHexDigits[bits & 15];
      Put({escape, 4}, 4);
    }
    return;
  }
  escape[1] = 'u';
  escape[2] = '{';
  size_t size = 3;
  for (int shift = value > 0xffff ? 20 : 12; shift >= 0; shift -= 4) {
    escape[size++] = kHexDigits[(value >> shift) & 15];
  }
  escape[size++] = '}';
  Put({escape, size}, size);
}

void Line::Text(std::string_view text) {
  ForEachCodePoint(text, [this](std::string_view bytes, const CodePoint& point) {
    if (IsShown(point)) {
      Put(bytes, static_cast<size_t>(Columns(point.value)));
    } else {
      PutEscaped(bytes, point.value, point.valid);
    }
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
  ForEachCodePoint(word, [this](std::string_view bytes, const CodePoint& point) {
    if (!IsShown(point)) {
      PutEscaped(bytes, point.value, point.valid);
    } else if (point.value == '\'' || point.value == '\\') {
      Put(point.value == '\'' ? "\\'" : "\\\\", 2);
    } else {
      Put(bytes, static_cast<size_t>(Columns(point.value)));
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
