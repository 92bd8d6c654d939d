// SPDX-License-Identifier: Apache-2.0
// What is known of every cgroup: its path and the container and pod that the path names.
#ifndef KENTRY_SENSOR_WORKLOAD_CGROUP_TABLE_H_
#define KENTRY_SENSOR_WORKLOAD_CGROUP_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sensor/workload/cgroup_path.h"

namespace kentry {

struct Cgroup {
  bool in_container() const { return runtime != Runtime::kNone; }
  bool removed() const { return removed_at_ns != 0; }

  uint64_t id = 0;                 // kernfs node id; what bpf_get_current_cgroup_id() gives for v2
  uint64_t removed_at_ns = 0;      // boot time; 0: the cgroup exists
  std::string path;                // from the root of the hierarchy; last one, for a removed cgroup
  std::string container_id;        // ContainerIdText() of the innermost container; empty: none
  std::string outer_container_id;  // the outermost container; empty unless depth > 1
  PodUid pod_uid;
  Runtime runtime = Runtime::kNone;
  Runtime outer_runtime = Runtime::kNone;  // kNone unless depth > 1
  uint16_t depth = 0;                      // as in ContainerRef
};

// The cgroups of one hierarchy (ids are unique in a hierarchy only; the caller drops events of
// other ones). To start without a gap: attach the hooks, give the result of WalkCgroups() to
// Add(), then apply the events recorded since the hooks were attached, in their order. Events that
// the walk has already seen change nothing.
//
// Not thread-safe: belongs to the pipeline's thread.
class CgroupTable {
 public:
  struct Options {
    // Entries, removed ones included. A path has at most kMaxPathBytes.
    size_t capacity = 16384;
    // Existing cgroups below one outermost container. A container that may create cgroups can't
    // push others out of the table.
    size_t per_container = 4096;
    // How long a removed cgroup stays known.
    uint64_t grace_ns = 30'000'000'000;
  };

  struct Counters {
    uint64_t evicted = 0;            // removed cgroups forgotten before their grace was over
    uint64_t refused_full = 0;       // not taken: capacity reached, all of them exist
    uint64_t refused_container = 0;  // not taken: per_container reached
    uint64_t refused_path = 0;       // not taken: path empty, not absolute or too long
    uint64_t unknown_id = 0;         // Remove() of an id never seen, or seen and forgotten
    uint64_t implied_removals = 0;   // found gone from other events: their removal was lost
    uint64_t implied_renames = 0;    // Add() of a known id with another path
    uint64_t reused_ids = 0;         // Add() of a removed cgroup's id
  };

  static constexpr size_t kMaxPathBytes = 4096;  // the kernel's own limit, PATH_MAX

  explicit CgroupTable(const Options& options);
  CgroupTable(const CgroupTable&) = delete;
  CgroupTable& operator=(const CgroupTable&) = delete;

  // A cgroup exists at `path`. A known id with another path is renamed; a removed cgroup's id is
  // taken over by the new one; another cgroup at the same path must be gone and is marked removed.
  // `path` is copied and must not point into the table. Returns whether the table knows the cgroup
  // now; every refusal is counted.
  bool Add(uint64_t id, std::string_view path);

  // The cgroup, and with it everything below it, moved. An id not known yet is added. Returns as
  // Add() does. The late rename of a removed cgroup is ignored.
  bool Rename(uint64_t id, std::string_view new_path);

  // The cgroup was removed at `boot_ns`, nanoseconds of boot time. It stays known for grace_ns.
  // Cgroups still known below it must be gone as well: the kernel removes empty ones only.
  void Remove(uint64_t id, uint64_t boot_ns);

  // Forgets the cgroups that were removed grace_ns or longer before `now_ns` (boot time).
  void Sweep(uint64_t now_ns);

  // After lost events: StartResync(), WalkCgroups() into Add(), FinishResync(). What existed before
  // and was neither walked nor added in between is marked removed at `boot_ns`.
  void StartResync();
  void FinishResync(uint64_t boot_ns);

  // The cgroup, existing or removed; nullptr when unknown. The pointer stays valid until the entry
  // is forgotten by Sweep() or evicted by Add() or Rename(), its contents until the next call that
  // changes the table.
  const Cgroup* Find(uint64_t id) const;

  // Calls f(const Cgroup&) for each, removed ones included, in no order.
  template <typename F>
  void ForEach(F f) const {
    for (const auto& [id, entry] : entries_) f(entry.cgroup);
  }

  size_t size() const { return entries_.size(); }  // removed ones included
  const Counters& counters() const { return counters_; }

 private:
  struct Entry {
    Cgroup cgroup;
    std::string quota_key;  // outermost container's id as it stands in the path; empty: none
    std::list<uint64_t>::iterator removed_position;  // valid only if cgroup.removed()
    uint64_t resync = 0;                             // the resync that last saw it
  };
  // Keys are views of Cgroup::path, so an entry leaves the index before its path changes.
  using PathIndex = std::map<std::string_view, Entry*>;

  bool Insert(uint64_t id, std::string_view path);
  bool MakeRoom();
  bool WithinQuota(std::string_view path) const;
  void Describe(Entry& entry, std::string path);
  void Link(Entry& entry);
  void Unlink(Entry& entry);
  void MarkRemoved(Entry& entry, uint64_t boot_ns);
  void MarkBelowRemoved(std::string_view path, uint64_t boot_ns);
  void DisplaceAt(std::string_view path, uint64_t keep_id);
  std::vector<Entry*> Below(std::string_view path) const;
  void Forget(uint64_t id);
  bool Move(Entry& entry, std::string_view new_path);

  const Options options_;
  Counters counters_;
  std::unordered_map<uint64_t, Entry> entries_;
  PathIndex by_path_;                                      // existing cgroups only
  std::unordered_map<std::string, size_t> per_container_;  // existing ones by quota_key
  std::list<uint64_t> removed_;                            // oldest first
  uint64_t last_ns_ = 1;  // latest time told, for removals that are only implied
  uint64_t resync_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_WORKLOAD_CGROUP_TABLE_H_
