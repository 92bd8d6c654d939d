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

#define KE_WALK_CUT (1u << 0)
#define KE_WALK_UNSTABLE (1u << 1)
#define KE_WALK_UNREACHABLE (1u << 2)
#define KE_WALK_DONE (1u << 3)

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

/* One step up. Returns 0 when there is more, else KE_WALK_DONE with what is to be said. */
static __always_inline __u32 walk__step(struct ke_scratch* scratch) {
  struct dentry* dentry = scratch->walk.dentry;
  struct vfsmount* mnt = scratch->walk.mnt;
  __u64 off = scratch->walk.off;
  struct dentry* parent = NULL;
  struct qstr name;
  if (dentry == scratch->walk.root_dentry && mnt == scratch->walk.root_mnt) return KE_WALK_DONE;
  if (dentry == scratch->walk.mnt_root) {
    struct mount* m = container_of(mnt, struct mount, mnt);
    struct mount* above = BPF_CORE_READ(m, mnt_parent);
    if (above == m || !above) return KE_WALK_DONE | KE_WALK_UNREACHABLE;
    mnt = (void*)above + bpf_core_field_offset(struct mount, mnt);
    scratch->walk.dentry = BPF_CORE_READ(m, mnt_mountpoint);
    scratch->walk.mnt = mnt;
    scratch->walk.mnt_root = BPF_CORE_READ(mnt, mnt_root);
    return 0;
  }
  if (bpf_core_read(&parent, sizeof(parent), &dentry->d_parent) ||
      bpf_core_read(&name, sizeof(name), &dentry->d_name))
    return KE_WALK_DONE | KE_WALK_CUT;
  __u64 len = name.len;
  if (parent == dentry && len <= 1) return KE_WALK_DONE | KE_WALK_UNREACHABLE;
  if (len > KE_NAME_MAX || len + 1 > off) return KE_WALK_DONE | KE_WALK_CUT;
  off = (off - (len + 1)) & (KE_PATH_MAX - 1);
  scratch->path[off] = '/';
  asm volatile("" : "+r"(len)); /* the verifier has to see the mask */
  bpf_probe_read_kernel(&scratch->path[off + 1], len & KE_NAME_MAX, name.name);
  scratch->walk.off = off;
  scratch->walk.dentry = parent;
  /* A pseudo file's dentry is its own parent and has a name: memfd:NAME. */
  return parent == dentry ? KE_WALK_DONE | KE_WALK_UNREACHABLE : 0;
}

/*
 * Walks up from scratch[slot].walk and leaves the string in its path, from walk.off to
 * KE_PATH_MAX. Returns KE_WALK_*. A path that is too long keeps its end. Plain addresses and probe
 * reads, not typed pointers: mounts can't be walked with those, and so the same code serves
 * kprobes. A global function with its state in a map: the verifier takes it once, not once a call
 * (5.10 allows such functions numbers only).
 */
__weak __noinline int path__walk(__u32 slot) {
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &slot);
  if (!scratch) return KE_WALK_CUT;
  for (int i = 0; i < KE_PATH_STEPS; i++) {
    __u32 done = walk__step(scratch);
    if (done) return done;
  }
  return KE_WALK_CUT;
}

/* path__walk, repeated while the tree changes under it, and its exceptions counted. */
static __always_inline __u32 path__resolve(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                           __u32 slot, struct path* at, struct fs_struct* fs) {
  __u32 done = 0;
  for (int attempt = 0; attempt < KE_WALK_ATTEMPTS; attempt++) {
    struct vfsmount* mnt = at->mnt;
    __u32 rename_seq = rename__seq();
    __u32 mount_seq = mount__seq();
    scratch->walk.dentry = at->dentry;
    scratch->walk.mnt = mnt;
    scratch->walk.mnt_root = mnt->mnt_root;
    scratch->walk.root_dentry = fs->root.dentry;
    scratch->walk.root_mnt = fs->root.mnt;
    scratch->walk.off = KE_PATH_MAX;
    done = path__walk(slot);
    if (rename__seq() == rename_seq && mount__seq() == mount_seq && !(rename_seq & 1) &&
        !(mount_seq & 1))
      break;
    done |= KE_WALK_UNSTABLE;
  }
  if (done & KE_WALK_CUT) site__count(stats, KE_SITE_PATH_DEEP);
  if (done & KE_WALK_UNSTABLE) site__count(stats, KE_SITE_PATH_UNSTABLE);
  return done;
}

#endif
