/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps that more than one object uses, and the switches that the loader sets. */
#ifndef KE_MAPS_H
#define KE_MAPS_H

#include "bpf/lib/kernel.h"

/* One ring a CPU: a ring shared by producers falls to a tenth of the rate. The loader sets the
 * number of rings and puts them in. */
struct ke_ring_map {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct ke_ring_map);
} ke_rings_bulk SEC(".maps") __weak;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct ke_ring_map);
} ke_rings_prio SEC(".maps") __weak;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_cpu_stats);
} ke_stats SEC(".maps") __weak;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ke_reader);
} ke_reader SEC(".maps") __weak;

/* Processes whose leader has gone and whose other threads live on: rare. Others have no entry. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);   /* tgid */
  __type(value, __u64); /* when the leader went, CLOCK_BOOTTIME */
} ke_leaders SEC(".maps") __weak;

/* An exec's record is put together here, too large for the stack and for a per-CPU map's value.
 * One hook uses it, and a hook runs once at a time on a CPU: see output.h. */
#define KE_SCRATCH_HEAD 16384 /* the record up to its arguments */
struct ke_scratch {
  __u8 rec[KE_SCRATCH_HEAD + KE_ARGS_MAX + KE_ENV_MAX + 2 * KE_PATH_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs, and one more for the iterator, which can be preempted */
  __type(key, __u32);
  __type(value, struct ke_scratch);
} ke_scratch SEC(".maps") __weak;

/* State of the path walker. */
struct ke_walk {
  __u8 path[2 * KE_PATH_MAX]; /* it writes its strings from KE_PATH_MAX downwards */
  struct dentry* dentry;
  struct vfsmount* mnt;
  struct dentry* mnt_root;
  struct dentry* root_dentry;
  struct vfsmount* root_mnt;
  __u64 off;  /* in path: where the string begins; it ends at KE_PATH_MAX */
  __u64 base; /* length of the last part */
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs for exec, one for the iterator, CPUs for opens, for changes */
  __type(key, __u32);
  __type(value, struct ke_walk);
} ke_walks SEC(".maps") __weak;

/* Index in css_set.subsys of the hierarchy that containers live in; -1 = the v2 hierarchy. */
const volatile __s32 ke_cfg_cgroup_subsys __weak = -1;
/* Its hierarchy id; 0 = the v2 hierarchy. */
const volatile __s32 ke_cfg_cgroup_hier __weak = 0;
/* Bytes of the environment to send along; 0 = none. */
const volatile __u32 ke_cfg_env_max __weak = KE_ENV_MAX;
/* Addresses of the kernel's rename_lock and mount_lock, whose first word is their sequence; 0 = the
 * kernel hides them (kptr_restrict), paths are then not checked for renames under the walker. Set
 * by the loader from kallsyms: libbpf can't link two objects that name an untyped kernel symbol. */
const volatile __u64 ke_cfg_rename_lock __weak = 0;
const volatile __u64 ke_cfg_mount_lock __weak = 0;
/* … and of init_nsproxy. */
const volatile __u64 ke_cfg_init_nsproxy __weak = 0;
/* Which element of ke_scratch and ke_walks the iterator uses; those of opens and changes follow. */
const volatile __u32 ke_cfg_iter_slot __weak = 0;
/* … and the first one of the object's hooks, of those. */
const volatile __u32 ke_cfg_first_slot __weak = 0;
/* Cache slots a CPU for processes and for directories, powers of two. */
const volatile __u32 ke_cfg_who_slots __weak = 64;
const volatile __u32 ke_cfg_dir_slots __weak = 64;

#endif
