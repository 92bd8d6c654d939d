// SPDX-License-Identifier: Apache-2.0
// Names of numbers that every rule knows.
#ifndef KENTRY_RULES_PARSE_CONSTANTS_H_
#define KENTRY_RULES_PARSE_CONSTANTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kentry {

struct Constant {
  std::string_view name;
  uint64_t value = 0;
};

// CAP_… (the capability's bit), E… (error numbers), SIG… (signal numbers), S_… (bits of a file's
// mode), in the order of their names. Any thread.
std::span<const Constant> Constants();
std::optional<uint64_t> FindConstant(std::string_view name);

// The number of a signal by its name with or without SIG ("TERM", "SIGTERM").
std::optional<int> FindSignal(std::string_view name);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_CONSTANTS_H_
