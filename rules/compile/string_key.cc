// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/string_key.h"

#include <algorithm>
#include <bit>

#include <algorithm>
#include <cstring>

namespace kentry {
namespace {

constexpr uint64_t kHashA = 0x9e3779b97f4a7c15ull;
constexpr uint64_t kHashB = 0xc2b2ae3d27d4eb4full;

void HashWord(ke_string_key* key, uint64_t word) {
  const uint64_t a = (key->a ^ word) * kHashA;
  const uint64_t b = (key->b + word) * kHashB;
  key->a = a ^ (a >> 29);
  key->b = b ^ (b >> 32);
}

// Words of eight bytes from the end; the first bytes of the text, when they fill no word, stand at
// the end of one.
void HashBytes(ke_string_key* key, std::string_view text) {
  for (size_t left = text.size(); left > 0; left -= std::min<size_t>(left, 8)) {
    uint8_t bytes[8] = {};
    const size_t take = std::min<size_t>(left, 8);
    std::memcpy(bytes + 8 - take, text.data() + left - take, take);
    uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    HashWord(key, word);
  }
  HashWord(key, text.size());
}

void CopyReversed(uint8_t* to, std::string_view text, size_t max) {
  const size_t take = std::min(text.size(), max);
  for (size_t i = 0; i < take; ++i) to[i] = static_cast<uint8_t>(text[text.size() - 1 - i]);
}

}  // namespace

std::string_view DirOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view BaseOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

ke_string_key DirKey(const __u64 seed[2], std::string_view dir) {
  ke_string_key key{seed[0], seed[1]};
  HashBytes(&key, dir);
  return key;
}

ke_string_key PathKey(const __u64 seed[2], std::string_view path) {
  ke_string_key key = DirKey(seed, DirOf(path));
  // The root's own name is a slash.
  HashBytes(&key, path == "/" ? path : BaseOf(path));
  return key;
}

std::vector<ke_string_slot> StringSlots(const Table<ke_string_key>& strings) {
  // At least half stays empty; more, until no string stands too far from its place.
  for (size_t size = std::bit_ceil(std::max<size_t>(2 * strings.size(), 2));; size *= 2) {
    std::vector<ke_string_slot> slots(size);
    const bool all = std::all_of(strings.begin(), strings.end(), [&](const auto& entry) {
      for (uint32_t i = 0; i < KE_STRING_PROBES; ++i) {
        ke_string_slot& slot = slots[(static_cast<uint32_t>(entry.first.a) + i) & (size - 1)];
        if (slot.value != 0) continue;
        slot = {.key = entry.first, .value = entry.second, .pad = 0};
        return true;
      }
      return false;
    });
    if (all) return slots;
  }
}

ke_prefix_key PrefixKey(std::string_view text) {
  ke_prefix_key key{};
  const size_t take = std::min<size_t>(text.size(), KE_PREFIX_BYTES - 1);
  key.bits = static_cast<uint32_t>(take * 8);
  std::memcpy(key.bytes, text.data(), take);
  return key;
}

SuffixKey MakeSuffixKey(std::string_view text) {
  SuffixKey key;
  key.bits = static_cast<uint32_t>(std::min<size_t>(text.size(), KE_SUFFIX_BYTES) * 8);
  CopyReversed(key.bytes, text, KE_SUFFIX_BYTES);
  return key;
}

ke_hint_key HintKey(std::string_view text) {
  ke_hint_key key{};
  key.bits = static_cast<uint32_t>(std::min<size_t>(text.size(), KE_HINT_BYTES) * 8);
  CopyReversed(key.bytes, text, KE_HINT_BYTES);
  return key;
}

ke_number_key NumberKey(uint8_t place, uint32_t value, uint32_t bits) {
  ke_number_key key{};
  key.bits = 32 + bits;
  key.bytes[0] = place;
  for (int i = 0; i < 4; ++i) key.bytes[4 + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
  return key;
}

}  // namespace kentry
