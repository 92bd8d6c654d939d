// SPDX-License-Identifier: Apache-2.0
#include "rules/match/regex_index.h"

#include <algorithm>
#include <string>
#include <utility>

#include "fmt/format.h"

namespace kentry {
namespace {

// RE2 sizes the automaton's states by the program: 512 bytes an instruction leave room for well
// over the 20 states below which it gives up.
constexpr int64_t kSetMemory = int64_t{1} << 20;
constexpr int64_t kSetMemoryPerInstruction = 512;
// Larger sets are split: every state of an automaton lists the instructions it stands at.
constexpr int kChunkInstructions = 1 << 15;

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RE2::Options PatternOptions(int64_t memory) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_max_mem(memory);
  return options;
}

uint32_t RegexGroup::Add(std::string_view pattern) {
  const auto [at, is_new] = ids_.try_emplace(pattern, static_cast<uint32_t>(patterns_.size()));
  if (is_new) patterns_.push_back(pattern);
  return at->second;
}

absl::Status RegexGroup::Compile(int* instructions_left, int64_t set_memory) {
  single_.resize(patterns_.size());
  matched_.resize((patterns_.size() + 63) / 64);
  scratch_.reserve(patterns_.size());
  Chunk chunk;
  int chunk_size = 0;
  for (const std::string_view text : patterns_) {
    const RE2 pattern(Piece(text), PatternOptions(kPatternMemory));
    if (!pattern.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("regular expression \"{}\": {}", text, pattern.error()));
    }
    const int size = pattern.ProgramSize();
    if (*instructions_left < size) {
      return absl::ResourceExhaustedError(
          fmt::format("regular expressions of more than {} instructions", kMaxInstructions));
    }
    *instructions_left -= size;
    if (chunk.count > 0 && chunk_size + size > kChunkInstructions) {
      const uint32_t next = chunk.first + chunk.count;
      FinishChunk(std::move(chunk), chunk_size, set_memory);
      chunk = Chunk{.first = next};
      chunk_size = 0;
    }
    ++chunk.count;
    chunk_size += size;
  }
  FinishChunk(std::move(chunk), chunk_size, set_memory);
  return absl::OkStatus();
}

void RegexGroup::FinishChunk(Chunk chunk, int instructions, int64_t set_memory) {
  const int64_t memory =
      set_memory != 0 ? set_memory : kSetMemory + instructions * kSetMemoryPerInstruction;
  chunk.set = std::make_unique<RE2::Set>(PatternOptions(memory), RE2::UNANCHORED);
  for (uint32_t id = chunk.first; id < chunk.first + chunk.count; ++id) {
    chunk.set->Add(Piece(patterns_[id]), nullptr);
  }
  // Each pattern compiles on its own, so only memory can be the reason.
  if (!chunk.set->Compile()) chunk.set = nullptr;
  chunks_.push_back(std::move(chunk));
}

void RegexGroup::Clear() { std::fill(matched_.begin(), matched_.end(), 0); }

int RegexGroup::Run(std::string_view text) {
  int failed = 0;
  for (const Chunk& chunk : chunks_) {
    if (RunChunk(chunk, text)) continue;
    ++failed;
    for (uint32_t id = chunk.first; id < chunk.first + chunk.count; ++id) {
      if (MatchesOne(id, text)) Mark(id);
    }
  }
  return failed;
}

// Match's own result can't be trusted: it is false as well when the memory runs out.
bool RegexGroup::RunChunk(const Chunk& chunk, std::string_view text) {
  if (chunk.set == nullptr) return false;
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  // Without a list of results RE2 allocates nothing, and most texts match no pattern.
  if (!chunk.set->Match(Piece(text), nullptr, &error)) return error.kind == RE2::Set::kNoError;
  if (!chunk.set->Match(Piece(text), &scratch_, &error)) return false;
  for (const int index : scratch_) Mark(chunk.first + static_cast<uint32_t>(index));
  return true;
}

bool RegexGroup::MatchesOne(uint32_t id, std::string_view text) {
  std::unique_ptr<RE2>& pattern = single_[id];
  if (pattern == nullptr) {
    pattern = std::make_unique<RE2>(Piece(patterns_[id]), PatternOptions(kPatternMemory));
  }
  return pattern->Match(Piece(text), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
}

}  // namespace kentry
