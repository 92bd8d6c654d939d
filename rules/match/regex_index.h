// SPDX-License-Identifier: Apache-2.0
// The regular expressions of a rule set, by the field that they are matched against.
#ifndef KENTRY_RULES_MATCH_REGEX_INDEX_H_
#define KENTRY_RULES_MATCH_REGEX_INDEX_H_

#include <re2/re2.h>
#include <re2/set.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "sensor/event/field_table.h"

namespace kentry {

// Memory of one pattern on its own; RE2 refuses larger ones.
inline constexpr int64_t kPatternMemory = int64_t{1} << 20;
// Instructions (RE2's measure of a pattern's size; about one a character) of all patterns of a rule
// set, each counted once a field. Bounds the automata to 128 MiB; 1,000 usual ones need 16.
inline constexpr int kMaxInstructions = 1 << 18;

// How every pattern is compiled: bytes instead of UTF-8, quiet, `memory` at most.
RE2::Options PatternOptions(int64_t memory);

// All patterns that are matched against one field. Run them over the texts of an event together,
// then ask which matched. One thread.
class RegexGroup {
 public:
  // Adds a pattern, or finds it. Its bytes must outlive the group. Before Compile.
  uint32_t Add(std::string_view pattern);
  // Error: a pattern that RE2 refuses, or more than `instructions_left` together; lowers that by
  // what they need. `set_memory`: for tests; 0 = what the patterns need.
  absl::Status Compile(int* instructions_left, int64_t set_memory = 0);

  // Forgets what matched.
  void Clear();
  // Runs all patterns over `text`. Returns how many sets RE2 had too little memory for; their
  // patterns were run one by one, so that the result is right all the same.
  int Run(std::string_view text);
  // Whether pattern `id` matched a text since Clear.
  bool Matched(uint32_t id) const { return (matched_[id / 64] >> (id % 64) & 1) != 0; }
  // Whether pattern `id` matches `text`.
  bool MatchesOne(uint32_t id, std::string_view text);

  size_t size() const { return patterns_.size(); }

 private:
  // Patterns first … first + count - 1 in one automaton.
  struct Chunk {
    std::unique_ptr<RE2::Set> set;  // nullptr: they are too large for one
    uint32_t first = 0;
    uint32_t count = 0;
  };
  // Builds the set of the chunk's patterns, which have so many instructions together.
  void FinishChunk(Chunk chunk, int instructions, int64_t set_memory);
  // False: out of memory, and some that match may not be marked.
  bool RunChunk(const Chunk& chunk, std::string_view text);
  void Mark(uint32_t id) { matched_[id / 64] |= uint64_t{1} << (id % 64); }

  std::vector<std::string_view> patterns_;
  std::unordered_map<std::string_view, uint32_t> ids_;
  std::vector<Chunk> chunks_;
  std::vector<std::unique_ptr<RE2>> single_;  // by id, made when first asked for
  std::vector<uint64_t> matched_;             // a bit a pattern
  std::vector<int> scratch_;
};

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_REGEX_INDEX_H_
