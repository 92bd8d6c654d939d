// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/suggest.h"

#include <algorithm>
#include <vector>

#include "fmt/format.h"

namespace kentry {
namespace {

constexpr size_t kLongestTyped = 64;

std::string_view WithoutDashes(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  return name;
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the table: a swap of neighbours looks two rows back.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string_view NearestName(std::string_view typed, std::span<const std::string_view> names) {
  const std::string_view wanted = WithoutDashes(typed);
  if (wanted.empty() || typed.size() > kLongestTyped) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string_view name : names) {
    const std::string_view candidate = WithoutDashes(name);
    const size_t distance = EditDistance(wanted, candidate);
    // A short name would otherwise be near to everything: "-x" to "-o".
    if (distance >= best_distance || distance >= candidate.size()) continue;
    best = name;
    best_distance = distance;
  }
  return best;
}

std::string DidYouMean(std::string_view typed, std::span<const std::string_view> names) {
  const std::string_view name = NearestName(typed, names);
  return name.empty() ? "" : fmt::format("; did you mean \"{}\"?", name);
}

}  // namespace kentry
