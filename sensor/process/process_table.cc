// SPDX-License-Identifier: Apache-2.0
#include "sensor/process/process_table.h"

#include <algorithm>
#include <cstring>

namespace kentry {
namespace {

// What `kentry ps` shows of a command line.
constexpr uint32_t kKeptArgBytes = 512;

}  // namespace

Process* ProcessTable::Find(ProcessKey key) {
  const auto it = processes_.find(key);
  return it == processes_.end() ? nullptr : it->second.get();
}

bool ProcessTable::EvictExited() {
  if (exited_.empty()) return false;
  processes_.erase(exited_.front());
  exited_.pop_front();
  ++counters_.evicted;
  return true;
}

Process* ProcessTable::Insert(ProcessKey key) {
  Process* process = nullptr;
  if (processes_.size() >= options_.capacity && !EvictExited()) {
    ++counters_.refused;
    overflow_ = Process();
    process = &overflow_;
  } else {
    auto& slot = processes_[key];
    slot = std::make_unique<Process>();
    process = slot.get();
  }
  process->image.tgid = key.pid;
  process->image.start_ns = key.start_ns;
  return process;
}

Process* ProcessTable::FindOrUnknown(ProcessKey key) {
  if (Process* process = Find(key); process != nullptr) return process;
  ++counters_.unknown;
  return Insert(key);
}

bool Process::Mark(std::string_view name, uint64_t expires_ns, uint64_t now_ns) {
  std::erase_if(marks, [now_ns](const ProcessMark& mark) {
    return mark.expires_ns != 0 && mark.expires_ns <= now_ns;
  });
  for (ProcessMark& mark : marks) {
    if (mark.name != name) continue;
    mark.expires_ns = expires_ns;
    return true;
  }
  if (marks.size() >= kMarksMax) return false;
  marks.push_back({std::string(name), expires_ns});
  return true;
}

Process* ProcessTable::OnFork(const ke_fork& rec) {
  const ProcessKey key{rec.tgid, rec.start_ns};
  Process* child = Find(key);
  if (child != nullptr && !child->pending_existing) {
    ++counters_.duplicates;
    return nullptr;
  }
  // Found by the iterator before its fork was read: that tells more.
  if (child == nullptr) child = Insert(key);
  child->pending_existing = false;
  const Process* creator = Find({rec.creator_tgid, rec.creator_start_ns});
  if (creator != nullptr && creator != child) {
    child->image = creator->image;
    child->text = creator->text;
    child->image_known = creator->image_known;
    child->marks = creator->marks;
  }
  child->image.hdr = rec.hdr;
  child->image.tgid = rec.tgid;
  child->image.tid = rec.tgid;
  child->image.start_ns = rec.start_ns;
  child->image.parent_tgid = rec.parent_tgid;
  child->image.parent_start_ns = rec.parent_start_ns;
  child->image.ns_tgid = rec.ns_tgid;
  child->image.creds = rec.creds;
  child->image.ns = rec.ns;
  child->image.cgroup_id = rec.cgroup_id;
  return child;
}

void Process::Replace(std::span<const uint8_t> record) {
  // A forked child's image is its parent's until its own first exec.
  if (image_known && image.hdr.type != KE_FORK && image.binary.len != 0) {
    if (earlier.size() == kEarlierMax) earlier.erase(earlier.begin());
    earlier.emplace_back(Text(image.binary));
  } else {
    earlier.clear();
  }
  image = *reinterpret_cast<const ke_process*>(record.data());
  text = ImageText(record.subspan(sizeof(ke_process)));
  image_known = true;
}

Process* ProcessTable::OnExec(std::span<const uint8_t> record) {
  const auto& rec = *reinterpret_cast<const ke_process*>(record.data());
  Process* process = FindOrUnknown({rec.tgid, rec.start_ns});
  process->Replace(record);
  return process;
}

Process ProcessTable::Refused(std::span<const uint8_t> record) {
  const auto& rec = *reinterpret_cast<const ke_process*>(record.data());
  Process attempt = *FindOrUnknown({rec.tgid, rec.start_ns});
  attempt.Replace(record);
  return attempt;
}

void ProcessTable::Trim(Process* process) {
  ke_process& image = process->image;
  if (image.env.len == 0 && image.args.len <= kKeptArgBytes) return;
  std::vector<uint8_t> kept;
  if (image.args.len > kKeptArgBytes) image.flags |= KE_F_ARGS_CUT;
  image.args.len = std::min(image.args.len, kKeptArgBytes);
  image.env.len = 0;
  for (ke_span* span :
       {&image.binary, &image.cwd, &image.script, &image.interps, &image.args, &image.env}) {
    const std::string_view text = process->Text(*span);
    span->off = static_cast<uint32_t>(sizeof(ke_process) + kept.size());
    kept.insert(kept.end(), text.begin(), text.end());
  }
  process->text = ImageText(kept);
}

Process* ProcessTable::OnExisting(std::span<const uint8_t> record, bool pending) {
  const auto& rec = *reinterpret_cast<const ke_process*>(record.data());
  const ProcessKey key{rec.tgid, rec.start_ns};
  if (Process* known = Find(key); known != nullptr) {
    known->stale = false;
    if (known->image_known && !known->pending_existing) return nullptr;
  }
  Process* process = Find(key);
  if (process == nullptr) process = Insert(key);
  process->image = rec;
  process->text = ImageText(record.subspan(sizeof(ke_process)));
  process->image_known = true;
  process->pending_existing = pending;
  if ((rec.flags & KE_F_ZOMBIE) != 0 && process->exited_ns == 0) {
    MarkExited(process, rec.hdr.ktime_ns);
  }
  return process;
}

Process* ProcessTable::OnExit(const ke_exit& rec) {
  Process* process = FindOrUnknown({rec.tgid, rec.start_ns});
  if (process->exit_told) {
    ++counters_.duplicates;
    return nullptr;
  }
  process->exit_told = true;
  if (!process->image_known) {
    std::memcpy(process->image.comm, rec.comm, sizeof(rec.comm));
    process->image.cgroup_id = rec.cgroup_id;
  }
  // The iterator or a resync may have found it gone before its exit was read.
  if (process->exited_ns == 0) MarkExited(process, rec.hdr.ktime_ns);
  return process;
}

void ProcessTable::OnCgroupMove(const ke_cgroup_move& rec) {
  if (Process* process = Find({rec.tgid, rec.start_ns}); process != nullptr) {
    process->image.cgroup_id = rec.id;
  }
}

void ProcessTable::MarkExited(Process* process, uint64_t when_ns) {
  process->exited_ns = when_ns;
  if (process == &overflow_) return;
  exited_.push_back(process->key());
}

int ProcessTable::Depth(const Process& process, int max) {
  int depth = 0;
  const Process* at = Find(process.parent());
  while (at != nullptr && depth < max) {
    ++depth;
    at = Find(at->parent());
  }
  return depth;
}

void ProcessTable::Sweep(uint64_t now_ns) {
  while (exited_.size() > options_.max_exited) EvictExited();
  while (!exited_.empty()) {
    const Process* oldest = Find(exited_.front());
    if (oldest != nullptr && oldest->exited_ns + options_.grace_ns > now_ns) return;
    processes_.erase(exited_.front());
    exited_.pop_front();
  }
}

void ProcessTable::StartResync() {
  for (const auto& [key, process] : processes_) process->stale = process->exited_ns == 0;
}

void ProcessTable::FinishResync(uint64_t now_ns) {
  for (const auto& [key, process] : processes_) {
    if (!process->stale) continue;
    process->stale = false;
    if (!process->pending_existing) ++counters_.lost_exits;
    MarkExited(process.get(), now_ns);
  }
}

}  // namespace kentry
