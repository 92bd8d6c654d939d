// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/source_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fmt/format.h"

namespace kentry {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Walks a scalar's source beside its value. What a style leaves out (indentation, line breaks that
// fold, quotes) is white space or an escape, so that the two can be kept in step by one byte of
// look-ahead.
class Walk {
 public:
  Walk(std::string_view source, size_t offset) : source_(source), at_(offset) {
    style_ = at_ < source_.size() ? source_[at_] : ' ';
    if (style_ == '"' || style_ == '\'') {
      ++at_;
    } else if (style_ == '|' || style_ == '>') {
      at_ = std::min(source_.find('\n', at_), source_.size());
    }
  }

  size_t at() const { return at_; }

  // Where the value's byte `c` stands; moves behind it.
  size_t Next(char c) {
    if (pending_ > 0) {
      if (--pending_ == 0) at_ = resume_;
      return held_;
    }
    if (IsSpace(c)) return NextSpace(c);
    while (at_ < source_.size() && SkipFiller()) {
    }
    if (IsEscape()) return NextEscape();
    const size_t here = at_;
    at_ += style_ == '\'' && c == '\'' ? 2 : 1;
    return here;
  }

 private:
  bool IsEscape() const {
    return style_ == '"' && at_ + 1 < source_.size() && source_[at_] == '\\' &&
           source_[at_ + 1] != '\n' && source_[at_ + 1] != '\r';
  }

  // Steps over one byte of white space, over a line break that is escaped, or over an escape that
  // stands for white space.
  bool SkipFiller() {
    if (IsSpace(source_[at_])) {
      ++at_;
      return true;
    }
    if (style_ != '"' || source_[at_] != '\\' || at_ + 1 >= source_.size()) return false;
    constexpr std::string_view kWhite = "\n\rntr \t";
    if (kWhite.find(source_[at_ + 1]) == std::string_view::npos) return false;
    at_ += 2;
    return true;
  }

  size_t NextSpace(char c) {
    if (at_ >= source_.size()) return at_;
    if (source_[at_] == c && (c == ' ' || c == '\t')) return at_++;
    if (IsEscape()) return NextEscape();
    return at_;
  }

  // An escape of one to four bytes of value: each of them stands at the backslash.
  size_t NextEscape() {
    const char kind = source_[at_ + 1];
    const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    uint32_t code = 0;
    for (size_t i = 0; i < digits && at_ + 2 + i < source_.size(); ++i) {
      code = code * 16 + HexValue(source_[at_ + 2 + i]);
    }
    size_t bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (kind == 'N' || kind == '_') bytes = 2;
    if (kind == 'L' || kind == 'P') bytes = 3;
    held_ = at_;
    resume_ = std::min(at_ + 2 + digits, source_.size());
    pending_ = bytes - 1;
    if (pending_ == 0) at_ = resume_;
    return held_;
  }

  static uint32_t HexValue(char c) {
    if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
    return static_cast<uint32_t>((c | 0x20) - 'a' + 10) & 0xf;
  }

  std::string_view source_;
  size_t at_ = 0;
  char style_ = ' ';
  size_t pending_ = 0;  // bytes of the value that still belong to the escape at held_
  size_t held_ = 0;
  size_t resume_ = 0;
};

}  // namespace

Sources::Sources(std::span<const SourceFile> files) : files_(files) {
  for (const SourceFile& file : files) {
    std::vector<uint32_t> starts = {0};
    for (size_t at = file.text.find('\n'); at != std::string::npos;
         at = file.text.find('\n', at + 1)) {
      starts.push_back(static_cast<uint32_t>(at + 1));
    }
    lines_.push_back(std::move(starts));
  }
}

SourcePos Sources::At(uint32_t file, size_t offset, size_t length) const {
  const std::vector<uint32_t>& starts = lines_[file];
  offset = std::min(offset, files_[file].text.size());
  const auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  const size_t line = static_cast<size_t>(next - starts.begin());
  size_t end = next == starts.end() ? files_[file].text.size() : *next - 1;
  end = std::max(end, offset);
  return {.file = file,
          .line = static_cast<uint32_t>(line),
          .column = static_cast<uint32_t>(offset - starts[line - 1] + 1),
          .length = static_cast<uint32_t>(
              std::clamp<size_t>(length, 1, std::max<size_t>(end - offset, 1)))};
}

std::string Sources::Name(const SourcePos& at) const {
  return fmt::format("{}:{}", files_[at.file].name, at.line);
}

ScalarMap::ScalarMap(const Sources& sources, uint32_t file, size_t offset, std::string_view value)
    : sources_(sources), file_(file) {
  Walk walk(sources.Text(file), offset);
  offsets_.reserve(value.size() + 1);
  for (const char c : value) offsets_.push_back(static_cast<uint32_t>(walk.Next(c)));
  offsets_.push_back(static_cast<uint32_t>(walk.at()));
}

SourcePos ScalarMap::At(size_t begin, size_t end) const {
  begin = std::min(begin, offsets_.size() - 1);
  end = std::clamp(end, begin, offsets_.size() - 1);
  // Behind the last byte, not at the next one: white space may lie between.
  const size_t last = end > begin ? offsets_[end - 1] + 1 : offsets_[begin] + 1;
  return sources_.At(file_, offsets_[begin], last - offsets_[begin]);
}

bool Reporter::IsNew(const SourcePos& at, const std::string& message) {
  // What is beyond the diagnostics' own bound is only counted: no need to remember it.
  if (said_.size() > Diagnostics::kMax) return true;
  return said_.insert(fmt::format("{}:{}:{}:{}", at.file, at.line, at.column, message)).second;
}

void Reporter::Error(const SourcePos& at, const std::string& path, std::string message,
                     std::string hint) {
  if (IsNew(at, message)) out_->Error(at, path, std::move(message), std::move(hint));
}

void Reporter::Warning(const SourcePos& at, const std::string& path, std::string message,
                       std::string hint) {
  if (IsNew(at, message)) out_->Warning(at, path, std::move(message), std::move(hint));
}

}  // namespace kentry
