// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_FILE_IDENTS_H_
#define KENTRY_SENSOR_PIPELINE_FILE_IDENTS_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "rules/compile/compiler.h"
#include "sensor/kernel/kernel.h"
#include "sensor/pipeline/container_root.h"
#include "sensor/process/process_table.h"
#include "sensor/workload/cgroup_table.h"

namespace kentry {

// Tells the kernel which inodes the paths that rules name lead to: in the sensor's own root, and in
// the root of each container that the tables know. A container is looked at within a second of its
// first process, a few containers a second; each again when the kernel has forgotten an inode, and
// else every ten seconds or, with many containers, as soon as it is its turn. One thread: the
// pipeline's.
class FileIdents {
 public:
  struct Counters {
    uint64_t roots = 0;    // containers' roots whose files are known
    uint64_t skipped = 0;  // roots that were not looked at: OpenContainerRoot says why
    uint64_t no_room = 0;  // inodes that the kernel's table has no room for
    uint64_t errors = 0;   // failures to ask or tell the kernel, since the start
  };

  FileIdents(Kernel* kernel, const ProcessTable* processes, const CgroupTable* cgroups)
      : kernel_(*kernel),
        processes_(*processes),
        cgroups_(*cgroups),
        own_mnt_ns_(OwnNamespace("mnt")) {}

  // The epoch that is prepared knows no inode: it is told those of the sensor's root and of the
  // first containers; the others follow by Refresh.
  void Start(const CompiledRules& rules);
  // To be called once a second, with the rules in force.
  void Refresh(const CompiledRules& rules);
  const Counters& counters() const { return counters_; }

 private:
  using FileKey = std::pair<uint64_t, uint32_t>;  // inode and device
  struct Known {
    ke_ident ident{};
    uint64_t drops = 0;  // drops_ when it was looked at
  };
  using Files = absl::flat_hash_map<FileKey, Known>;
  // What a look sees, path by path.
  struct Look {
    size_t next = 0;  // place in known_paths of the next one
    uint64_t drops = 0;
    Files found;
  };
  struct Root {
    RootOwner owner;
    RootOwner before;   // in the walk of the processes before the last
    bool seen = false;  // in the last walk
    bool skipped = false;
    uint64_t looked_at = 0;  // refreshes_ of the last look; 0 = none yet
    size_t no_room = 0;      // files that were found and are not in `files`
    Files files;
    Look look;  // under way while next is not 0
  };
  // Files that are held open to ask the kernel for their inodes, all at once: it goes through all
  // descriptors of the machine for that.
  struct Batch {
    absl::flat_hash_map<uint32_t, std::pair<ke_ident, Look*>> by_fd;
    std::vector<Fd> open;
  };

  uint64_t Drops() const;
  // Roots of the containers that have a living process now.
  void FindRoots();
  void LookAtHost(const CompiledRules& rules);
  // Finds the roots, and looks at as many as one call may take.
  void LookAtRoots(const CompiledRules& rules);
  Root* NextRoot();
  void Finish(Root* root);
  // Opens the paths of `look` from its place on, at most `budget` of them. Both: false when the
  // kernel can't be asked.
  bool LookAt(const CompiledRules& rules, const Fd* root, size_t budget, Look* look, Batch* batch);
  bool Ask(Batch* batch);
  // Brings the kernel's table to what is known.
  void Tell();
  void Take(const Files& files, Files* wanted);
  bool Count(const absl::Status& status) {
    if (!status.ok()) ++counters_.errors;
    return status.ok();
  }

  Kernel& kernel_;
  const ProcessTable& processes_;
  const CgroupTable& cgroups_;
  const uint32_t own_mnt_ns_;
  Counters counters_;
  Files host_;
  std::map<uint32_t, Root> roots_;  // by mount namespace
  Files told_;
  bool changed_ = false;  // something known differs from what was told
  uint64_t drops_ = 0;    // the kernel's count of inodes it forgot
  uint64_t refreshes_ = 1;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_FILE_IDENTS_H_
