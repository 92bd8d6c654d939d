/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The mounts of a file system, for hooks that know no mount. */
#ifndef KE_MOUNTS_H
#define KE_MOUNTS_H

#include "bpf/lib/kernel.h"

#define KE_MOUNTS_MAX 32

/* The mount behind `mount` in the file system's list, or with 0 its first one; 0 = there is none.
 * Functions of their own: the compiler would fetch offsets that the kernel lacks before it asks
 * whether it has them. Up to 6.17, and later. */
static __attribute__((noinline)) __u64 mounts__listed(__u64 super, __u64 mount) {
  struct super_block* sb = (void*)super;
  struct mount* at = (void*)mount;
  struct list_head* next =
      mount ? BPF_CORE_READ(at, mnt_instance.next) : BPF_CORE_READ(sb, s_mounts.next);
  if ((__u64)next == super + bpf_core_field_offset(struct super_block, s_mounts)) return 0;
  return (__u64)next - bpf_core_field_offset(struct mount, mnt_instance);
}

static __attribute__((noinline)) __u64 mounts__chained(__u64 super, __u64 mount) {
  struct super_block___single* sb = (void*)super;
  struct mount___single* at = (void*)mount;
  return (__u64)(mount ? BPF_CORE_READ(at, mnt_next_for_sb) : BPF_CORE_READ(sb, s_mounts));
}

static __always_inline struct mount* mounts__next(struct super_block* sb, struct mount* mount) {
  return (void*)(bpf_core_field_exists(((struct mount___single*)0)->mnt_next_for_sb)
                     ? mounts__chained((__u64)sb, (__u64)mount)
                     : mounts__listed((__u64)sb, (__u64)mount));
}

/* A mount of the file system, of the current mount namespace when there is one: its root's rather
 * than another. For hooks that know no mount. */
static __always_inline struct vfsmount* mounts__ours(struct super_block* sb) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct mnt_namespace* ns = BPF_CORE_READ(task, nsproxy, mnt_ns);
  struct mount* best = NULL;
  __u64 ours = 0;
  struct dentry* root = BPF_CORE_READ(sb, s_root);
  struct mount* at = mounts__next(sb, NULL);
  for (int i = 0; i < KE_MOUNTS_MAX; i++) {
    if (!at) break;
    __u64 mine = BPF_CORE_READ(at, mnt_ns) == ns;
    __u64 whole = BPF_CORE_READ(at, mnt.mnt_root) == root;
    if (!best || (mine && (whole || !ours))) best = at;
    ours |= mine;
    if (mine && whole) break;
    at = mounts__next(sb, at);
  }
  return best ? (void*)best + bpf_core_field_offset(struct mount, mnt) : NULL;
}

#endif
