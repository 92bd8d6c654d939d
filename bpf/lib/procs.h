/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rules have to remember of a process from its exec on: ke_procs. Most processes have no
 * entry: nothing that the rules name is theirs.
 */
#ifndef KE_PROCS_H
#define KE_PROCS_H

#include "bpf/lib/filter.h"
#include "bpf/lib/marks.h"

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

/* Files that were executed, and their ids. */
struct ke_image_slot {
  struct ke_place image;
  __u32 epoch;
  __u32 pad;
  struct ke_path_ids ids, later;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KE_IMAGE_SLOTS); /* times CPUs */
  __type(key, __u32);
  __type(value, struct ke_image_slot);
} ke_images SEC(".maps") __weak;

static __always_inline bool place__same(const struct ke_place* a, const struct ke_place* b) {
  return a->dentry == b->dentry && a->mnt == b->mnt && a->seqs == b->seqs && a->ino == b->ino &&
         a->parent == b->parent && a->name_hash == b->name_hash &&
         a->root_dentry == b->root_dentry && a->root_mnt == b->root_mnt;
}

/* Ids of the new image: the same file has been executed on this CPU before, or by its path. */
static __always_inline int image__ids(struct ke_filter* f, __u32 slot, __u32 epoch) {
  __u64 address = f->image.dentry;
  __u32 place = slot * KE_IMAGE_SLOTS + ((address >> 6 ^ address >> 14) & (KE_IMAGE_SLOTS - 1));
  struct ke_image_slot* known = f->image.seqs ? bpf_map_lookup_elem(&ke_images, &place) : NULL;
  if (known && known->epoch == epoch && place__same(&known->image, &f->image)) {
    f->ids = known->ids;
    f->later = known->later;
    return 1;
  }
  if (!string__ids(slot, epoch & 1)) return 0;
  if (!known) return 1;
  known->image = f->image;
  known->ids = f->ids;
  known->later = f->later;
  known->epoch = epoch;
  return 1;
}

/* A process has a new image: its ids, and those of the parent it has now. The walker of `slot`
 * holds the binary's path. Both epochs' while one is being prepared. */
static __always_inline void proc__ids(struct ke_filter* f, __u32 slot, __u32 epoch,
                                      const struct ke_process* rec, bool preparing) {
  __u32 at = epoch & 1;
  struct ke_rule_config* cfg = rules__config(at);
  int told = image__ids(f, slot, epoch);
  f->proc.own[at] = f->ids;
  f->keep[at] = f->later;
  f->proc.epoch[at] = told ? epoch : 0;
  if (cfg && !(cfg->image_asks & KE_ASK_PARENT)) return;
  struct ke_proc from;
  if (proc__copy(&from, rec->parent_tgid, rec->parent_start_ns)) {
    f->proc.parent[at] = at ? from.own[1] : from.own[0];
    /* A reload has not come to the parent: say so, so that nobody takes 0 for the truth. */
    if ((at ? from.epoch[1] : from.epoch[0]) != epoch) f->proc.epoch[at] = 0;
  } else if (preparing) {
    f->proc.epoch[at] = 0;
  }
}

/* The process as the exec is judged by: all ids of its new image. */
static __always_inline void proc__exec(struct ke_filter* f, __u32 slot, __u32 epoch, __u32 next,
                                       const struct ke_process* rec) {
  proc__load(f, rec->tgid, rec->start_ns);
  f->had = f->proc.start_ns != 0;
  __builtin_memset(&f->proc, 0, sizeof(f->proc));
  __builtin_memset(f->keep, 0, sizeof(f->keep));
  f->proc.start_ns = rec->start_ns;
  f->proc.flags = rec->flags & KE_F_IMAGE;
  proc__ids(f, slot, epoch, rec, false);
  if (next != epoch) proc__ids(f, slot, next, rec, true);
  /* Ids of a part of the path are no ids. */
  if (rec->flags & (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE))
    f->proc.epoch[0] = f->proc.epoch[1] = 0;
}

/* What later events are judged by: most processes have nothing of that. */
static __always_inline void proc__remember(struct ke_cpu_stats* stats, struct ke_filter* f,
                                           __u32 epoch, __u32 next, __u32 tgid) {
  bool told = (epoch & 1 ? f->proc.epoch[1] : f->proc.epoch[0]) == epoch;
  f->proc.own[0] = f->keep[0];
  f->proc.own[1] = f->keep[1];
  if (!proc__empty(&f->proc) || !told || next != epoch)
    proc__store(stats, &f->proc, tgid);
  else if (f->had)
    bpf_map_delete_elem(&ke_procs, &tgid);
  proc__changed(tgid);
}

/* A child has its creator's image, and its creator for a parent. */
static __always_inline void proc__fork(struct ke_cpu_stats* stats, __u32 epoch, __u32 next,
                                       const struct ke_fork* rec) {
  __u32 tgid = rec->tgid;
  struct ke_proc child = {};
  proc__changed(tgid); /* it has not run yet */
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
