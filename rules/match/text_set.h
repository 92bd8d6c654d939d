// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_TEXT_SET_H_
#define KENTRY_RULES_MATCH_TEXT_SET_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace kentry {

// The texts that a condition compares a value with, laid out for the comparison: the cost of equal,
// prefix and suffix doesn't grow with their number. Any thread.
class TextSet {
 public:
  enum class Kind : uint8_t { kEqual, kPrefix, kSuffix, kPart };

  // The bytes of `texts` must outlive the set.
  TextSet(Kind kind, std::vector<std::string_view> texts);

  // Whether `value` equals, begins with, ends with or contains one of the texts. Time linear in the
  // value, whatever it contains: times the number of texts for kPart.
  bool Matches(std::string_view value) const;

 private:
  bool MatchesOne(std::string_view value, std::string_view text) const;

  Kind kind_;
  std::vector<std::string_view> texts_;
  std::unordered_set<std::string_view> hashed_;  // all texts; empty when a loop is as good
  std::vector<size_t> lengths_;                  // of the texts, ascending, each once
};

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_TEXT_SET_H_
