// SPDX-License-Identifier: Apache-2.0
// The hooks on opens: loaded and attached when the first rule set asks for the class, and kept from
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
  // Loads and attaches the best backend, unless that is done. `configure` sets the switches that
  // all objects share. kFailedPrecondition, with the reasons, when there is none.
  absl::Status Want(const bpf_object* base, int cpus,
                    const std::function<void(ke_open*)>& configure);
  // The class's rows for `kentry probe`, best first.
  std::vector<Backend> backends() const;
  // Can the hook refuse an open? False before Want.
  bool denies() const { return chosen_ >= 0 && chosen_ < kWatches; }
  const bpf_object* object() const { return open_ ? open_->obj : nullptr; }
  uint64_t Missed() const { return program_ != nullptr ? RecursionMisses(program_) : 0; }
  void Detach() { links_.clear(); }

 private:
  enum Way { kLsm, kModify, kWatches, kWays };
  std::string Try(Way way, const bpf_object* base, int cpus,
                  const std::function<void(ke_open*)>& configure);

  std::unique_ptr<ke_open, Destroy<&ke_open::destroy>> open_;
  std::vector<Link> links_;
  const bpf_program* program_ = nullptr;  // the one that judges opens
  int chosen_ = -1;
  std::string refused_[kWays];  // why not, of those that were tried
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_FILE_OPEN_H_
