// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_UTIL_STATUS_H_
#define KENTRY_SENSOR_UTIL_STATUS_H_

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define KE_STATUS_CONCAT_(a, b) a##b
#define KE_STATUS_CONCAT(a, b) KE_STATUS_CONCAT_(a, b)

// Returns the expression's status from the calling function unless it is OK.
#define RETURN_IF_ERROR(expr)                         \
  do {                                                \
    if (auto ke_status_ = (expr); !ke_status_.ok()) { \
      return ke_status_;                              \
    }                                                 \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): `x` is F()'s value, or F()'s status is returned.
#define ASSIGN_OR_RETURN(lhs, expr) \
  KE_ASSIGN_OR_RETURN_(KE_STATUS_CONCAT(ke_status_or_, __LINE__), lhs, expr)
#define KE_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                         \
  if (!tmp.ok()) return tmp.status();        \
  lhs = std::move(tmp).value()

namespace kentry {

// The status that stands for errno value `err` of operation `what`: "what: text of errno".
inline absl::Status ErrnoError(int err, std::string_view what) {
  return absl::ErrnoToStatus(err, absl::string_view(what.data(), what.size()));
}

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_STATUS_H_
