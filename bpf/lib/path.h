/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one path walker: dentry by dentry up to the process's root, across mounts. bpf_d_path is
 * allowed in about ten functions only, sched_process_exec is not among them. A rename or mount
 * under way makes the string a mixture of two moments: the sequence numbers of rename_lock and
 * mount_lock are read before and after, two retries, then the value is flagged.
 */
#ifndef KE_PATH_H
#define KE_PATH_H

#include "bpf/lib/output.h"

/* Components and mounts of one path: the walk's price to the verifier. */
#define KE_PATH_STEPS 160
#define KE_WALK_ATTEMPTS 3
#define KE_NAME_MAX 255
#define KE_PATH_SHIFT 12 /* KE_PATH_MAX = 1 << 12 */

#define KE_WALK_CUT (1u << 0)
#define KE_WALK_UNSTABLE (1u << 1)
#define KE_WALK_UNREACHABLE (1u << 2)
#define KE_WALK_DONE (1u << 3)
#define KE_WALK_FAILED (1u << 4) /* memory that should have been there was not */

static __always_inline __u32 rename__seq(void) {
  __u32 seq = 0;
  if (ke_cfg_rename_lock) bpf_probe_read_kernel(&seq, sizeof(seq), (void*)ke_cfg_rename_lock);
  return seq;
}

static __always_inline __u32 mount__seq(void) {
  __u32 seq = 0;
  if (ke_cfg_mount_lock) bpf_probe_read_kernel(&seq, sizeof(seq), (void*)ke_cfg_mount_lock);
  return seq;
}

/* Both at once: an odd half says that a change is under way. */
static __always_inline __u64 tree__seqs(void) { return (__u64)rename__seq() << 32 | mount__seq(); }
#define KE_SEQS_ODD 0x100000001ull

/* One step up. Returns 0 when there is more, else KE_WALK_DONE with what is to be said. */
static __always_inline __u32 walk__step(struct ke_walk* walk) {
  struct dentry* dentry = walk->dentry;
  struct vfsmount* mnt = walk->mnt;
  __u64 off = walk->off;
  if (dentry == walk->root_dentry && mnt == walk->root_mnt) return KE_WALK_DONE;
  if (dentry == walk->mnt_root) {
    struct mount* m = container_of(mnt, struct mount, mnt);
    struct mount* above = BPF_CORE_READ(m, mnt_parent);
    if (above == m || !above) return KE_WALK_DONE | KE_WALK_UNREACHABLE;
    mnt = (void*)above + bpf_core_field_offset(struct mount, mnt);
    walk->dentry = BPF_CORE_READ(m, mnt_mountpoint);
    walk->mnt = mnt;
    walk->mnt_root = BPF_CORE_READ(mnt, mnt_root);
    return 0;
  }
  struct {
    struct dentry* parent;
    struct qstr name;
  } head; /* neighbours on every kernel so far: one read */
  if (bpf_core_field_offset(struct dentry, d_name) ==
      bpf_core_field_offset(struct dentry, d_parent) + sizeof(head.parent)) {
    if (bpf_core_read(&head, sizeof(head), &dentry->d_parent)) return KE_WALK_DONE | KE_WALK_FAILED;
  } else if (bpf_core_read(&head.parent, sizeof(head.parent), &dentry->d_parent) ||
             bpf_core_read(&head.name, sizeof(head.name), &dentry->d_name)) {
    return KE_WALK_DONE | KE_WALK_FAILED;
  }
  struct dentry* parent = head.parent;
  __u64 len = head.name.len;
  if (parent == dentry && len <= 1) return KE_WALK_DONE | KE_WALK_UNREACHABLE;
  /* Eight bytes stay free: who reads the string in words may begin before it. */
  if (len > KE_NAME_MAX || len + 9 > off) return KE_WALK_DONE | KE_WALK_CUT;
  __u64 old = off;
  off = (off - (len + 1)) & (KE_PATH_MAX - 1);
  walk->path[off] = '/';
  asm volatile("" : "+r"(len)); /* the verifier has to see the mask */
  if (bpf_probe_read_kernel(&walk->path[off + 1], len & KE_NAME_MAX, head.name.name))
    return KE_WALK_DONE | KE_WALK_FAILED;
  walk->base +=
      len * (old >> KE_PATH_SHIFT); /* the first one: no branch, it would be taken twice */
  walk->off = off;
  walk->dentry = parent;
  /* A pseudo file's dentry is its own parent and has a name: memfd:NAME. */
  return parent == dentry ? KE_WALK_DONE | KE_WALK_UNREACHABLE : 0;
}

/*
 * Walks up from ke_walks[slot] and leaves the string in its path, from off to
 * KE_PATH_MAX. Returns KE_WALK_*. A path that is too long keeps its end. Plain addresses and probe
 * reads, not typed pointers: mounts can't be walked with those, and so the same code serves
 * kprobes. A global function with its state in a map: the verifier takes it once, not once a call
 * (5.10 allows such functions numbers only).
 */
__weak __noinline int path__walk(__u32 slot) {
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!walk) return KE_WALK_FAILED;
  for (int i = 0; i < KE_PATH_STEPS; i++) {
    __u32 done = walk__step(walk);
    if (done) return done;
  }
  return KE_WALK_CUT;
}

/* Walks from `at` to the root of `fs`; path__walk's result, its exceptions counted. */
static __always_inline __u32 path__resolve(struct ke_cpu_stats* stats, struct ke_walk* walk,
                                           __u32 slot, struct path* at, struct fs_struct* fs) {
  struct vfsmount* mnt = at->mnt;
  walk->dentry = at->dentry;
  walk->mnt = mnt;
  walk->mnt_root = mnt->mnt_root;
  walk->root_dentry = fs->root.dentry;
  walk->root_mnt = fs->root.mnt;
  walk->off = KE_PATH_MAX;
  walk->base = 0;
  __u32 done = path__walk(slot);
  if (walk->off == KE_PATH_MAX && !(done & KE_WALK_FAILED)) { /* the root itself */
    walk->off = KE_PATH_MAX - 1;
    walk->path[KE_PATH_MAX - 1] = '/';
  }
  if (done & KE_WALK_CUT) site__count(stats, KE_SITE_PATH_DEEP);
  if (done & KE_WALK_FAILED) site__count(stats, KE_SITE_PATH_READ);
  return done;
}

#endif
