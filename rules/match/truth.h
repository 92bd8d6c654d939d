// SPDX-License-Identifier: Apache-2.0
// Truth with three values (Kleene): a condition on a value that the sensor does not have whole is
// neither true nor false, and says so.
#ifndef KENTRY_RULES_MATCH_TRUTH_H_
#define KENTRY_RULES_MATCH_TRUTH_H_

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace kentry {

// In this order, so that And is the smaller and Or the larger one.
enum class Truth : uint8_t { kFalse, kUnknown, kTrue };

constexpr Truth ToTruth(bool value) { return value ? Truth::kTrue : Truth::kFalse; }
constexpr Truth And(Truth a, Truth b) { return std::min(a, b); }
constexpr Truth Or(Truth a, Truth b) { return std::max(a, b); }
constexpr Truth Not(Truth a) {
  return static_cast<Truth>(static_cast<uint8_t>(Truth::kTrue) - static_cast<uint8_t>(a));
}

// "false", "unknown", "true".
constexpr std::string_view TruthName(Truth truth) {
  switch (truth) {
    case Truth::kFalse:
      return "false";
    case Truth::kUnknown:
      return "unknown";
    case Truth::kTrue:
      return "true";
  }
  return "?";
}

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_TRUTH_H_
