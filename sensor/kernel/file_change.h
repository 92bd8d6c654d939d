// SPDX-License-Identifier: Apache-2.0
// The hooks on changes of files and names: loaded when a rule set first asks for one of the
// classes, each attached when a set asks for its own, and kept from then on. Internal to
// sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_FILE_CHANGE_H_
#define KENTRY_SENSOR_KERNEL_FILE_CHANGE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ke_change.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pins.h"

namespace kentry {

class FileChange {
 public:
  using Configure = std::function<void(ke_change*)>;

  // Loads and attaches the programs of `changes` (1 << ke_change_kind), unless that is done.
  // `deny`: they have to be able to refuse a change. `configure` sets the switches that all objects
  // share. kFailedPrecondition, with the reasons, when they can't be had.
  absl::Status Want(const bpf_object* base, int cpus, uint32_t changes, bool deny,
                    const Configure& configure);
  // The kinds that are attached: 1 << ke_change_kind.
  uint32_t attached() const;
  // Rows for `kentry probe`, best first.
  std::vector<Backend> backends() const;
  // The objects that are loaded: one for each kind of change, which share their maps.
  std::vector<const bpf_object*> objects() const;
  // Runs of the class's programs that the kernel skipped.
  uint64_t Missed(ke_type type) const;
  void Detach();

  // Hooks are pinned from now on, and those that are pinned already are taken over. `pins` outlives
  // this.
  absl::Status UsePins(const Pins* pins);

 private:
  enum Way { kLsm, kModify, kWays };
  // What of the hooks differs by kernel.
  struct Shapes {
    bool readable = false;
    bool idmap_first = false;    // inode_setxattr: a user namespace or id map comes first
    bool rename_flags = false;   // BPF LSM path_rename has them
    bool plain_setattr = false;  // inode_setattr without one: then path_chown's arguments, which
                                 // are structures by value, can't be had (before 6.1)
    bool file_truncate = false;  // since 6.2
    bool set_acl = false;        // since 6.2
  };
  // The programs of one kind of change.
  struct Part {
    int kind = KE_CHANGE_UNLINK;                                      // enum ke_change_kind
    std::unique_ptr<ke_change, Destroy<&ke_change::destroy>> object;  // nullptr: taken over
    std::vector<bpf_program*> programs;
    std::vector<AttachedHook> hooks;
  };
  struct Hook {
    int kind = KE_CHANGE_UNLINK;
    std::array<bpf_program*, kWays> programs{};
  };
  static Shapes ReadShapes();
  std::vector<Hook> Hooks(ke_change* object) const;
  void SetSwitches(Way way, int cpus, ke_change* object);
  std::string Load(Way way, const bpf_object* base, int cpus, const Configure& configure,
                   Part* part);
  absl::Status Add(int kind, const bpf_object* base, int cpus, const Configure& configure);

  const Pins* pins_ = nullptr;
  Shapes shapes_;
  std::vector<Part> parts_;
  int chosen_ = -1;
  bool denies_ = false;
  std::array<std::string, kWays> refused_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_FILE_CHANGE_H_
