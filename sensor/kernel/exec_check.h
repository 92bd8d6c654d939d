// SPDX-License-Identifier: Apache-2.0
// The hook that can refuse an exec: loaded and attached when a rule set first denies in
// process.exec, and kept from then on. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_EXEC_CHECK_H_
#define KENTRY_SENSOR_KERNEL_EXEC_CHECK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ke_exec_check.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pins.h"

namespace kentry {

class ExecCheck {
 public:
  using Configure = std::function<void(ke_exec_check*)>;

  // Loads and attaches the best hook of this kernel, unless that is done. `asks_caps`: a rule
  // denies by the capabilities of the new image. kFailedPrecondition, with the reasons, when there
  // is no hook, or none that knows them.
  absl::Status Want(const bpf_object* base, int cpus, bool asks_caps, const Configure& configure);
  // The rows for `kentry probe`, best first.
  std::vector<Backend> backends() const;
  const bpf_object* object() const { return check_ ? check_->obj : nullptr; }
  uint64_t Missed() const;
  void Detach() { Release(&hooks_); }

  // The hook is pinned from now on, and one that is pinned already is taken over. `pins` outlives
  // this.
  absl::Status UsePins(const Pins* pins);

 private:
  enum Way { kLsm, kModify, kWays };
  // "" or why this way can't be had.
  std::string Load(Way way, const bpf_object* base, int cpus, const Configure& configure);
  bpf_program* Program(Way way) const {
    return way == kLsm ? check_->progs.exec_check__lsm : check_->progs.exec_check__modify;
  }

  std::unique_ptr<ke_exec_check, Destroy<&ke_exec_check::destroy>> check_;
  const Pins* pins_ = nullptr;
  std::vector<AttachedHook> hooks_;
  int chosen_ = -1;
  std::string refused_[kWays];  // why not, of those that were tried
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_EXEC_CHECK_H_
