// SPDX-License-Identifier: Apache-2.0
// A compiled rule set as the kernel's maps take it: plain keys and values, see bpf/abi/rules.h.
#ifndef KENTRY_RULES_COMPILE_TABLES_H_
#define KENTRY_RULES_COMPILE_TABLES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "bpf/abi/rules.h"

namespace kentry {

// A key of ke_r_suffix without the pad in front.
struct SuffixKey {
  uint32_t bits = 0;
  uint8_t bytes[KE_SUFFIX_BYTES] = {};
};

template <typename Key, typename Value = uint32_t>
using Table = std::vector<std::pair<Key, Value>>;

// Value of the table of cgroups for a container whose strings satisfy the same conditions.
inline constexpr uint32_t kCgroupPatternsMax = 256;
inline constexpr uint32_t kCgroupsMax = 16384;  // as the table of cgroups has places
inline constexpr uint32_t kIdentsMax = 65536;

// A new row of the table of cgroups, to be written before a cgroup gets its value.
struct RowUpdate {
  uint32_t index = 0;   // place in ke_r_index
  uint32_t number = 0;  // place in ke_r_rows
  ke_row row{};
};

struct RuleTables {
  ke_rule_config config{};   // `epoch` is the loader's
  uint32_t stamp_flags = 0;  // KE_STAMP_ASKS bits, _MARKS, _MARKED
  // A rule denies execs by what not every kernel knows then: the new capabilities.
  bool exec_denies_by_caps = false;
  std::vector<uint32_t> index;
  std::vector<ke_row> rows;
  std::vector<ke_string_slot> exact;
  std::vector<ke_string_slot> dirs;
  Table<ke_prefix_key> prefix;
  Table<SuffixKey> suffix;
  Table<ke_hint_key> hint;
  Table<ke_number_key> numbers;
  Table<ke_address_key> addresses;
};

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_TABLES_H_
