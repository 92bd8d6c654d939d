// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_UTIL_SUGGEST_H_
#define KENTRY_SENSOR_UTIL_SUGGEST_H_

#include <span>
#include <string>
#include <string_view>

namespace kentry {

// Number of insertions, deletions, replacements and swaps of neighbours that turn one into the
// other (each place is edited once). Time and memory grow with the product of the lengths.
size_t EditDistance(std::string_view a, std::string_view b);

// The name that `typed` most probably stands for, or "" when none is near: at most one edit for
// each three letters, at least one. Leading dashes don't count; what is longer than any name
// could be has no neighbour. The view is one of `names`.
std::string_view NearestName(std::string_view typed, std::span<const std::string_view> names);

// "; did you mean "NAME"?" or "".
std::string DidYouMean(std::string_view typed, std::span<const std::string_view> names);

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_SUGGEST_H_
