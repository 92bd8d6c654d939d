/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rules have to remember of a process from its exec on: ke_procs. Most processes have no
 * entry: nothing that the rules name is theirs.
 */
#ifndef KE_PROCS_H
#define KE_PROCS_H

#include "bpf/lib/filter.h"

/* The process's entry into f->proc; start_ns 0 = it has none. */
/* Copies the entry of the process that started then; false = it has none. */
static __always_inline bool proc__copy(struct ke_proc* to, __u32 tgid, __u64 start_ns) {
  struct ke_proc* proc = bpf_map_lookup_elem(&ke_procs, &tgid);
  if (!proc) return false;
  asm volatile("" : "+r"(proc)); /* the test of the pointer stays one of its own */
  if (proc->start_ns != start_ns) return false;
  *to = *proc;
  return true;
}

/* The process's entry into f->proc; start_ns 0 = it has none. */
static __always_inline void proc__load(struct ke_filter* f, __u32 tgid, __u64 start_ns) {
  if (!proc__copy(&f->proc, tgid, start_ns)) __builtin_memset(&f->proc, 0, sizeof(f->proc));
}

static __always_inline void proc__store(struct ke_cpu_stats* stats, const struct ke_proc* proc,
                                        __u32 tgid) {
  if (bpf_map_update_elem(&ke_procs, &tgid, proc, BPF_ANY)) site__count(stats, KE_SITE_PROC_INSERT);
}

/* A process has a new image: its ids, and those of the parent it has now. The walker of `slot`
 * holds the binary's path. Both epochs' while one is being prepared. */
static __always_inline void proc__ids(struct ke_filter* f, __u32 slot, __u32 epoch, __u32 parent,
                                      __u64 parent_start, bool preparing) {
  __u32 at = epoch & 1;
  int told = string__ids(slot, at);
  f->proc.own[at] = f->ids;
  f->proc.epoch[at] = told ? epoch : 0;
  struct ke_proc from;
  if (proc__copy(&from, parent, parent_start)) {
    f->proc.parent[at] = at ? from.own[1] : from.own[0];
    /* A reload has not come to the parent: say so, so that nobody takes 0 for the truth. */
    if ((at ? from.epoch[1] : from.epoch[0]) != epoch) f->proc.epoch[at] = 0;
  } else if (preparing) {
    f->proc.epoch[at] = 0;
  }
}

static __always_inline void proc__exec(struct ke_cpu_stats* stats, struct ke_filter* f, __u32 slot,
                                       __u32 epoch, __u32 next, const struct ke_process* rec) {
  __u32 tgid = rec->tgid;
  proc__load(f, tgid, rec->start_ns);
  bool had = f->proc.start_ns != 0;
  __u64 marks = f->proc.marks;
  __builtin_memset(&f->proc, 0, sizeof(f->proc));
  f->proc.start_ns = rec->start_ns;
  f->proc.marks = marks;
  f->proc.flags = rec->flags & KE_F_IMAGE;
  proc__ids(f, slot, epoch, rec->parent_tgid, rec->parent_start_ns, false);
  if (next != epoch) proc__ids(f, slot, next, rec->parent_tgid, rec->parent_start_ns, true);
  /* Ids of a part of the path are no ids. */
  if (rec->flags & (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE))
    f->proc.epoch[0] = f->proc.epoch[1] = 0;
  bool told = (epoch & 1 ? f->proc.epoch[1] : f->proc.epoch[0]) == epoch;
  if (!proc__empty(&f->proc) || !told || next != epoch)
    proc__store(stats, &f->proc, tgid);
  else if (had)
    bpf_map_delete_elem(&ke_procs, &tgid);
}

/* A child has its creator's image, and its creator for a parent. */
static __always_inline void proc__fork(struct ke_cpu_stats* stats, __u32 epoch, __u32 next,
                                       const struct ke_fork* rec) {
  __u32 tgid = rec->tgid;
  struct ke_proc child = {};
  if (proc__copy(&child, rec->creator_tgid, rec->creator_start_ns)) {
    child.start_ns = rec->start_ns;
    if (rec->parent_tgid == rec->creator_tgid) { /* else CLONE_PARENT: the creator's sibling */
      child.parent[0] = child.own[0];
      child.parent[1] = child.own[1];
    }
  } else {
    if (next == epoch) return;
    /* Nothing to remember in this epoch; of the next one nobody knows. */
    child.start_ns = rec->start_ns;
    if (epoch & 1) /* no index: the compiler would or it into an address on the stack */
      child.epoch[1] = epoch;
    else
      child.epoch[0] = epoch;
  }
  proc__store(stats, &child, tgid);
}

#endif
