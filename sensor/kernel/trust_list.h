// SPDX-License-Identifier: Apache-2.0
// The programs that rules don't act on, in the kernel's map. One thread: the pipeline's.
#ifndef KENTRY_SENSOR_KERNEL_TRUST_LIST_H_
#define KENTRY_SENSOR_KERNEL_TRUST_LIST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bpf/abi/rules.h"

namespace kentry {

class TrustList {
 public:
  // `map` is ke_trusted and outlives the list.
  void Attach(int map) { map_ = map; }

  // The file counts as trusted from the return on, until it is written to, replaced or removed from
  // the list. kResourceExhausted: the list is full. kInvalidArgument: the path is too long.
  absl::Status Add(std::string_view path, const ke_file_ident& file);
  // By the path that it was added by, whatever stands there now. kNotFound: it isn't there.
  absl::Status Remove(std::string_view path);
  // Paths as they were added, sorted.
  std::vector<std::string> Paths() const;
  // Takes over what another map of this layout has; of other layouts nothing.
  void AddAll(int other);

 private:
  int map_ = -1;
};

// The paths in a map ke_trusted, sorted; none of a map of another layout.
std::vector<std::string> TrustedPaths(int map);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_TRUST_LIST_H_
