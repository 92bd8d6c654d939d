// SPDX-License-Identifier: Apache-2.0
// Finds the cgroup hierarchy that container runtimes use on this machine, and lists its cgroups.
#ifndef KENTRY_SENSOR_WORKLOAD_CGROUP_WALK_H_
#define KENTRY_SENSOR_WORKLOAD_CGROUP_WALK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kentry {

struct CgroupMount {
  std::string path;        // where the hierarchy is mounted
  int version = 2;         // 1 or 2; the default ("unified") hierarchy is 2
  std::string controller;  // v1: the controller that chose the hierarchy, "memory"; v2: empty
  // v1: row of `controller` in /proc/cgroups, counted from 0, which is its index in
  // css_set->subsys[] unless the kernel was built without v1 support for an earlier controller
  // (possible since 6.12; such rows are hidden). Where BTF is at hand, the kernel's enum
  // cgroup_subsys_id is the better source. v2: -1, the default hierarchy.
  int subsys_index = -1;
  int hierarchy_id = 0;  // as in /proc/PID/cgroup and the cgroup tracepoints' `root`; v2: 0
  // Whether the mount starts at the hierarchy's root. If not (a bind mount, or Kentry runs in a
  // cgroup namespace of its own), paths lack their upper part and other cgroups aren't seen.
  bool from_root = false;
};

// Where proc and sysfs are found; a sensor in a container may see the host's elsewhere.
struct CgroupRoots {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

// Decides where container cgroups live. With v2 mounted on <sys>/fs/cgroup that is it. Otherwise
// (v1 or hybrid) it is the hierarchy of the first controller that is mounted and enabled out of
// memory, pids, cpu, cpuacct, cpuset, blkio, devices and freezer: runtimes join all of them. With
// no such controller, v2 wherever it is mounted.
// Errors: NotFound when there is no hierarchy at all; errno's code and the file's name when
// mountinfo or /proc/cgroups can't be read. Reads files only. Any thread.
absl::StatusOr<CgroupMount> FindCgroupMount(const CgroupRoots& roots = {});

// Called for each cgroup, parents before children. `id` is the directory's inode number, which is
// the kernfs id. `path` starts with '/', is relative to the mount, and valid during the call only.
using CgroupVisitor = absl::FunctionRef<void(uint64_t id, std::string_view path)>;

// Visits the cgroups below `mount`, itself included as "/", at most `max_cgroups` of them. Cgroups
// that come or go meanwhile may or may not be visited; that is no error.
// Errors: `mount` can't be opened (errno's code); ResourceExhausted when there are more cgroups
// than `max_cgroups`, some lie too deep for a path of PATH_MAX, or some can't be opened (no access,
// no descriptors left); all others were visited then.
// Holds one directory open at a time. Any thread.
absl::Status WalkCgroups(const std::string& mount, CgroupVisitor visitor,
                         size_t max_cgroups = 65536);

}  // namespace kentry

#endif  // KENTRY_SENSOR_WORKLOAD_CGROUP_WALK_H_
