// SPDX-License-Identifier: Apache-2.0
// The keys of the kernel's string tables, as bpf/lib/strings.h computes them.
#ifndef KENTRY_RULES_COMPILE_STRING_KEY_H_
#define KENTRY_RULES_COMPILE_STRING_KEY_H_

#include <string_view>
#include <vector>

#include "rules/compile/tables.h"

namespace kentry {

// Key of a path: its directory and its last part are hashed one after the other.
ke_string_key PathKey(const __u64 seed[2], std::string_view path);
// Key of a directory's path ("" = the root), as far as the last part of a path in it.
ke_string_key DirKey(const __u64 seed[2], std::string_view dir);

// The table of these strings (ke_string_slot); values are not 0, keys differ.
std::vector<ke_string_slot> StringSlots(const Table<ke_string_key>& strings);

// The first KE_PREFIX_BYTES - 1 bytes of `text`.
ke_prefix_key PrefixKey(std::string_view text);
// The last KE_SUFFIX_BYTES bytes of `text`, last first.
SuffixKey MakeSuffixKey(std::string_view text);
// The last KE_HINT_BYTES bytes of `text`, last first.
ke_hint_key HintKey(std::string_view text);
// Value of number field `place`, its first `bits` bits.
ke_number_key NumberKey(uint8_t place, uint32_t value, uint32_t bits);

// Directory and last part of a path: what stands before and behind its last slash.
std::string_view DirOf(std::string_view path);
std::string_view BaseOf(std::string_view path);

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_STRING_KEY_H_
