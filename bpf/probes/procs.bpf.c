/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/procs.h"
#include "bpf/lib/objects.h"

/* Filled by user space before it reads the iterator. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* tgid */
  __type(value, struct ke_pending);
} ke_pending SEC(".maps");

/* The entry at work; one reader runs at a time. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ke_proc);
} ke_pending_proc SEC(".maps");

static __always_inline bool image__is(struct task_struct* task, const struct ke_pending* pending) {
  struct inode* inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
  return inode && BPF_CORE_READ(inode, i_ino) == pending->exe_ino &&
         BPF_CORE_READ(inode, i_sb, s_dev) == pending->exe_dev;
}

/*
 * Gives processes that are older than a rule set their ids of the next epoch. An exec that comes in
 * between writes its own; whoever overtook whom is seen by the image, and then the ids are marked
 * undecided: user space judges such a process's events until the next pass.
 */
SEC("iter/task")
int procs__iter(struct bpf_iter__task* ctx) {
  struct task_struct* task = ctx->task;
  struct ke_rule_control* control = rules__control();
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
  if (!task || !control || !stats || task->pid != task->tgid) return 0;
  __u32 tgid = task->tgid;
  __u32 at = control->next & 1;
  struct ke_pending* pending = bpf_map_lookup_elem(&ke_pending, &tgid);
  if (!pending || pending->start_ns != task->start_boottime || !image__is(task, pending)) return 0;
  __u32 next = control->next;
  __u32 zero = 0;
  struct ke_proc* proc = bpf_map_lookup_elem(&ke_pending_proc, &zero);
  if (!proc) return 0;
  bool had = proc__copy(proc, tgid, pending->start_ns);
  if (!had) {
    __builtin_memset(proc, 0, sizeof(*proc));
    proc->epoch[~at & 1] = KE_STAMP_EPOCH(control->stamp);
  }
  if (proc->epoch[at] == next) return 0;
  proc->start_ns = pending->start_ns;
  proc->flags = pending->flags & KE_F_IMAGE;
  proc->own[at] = pending->own;
  proc->parent[at] = pending->parent;
  proc->epoch[at] = next;
  if (!had && proc__empty(proc)) return 0;
  proc__store(stats, proc, tgid);
  if (!image__is(task, pending)) {
    struct ke_proc* stored = bpf_map_lookup_elem(&ke_procs, &tgid);
    if (stored) stored->epoch[at] = 0;
  }
  return 0;
}
