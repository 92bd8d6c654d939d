// SPDX-License-Identifier: Apache-2.0
// From offsets in the files' bytes, and in the values of YAML scalars, to places.
#ifndef KENTRY_RULES_PARSE_SOURCE_TEXT_H_
#define KENTRY_RULES_PARSE_SOURCE_TEXT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "rules/model/source.h"
#include "sensor/util/suggest.h"

namespace kentry {

// The files with their lines. Refers to them: they must outlive it. One thread.
class Sources {
 public:
  explicit Sources(std::span<const SourceFile> files);

  std::string_view Text(uint32_t file) const { return files_[file].text; }
  size_t size() const { return files_.size(); }
  // The place of `length` bytes at `offset`; what lies behind the line's end is not underlined.
  SourcePos At(uint32_t file, size_t offset, size_t length) const;
  // The file as a whole.
  static SourcePos File(uint32_t file) { return {.file = file, .line = 0, .column = 0}; }
  // "FILE:LINE" for a sentence.
  std::string Name(const SourcePos& at) const;

 private:
  std::span<const SourceFile> files_;
  std::vector<std::vector<uint32_t>> lines_;  // where each line starts
};

// For each byte of a scalar's value where it stands in the file, whatever the scalar's style.
class ScalarMap {
 public:
  // The scalar starts at `offset` of the file (at its quote or block sign) and means `value`.
  ScalarMap(const Sources& sources, uint32_t file, size_t offset, std::string_view value);

  // The place of the value's bytes [begin, end).
  SourcePos At(size_t begin, size_t end) const;

 private:
  const Sources& sources_;
  uint32_t file_;
  std::vector<uint32_t> offsets_;  // one more than the value has bytes
};

// Takes what is wrong; says nothing twice. One thread.
class Reporter {
 public:
  Reporter(const Sources& sources, Diagnostics* out) : sources_(sources), out_(out) {}

  void Error(const SourcePos& at, const std::string& path, std::string message,
             std::string hint = "");
  void Warning(const SourcePos& at, const std::string& path, std::string message,
               std::string hint = "");
  // "; did you mean "NAME"?" or "". `names()` gives a list of names; it is not asked any more
  // after so many misspellings that searching would take long.
  template <typename Names>
  std::string Nearest(std::string_view typed, Names names) {
    if (++suggestions_ > kMaxSuggestions) return "";
    std::vector<std::string_view> known = names();
    if (known.size() > kMaxNames) known.resize(kMaxNames);
    return DidYouMean(typed, known);
  }
  const Sources& sources() const { return sources_; }
  size_t errors() const { return out_->errors(); }

 private:
  static constexpr size_t kMaxSuggestions = 200;
  static constexpr size_t kMaxNames = 1000;
  bool IsNew(const SourcePos& at, const std::string& message);

  const Sources& sources_;
  Diagnostics* out_;
  std::unordered_set<std::string> said_;
  size_t suggestions_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_SOURCE_TEXT_H_
