/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that the operator trusts: what they do is judged and told, and not acted on. */
#ifndef KE_TRUST_H
#define KE_TRUST_H

#include "bpf/lib/maps.h"

/* An element of inode 0 stands in it when there are others. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, KE_TRUSTED_MAX + 1);
  __type(key, struct ke_ident_key);
  __type(value, struct ke_trusted);
} ke_trusted SEC(".maps") __weak;

/* Since 6.13 a bit of the nanoseconds says that somebody has read them. */
#define KE_NSEC_MASK 0x3fffffff

/* A function of its own: offsets of members that a kernel lacks must not leave their guards. */
static __noinline int version__read(struct inode* inode, struct ke_file_version* version) {
  if (!version) return 0;
  struct inode___split* split = (void*)inode;
  struct inode___private* private = (void*)inode;
  version->generation = BPF_CORE_READ(inode, i_generation);
  if (bpf_core_field_exists(split->i_ctime_sec)) {
    version->ctime_s = BPF_CORE_READ(split, i_ctime_sec);
    version->ctime_ns = BPF_CORE_READ(split, i_ctime_nsec) & KE_NSEC_MASK;
  } else if (bpf_core_field_exists(private->__i_ctime)) {
    version->ctime_s = BPF_CORE_READ(private, __i_ctime.tv_sec);
    version->ctime_ns = BPF_CORE_READ(private, __i_ctime.tv_nsec);
  } else {
    version->ctime_s = BPF_CORE_READ(inode, i_ctime.tv_sec);
    version->ctime_ns = BPF_CORE_READ(inode, i_ctime.tv_nsec);
  }
  return 0;
}

/* Is the thread root's, in the initial namespaces, and nobody traces it or its process's first one?
 * `mnt_ns` counts as the initial one of the mounts. */
static __always_inline bool trust__may(struct task_struct* task, __u32 mnt_ns) {
  const struct cred* cred = BPF_CORE_READ(task, cred);
  return !BPF_CORE_READ(cred, uid.val) && !BPF_CORE_READ(cred, euid.val) &&
         !BPF_CORE_READ(cred, user_ns, level) && !BPF_CORE_READ(task, thread_pid, level) &&
         BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) == mnt_ns && !BPF_CORE_READ(task, ptrace) &&
         !BPF_CORE_READ(task, group_leader, ptrace);
}

/* Does the current thread run a trusted program? */
__weak __noinline int trust__is_current(void) {
  struct ke_ident_key key = {};
  if (!bpf_map_lookup_elem(&ke_trusted, &key)) return 0;
  struct task_struct* task = (void*)bpf_get_current_task();
  struct inode* inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
  key.ino = BPF_CORE_READ(inode, i_ino);
  key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  if (!key.ino) return 0;
  struct ke_trusted* trusted = bpf_map_lookup_elem(&ke_trusted, &key);
  if (!trusted) return 0;
  struct ke_file_version version = {};
  version__read(inode, &version);
  return version.ctime_s == trusted->version.ctime_s &&
         version.ctime_ns == trusted->version.ctime_ns &&
         version.generation == trusted->version.generation && trust__may(task, trusted->mnt_ns);
}

#endif
