// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kentry {
namespace {

bool IsPath(std::string_view path) {
  return path.starts_with('/') && path.size() <= CgroupTable::kMaxPathBytes;
}

// The root's children start with its path, everyone else's with the path and a slash.
std::string BelowPrefix(std::string_view path) {
  std::string prefix(path);
  if (path != "/") {
    prefix.push_back('/');
  }
  return prefix;
}

}  // namespace

CgroupTable::CgroupTable(const Options& options) : options_(options) {}

bool CgroupTable::Add(uint64_t id, std::string_view path) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) {
    return Insert(id, path);
  }
  if (it->second.cgroup.removed()) {
    // Even if the newcomer is refused: it must not be taken for the one that had its id before.
    ++counters_.reused_ids;
    Forget(id);
    return Insert(id, path);
  }
  it->second.resync = resync_;
  if (it->second.cgroup.path == path) {
    return true;
  }
  const bool moved = Move(it->second, path);
  counters_.implied_renames += moved ? 1 : 0;
  return moved;
}

bool CgroupTable::Rename(uint64_t id, std::string_view new_path) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) {
    return Insert(id, new_path);
  }
  if (it->second.cgroup.removed()) {
    return true;
  }
  it->second.resync = resync_;
  return Move(it->second, new_path);
}

void CgroupTable::Remove(uint64_t id, uint64_t boot_ns) {
  last_ns_ = std::max(last_ns_, boot_ns);
  const auto it = entries_.find(id);
  if (it == entries_.end()) {
    ++counters_.unknown_id;
    return;
  }
  if (it->second.cgroup.removed()) {
    return;
  }
  MarkBelowRemoved(it->second.cgroup.path, boot_ns);
  MarkRemoved(it->second, boot_ns);
}

void CgroupTable::Sweep(uint64_t now_ns) {
  last_ns_ = std::max(last_ns_, now_ns);
  while (!removed_.empty()) {
    const uint64_t id = removed_.front();
    const uint64_t removed_at_ns = entries_.at(id).cgroup.removed_at_ns;
    if (removed_at_ns > now_ns || now_ns - removed_at_ns < options_.grace_ns) {
      return;
    }
    Forget(id);
  }
}

void CgroupTable::StartResync() { ++resync_; }

void CgroupTable::FinishResync(uint64_t boot_ns) {
  last_ns_ = std::max(last_ns_, boot_ns);
  std::vector<Entry*> gone;
  for (const auto& [path, entry] : by_path_) {
    if (entry->resync != resync_) {
      gone.push_back(entry);
    }
  }
  for (Entry* entry : gone) {
    ++counters_.implied_removals;
    MarkRemoved(*entry, boot_ns);
  }
}

const Cgroup* CgroupTable::Find(uint64_t id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second.cgroup;
}

bool CgroupTable::Insert(uint64_t id, std::string_view path) {
  if (!IsPath(path)) {
    ++counters_.refused_path;
    return false;
  }
  DisplaceAt(path, id);
  if (!WithinQuota(path)) {
    ++counters_.refused_container;
    return false;
  }
  if (!MakeRoom()) {
    ++counters_.refused_full;
    return false;
  }
  Entry& entry = entries_[id];
  entry.cgroup.id = id;
  entry.resync = resync_;
  Describe(entry, std::string(path));
  Link(entry);
  return true;
}

bool CgroupTable::MakeRoom() {
  while (entries_.size() >= options_.capacity) {
    if (removed_.empty()) {
      return false;
    }
    ++counters_.evicted;
    Forget(removed_.front());
  }
  return true;
}

bool CgroupTable::WithinQuota(std::string_view path) const {
  const ContainerRef ref = ParseCgroupPath(path);
  if (ref.depth == 0) {
    return true;
  }
  const auto it = per_container_.find(std::string(ref.outer_id));
  return it == per_container_.end() || it->second < options_.per_container;
}

void CgroupTable::Describe(Entry& entry, std::string path) {
  Cgroup& cgroup = entry.cgroup;
  cgroup.path = std::move(path);
  const ContainerRef ref = ParseCgroupPath(cgroup.path);
  cgroup.runtime = ref.runtime;
  cgroup.container_id = ContainerIdText(ref.id);
  cgroup.depth = ref.depth;
  cgroup.outer_runtime = ref.depth > 1 ? ref.outer_runtime : Runtime::kNone;
  cgroup.outer_container_id = ref.depth > 1 ? ContainerIdText(ref.outer_id) : std::string();
  cgroup.pod_uid = ref.pod_uid;
  entry.quota_key = ref.outer_id;
}

void CgroupTable::Link(Entry& entry) {
  by_path_.emplace(entry.cgroup.path, &entry);
  if (!entry.quota_key.empty()) {
    ++per_container_[entry.quota_key];
  }
}

void CgroupTable::Unlink(Entry& entry) {
  by_path_.erase(entry.cgroup.path);
  const auto it = per_container_.find(entry.quota_key);
  if (it != per_container_.end() && --it->second == 0) {
    per_container_.erase(it);
  }
}

void CgroupTable::MarkRemoved(Entry& entry, uint64_t boot_ns) {
  Unlink(entry);
  entry.cgroup.removed_at_ns = std::max<uint64_t>(boot_ns, 1);
  entry.removed_position = removed_.insert(removed_.end(), entry.cgroup.id);
}

void CgroupTable::MarkBelowRemoved(std::string_view path, uint64_t boot_ns) {
  for (Entry* entry : Below(path)) {
    ++counters_.implied_removals;
    MarkRemoved(*entry, boot_ns);
  }
}

void CgroupTable::DisplaceAt(std::string_view path, uint64_t keep_id) {
  const auto it = by_path_.find(path);
  if (it == by_path_.end() || it->second->cgroup.id == keep_id) {
    return;
  }
  Entry& entry = *it->second;
  MarkBelowRemoved(path, last_ns_);
  ++counters_.implied_removals;
  MarkRemoved(entry, last_ns_);
}

std::vector<CgroupTable::Entry*> CgroupTable::Below(std::string_view path) const {
  const std::string prefix = BelowPrefix(path);
  std::vector<Entry*> below;
  for (auto it = by_path_.upper_bound(prefix); it != by_path_.end(); ++it) {
    if (!it->first.starts_with(prefix)) {
      break;
    }
    below.push_back(it->second);
  }
  return below;
}

void CgroupTable::Forget(uint64_t id) {
  const auto it = entries_.find(id);
  removed_.erase(it->second.removed_position);
  entries_.erase(it);
}

bool CgroupTable::Move(Entry& entry, std::string_view new_path) {
  if (!IsPath(new_path)) {
    ++counters_.refused_path;
    return false;
  }
  const size_t old_size = BelowPrefix(entry.cgroup.path).size();
  const std::string prefix = BelowPrefix(new_path);
  const std::vector<Entry*> below = Below(entry.cgroup.path);
  // All leave the index before the first one returns: old and new names may overlap.
  Unlink(entry);
  for (Entry* child : below) {
    Unlink(*child);
  }
  DisplaceAt(new_path, entry.cgroup.id);
  Describe(entry, std::string(new_path));
  Link(entry);
  for (Entry* child : below) {
    std::string path = prefix + child->cgroup.path.substr(old_size);
    if (path.size() > kMaxPathBytes) {
      // The kernel could not print this path either. The cgroup goes by its old name until the
      // grace is over, so that no chain of renames grows a path without bound.
      ++counters_.refused_path;
      child->cgroup.removed_at_ns = last_ns_;
      child->removed_position = removed_.insert(removed_.end(), child->cgroup.id);
      continue;
    }
    DisplaceAt(path, child->cgroup.id);
    Describe(*child, std::move(path));
    Link(*child);
  }
  return true;
}

}  // namespace kentry
