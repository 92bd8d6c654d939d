// SPDX-License-Identifier: Apache-2.0
// What of the sensor stays in the kernel without it: maps and links, pinned in the BPF file system.
//
//   /sys/fs/bpf/kentry/g7/          a generation: one build with one set of options
//     identity                      whose it is (PinIdentity)
//     maps/ke_r_control …           its maps
//     base/exec__tp_btf …           the links of a group of hooks
//     rules/12                      the rule set of an epoch, as text
//   /sys/fs/bpf/kentry/new/         a generation that isn't in force yet
//
// A folder is filled aside and then renamed: whoever looks sees a group, or a generation, whole or
// not at all. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_PINS_H_
#define KENTRY_SENSOR_KERNEL_PINS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pinned.h"
#include "sensor/util/fd.h"

namespace kentry {

class Pins {
 public:
  // kFailedPrecondition: there is no BPF file system. Removes what a sensor left that did not come
  // to the end of its start.
  static absl::StatusOr<Pins> Open();

  // Finds the generation of that identity; from then on it, or else a new one, is meant.
  absl::Status Choose(const PinIdentity& mine);
  bool adopted() const { return adopted_; }
  // Other complete generations.
  const std::vector<std::string>& others() const { return others_; }
  // The new generation is complete.
  absl::Status Publish();
  void ForgetOthers() { others_.clear(); }
  const std::string& folder() const { return folder_; }

  absl::Status PinMap(std::string_view name, int fd) const;
  absl::StatusOr<Fd> Map(std::string_view name) const;

  // All shared maps of an object: pins them, or has the object use those that are pinned.
  absl::Status PinMaps(const bpf_object* object) const;
  absl::Status ReuseMaps(bpf_object* object) const;

  // Pins the links of hooks under their programs' names, as one group.
  absl::Status PinHooks(const char* group, std::span<const AttachedHook> hooks) const;
  bool Has(const char* group) const;
  absl::StatusOr<std::vector<AttachedHook>> Hooks(const char* group) const;
  absl::Status DropHooks(const char* group) const;

  absl::Status KeepRules(uint32_t epoch, std::string_view text) const;
  void DropRules(uint32_t epoch) const;
  std::map<uint32_t, std::string> Rules() const;

 private:
  std::string folder_;
  bool adopted_ = false;
  std::vector<std::string> others_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_PINS_H_
