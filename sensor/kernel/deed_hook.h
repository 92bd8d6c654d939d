// SPDX-License-Identifier: Apache-2.0
// The hooks on what one process does to another, or to maps and programs: those of a class are
// loaded and attached when a rule set first asks for it, and kept from then on. Internal to
// sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_DEED_HOOK_H_
#define KENTRY_SENSOR_KERNEL_DEED_HOOK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ke_deed_hooks.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pins.h"

namespace kentry {

class DeedHook {
 public:
  using Configure = std::function<void(ke_deed_hooks*)>;

  // KE_RC_PTRACE, KE_RC_SIGNAL or KE_RC_BPF.
  explicit DeedHook(ke_rule_class cls) : class_(cls) {}
  ke_rule_class rule_class() const { return class_; }

  // Loads and attaches the best hooks of this kernel, unless that is done. `deny`: they have to be
  // able to refuse. kFailedPrecondition, with the reasons, when they can't be had.
  absl::Status Want(const bpf_object* base, int cpus, bool deny, const Configure& configure);
  // Rows for `kentry probe`, best first.
  std::vector<Backend> backends() const;
  const bpf_object* object() const { return object_ ? object_->obj : nullptr; }
  // Runs that the kernel skipped.
  uint64_t Missed() const { return RecursionMisses(hooks_); }
  bool attached() const { return chosen_ >= 0; }
  void Detach() { Release(&hooks_); }

  // The hooks are pinned from now on, and those that are pinned already are taken over. `pins`
  // outlives this.
  absl::Status UsePins(const Pins* pins);

 private:
  enum Way { kLsm, kModify, kWays };
  std::string Group(Way way) const;
  std::vector<bpf_program*> Programs(Way way) const;
  // "" or why this way can't be had.
  std::string Load(Way way, const bpf_object* base, int cpus, const Configure& configure);

  ke_rule_class class_;
  std::unique_ptr<ke_deed_hooks, Destroy<&ke_deed_hooks::destroy>> object_;  // nullptr: taken over
  const Pins* pins_ = nullptr;
  std::vector<AttachedHook> hooks_;
  int chosen_ = -1;
  bool denies_ = false;
  std::string refused_[kWays];  // why not, of those that were tried
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_DEED_HOOK_H_
