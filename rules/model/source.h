// SPDX-License-Identifier: Apache-2.0
// Where a piece of a rule set was written, and what is wrong with it.
#ifndef KENTRY_RULES_MODEL_SOURCE_H_
#define KENTRY_RULES_MODEL_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kentry {

struct SourceFile {
  std::string name;  // as the user named it
  std::string text;
};

// A place in one of a rule set's files. Lines and columns count from 1, columns in bytes; line 0 =
// the file as a whole.
struct SourcePos {
  uint32_t file = 0;  // index into the rule set's files
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t length = 1;  // bytes to underline
};

struct Diagnostic {
  enum class Kind : uint8_t { kError, kWarning };
  Kind kind = Kind::kError;
  SourcePos at;
  std::string path;     // keys that lead there: "rules[3].when"; "" = the file
  std::string message;  // lower case, subject first, what is wrong
  std::string hint;     // what to write instead; "" = nothing to say
};

// Everything wrong with a rule set, in the order in which it was found. Bounded: what goes beyond
// kMax is counted only. Not thread-safe.
class Diagnostics {
 public:
  static constexpr size_t kMax = 1000;

  void Error(SourcePos at, std::string path, std::string message, std::string hint = "") {
    ++errors_;
    Add({Diagnostic::Kind::kError, at, std::move(path), std::move(message), std::move(hint)});
  }
  void Warning(SourcePos at, std::string path, std::string message, std::string hint = "") {
    ++warnings_;
    Add({Diagnostic::Kind::kWarning, at, std::move(path), std::move(message), std::move(hint)});
  }
  const std::vector<Diagnostic>& all() const { return all_; }
  size_t errors() const { return errors_; }      // those beyond kMax included
  size_t warnings() const { return warnings_; }  // those beyond kMax included

 private:
  void Add(Diagnostic diagnostic) {
    if (all_.size() < kMax) all_.push_back(std::move(diagnostic));
  }
  std::vector<Diagnostic> all_;
  size_t errors_ = 0;
  size_t warnings_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_RULES_MODEL_SOURCE_H_
