// SPDX-License-Identifier: Apache-2.0
// The hooks on opens: loaded and attached when a rule set first asks for the class, or for denying
// in it, and kept from then on (5.10 attaches a loaded fentry program once only). Internal to
// sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_FILE_OPEN_H_
#define KENTRY_SENSOR_KERNEL_FILE_OPEN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ke_open.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pins.h"

namespace kentry {

class FileOpen {
 public:
  using Configure = std::function<void(ke_open*)>;

  // Loads and attaches what watches opens, or with `deny` what can refuse them, unless that is
  // done; then the caller lets the new hook judge and calls DropOld. `configure` sets the switches
  // that all objects share. kFailedPrecondition, with the reasons, when there is none.
  absl::Status Want(const bpf_object* base, int cpus, bool deny, const Configure& configure);
  // Detaches the hook that another one has taken over from.
  void DropOld();
  // Can the hook refuse an open?
  bool denies() const { return chosen_ == kLsm || chosen_ == kModify; }
  bool attached() const { return chosen_ >= 0; }
  // The class's rows for `kentry probe`, best first.
  std::vector<Backend> backends() const;
  const bpf_object* object() const { return now_.open ? now_.open->obj : nullptr; }
  uint64_t Missed() const { return missed_before_ + now_.Missed(); }
  void Detach() { Release(&now_.hooks); }
  const std::vector<AttachedHook>& hooks() const { return now_.hooks; }

  // Hooks are pinned from now on, and those that are pinned already are taken over; the caller then
  // lets the one that denies judge, if it does, and calls DropOld. `pins` outlives this.
  absl::Status UsePins(const Pins* pins);

 private:
  enum Way { kLsm, kModify, kWatch, kWays };
  // One object of the class, attached.
  struct Hook {
    std::unique_ptr<ke_open, Destroy<&ke_open::destroy>> open;
    std::vector<AttachedHook> hooks;
    int way = -1;
    uint64_t Missed() const;  // of the one that judges opens
  };
  static std::string Load(Way way, const bpf_object* base, int cpus, const Configure& configure,
                          Hook* hook);

  const Pins* pins_ = nullptr;
  Hook now_;
  Hook old_;
  int chosen_ = -1;
  uint64_t missed_before_ = 0;
  std::string refused_[kWays];  // why not, of those that were tried
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_FILE_OPEN_H_
