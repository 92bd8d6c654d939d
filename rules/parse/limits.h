// SPDX-License-Identifier: Apache-2.0
// What bounds the time and memory that a load takes. Beyond: an error that names the limit.
#ifndef KENTRY_RULES_PARSE_LIMITS_H_
#define KENTRY_RULES_PARSE_LIMITS_H_

#include <cstddef>

namespace kentry {

inline constexpr size_t kMaxRuleFileBytes = size_t{10} << 20;
inline constexpr size_t kMaxRuleSetBytes = size_t{64} << 20;
inline constexpr size_t kMaxRuleFiles = 4096;
inline constexpr size_t kMaxRules = 20000;
inline constexpr size_t kMaxYamlNodes = 2000000;  // of all files
inline constexpr int kMaxYamlDepth = 64;
inline constexpr size_t kMaxListItems = 200000;  // of all lists, after expansion
inline constexpr int kMaxConditionDepth = 64;
inline constexpr size_t kMaxConditionNodes = 10000;  // of one condition, macros expanded
// Of all conditions together, macros and lists expanded.
inline constexpr size_t kMaxSetNodes = 1000000;
inline constexpr size_t kMaxSetValues = 1000000;
inline constexpr size_t kMaxSetValueBytes = size_t{64} << 20;
inline constexpr size_t kMaxStringBytes = 4096;   // of a constant in a condition, of a list's item
inline constexpr size_t kMaxMessageBytes = 1024;  // of a message's template
inline constexpr size_t kMaxTextBytes = 8192;     // of a description and the like
inline constexpr size_t kMaxTestsPerRule = 1000;

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_LIMITS_H_
