// SPDX-License-Identifier: Apache-2.0
// The hook on opens: loaded and attached when the first rule set asks for the class, and kept from
// then on (5.10 attaches a loaded fentry program once only). Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_FILE_OPEN_H_
#define KENTRY_SENSOR_KERNEL_FILE_OPEN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ke_open.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"

namespace kentry {

class FileOpen {
 public:
  // Loads and attaches, unless that is done. `configure` sets the switches that all objects share.
  absl::Status Want(const bpf_object* base, int cpus,
                    const std::function<void(ke_open*)>& configure);
  // The class's row for `kentry probe`.
  Backend backend() const;
  const bpf_object* object() const { return open_ ? open_->obj : nullptr; }
  uint64_t Missed() const { return open_ ? RecursionMisses(open_->progs.open__fentry) : 0; }
  void Detach() { links_.clear(); }

 private:
  std::unique_ptr<ke_open, Destroy<&ke_open::destroy>> open_;
  std::vector<Link> links_;
  std::string refused_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_FILE_OPEN_H_
