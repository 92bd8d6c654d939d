/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types as far as the probes read them. Only names and types matter: the loader
 * relocates every access to the running kernel's own layout (CO-RE), so a member that isn't read
 * isn't listed and the order here means nothing. A member that some kernel lacks is asked for with
 * bpf_core_field_exists. Compared with the BTF of Debian's 5.10, 6.1, 6.12 and 7.2.
 */
#ifndef KE_KERNEL_H
#define KE_KERNEL_H

#define __VMLINUX_H__ /* bpf_tracing.h: struct pt_regs has the kernel's member names */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/abi/event.h"
#include "bpf/abi/maps.h"
#include "bpf/abi/rules.h"

#ifndef NULL
#define NULL ((void*)0)
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
  unsigned long di, si, dx, r10, r8, r9, ax, orig_ax, sp, bp, ip, cx, bx;
};

struct list_head {
  struct list_head* next;
};

struct dentry;
struct mount;

struct super_block {
  __u32 s_dev;               /* dev_t */
  struct list_head s_mounts; /* up to 6.17, mount.mnt_instance */
  unsigned long s_magic;
  struct dentry* s_root;
  unsigned long s_iflags;
};

struct super_block___single { /* 6.18 and later */
  struct mount* s_mounts;
};

struct timespec64 {
  __s64 tv_sec;
  long tv_nsec;
};

struct inode {
  unsigned short i_mode;
  struct super_block* i_sb;
  unsigned long i_ino;
  unsigned int i_nlink;
  __u32 i_generation;
  struct timespec64 i_ctime; /* up to 6.5 */
  struct {
    __u32 val;
  } i_uid, i_gid;
};

struct inode___private { /* 6.6 to 6.10 */
  struct timespec64 __i_ctime;
};

struct inode___split { /* 6.11 and later */
  __s64 i_ctime_sec;
  __u32 i_ctime_nsec;
};

struct qstr {
  __u32 hash;
  __u32 len;
  const unsigned char* name;
};

struct hlist_bl_node {
  struct hlist_bl_node* next;
  struct hlist_bl_node** pprev;
};

struct seqcount {
  unsigned int sequence;
};

struct seqcount_spinlock {
  struct seqcount seqcount;
};

struct dentry {
  struct seqcount_spinlock d_seq;
  struct hlist_bl_node d_hash;
  struct dentry* d_parent;
  struct qstr d_name;
  struct inode* d_inode;
};

struct vfsmount {
  struct dentry* mnt_root;
  struct super_block* mnt_sb;
  int mnt_flags;
};

struct mnt_namespace;

struct mount {
  struct mnt_namespace* mnt_ns;
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
  struct list_head mnt_instance;
};

struct mount___single {
  struct mount* mnt_next_for_sb;
};

struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};

struct cred;

struct file {
  struct path f_path;
  struct inode* f_inode;
  unsigned int f_flags;
  unsigned int f_mode;
  const struct cred* f_cred;
};

struct fs_struct {
  struct path root;
  struct path pwd;
};

struct ns_common {
  unsigned int inum;
};
struct mnt_namespace {
  struct ns_common ns;
};
struct uts_namespace {
  struct ns_common ns;
};
struct ipc_namespace {
  struct ns_common ns;
};
struct net {
  struct ns_common ns;
};
struct cgroup_namespace {
  struct ns_common ns;
};
struct time_namespace {
  struct ns_common ns;
};
struct pid_namespace {
  struct ns_common ns;
};
struct user_namespace {
  struct ns_common ns;
  int level;
};

struct nsproxy {
  struct uts_namespace* uts_ns;
  struct ipc_namespace* ipc_ns;
  struct mnt_namespace* mnt_ns;
  struct net* net_ns;
  struct time_namespace* time_ns;
  struct cgroup_namespace* cgroup_ns;
};

struct upid {
  int nr;
  struct pid_namespace* ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

typedef struct {
  __u32 val;
} kuid_t;

/* Declared as the kernel declares it from 6.3 on; before, two __u32: the same eight bytes. */
typedef struct {
  __u64 val;
} kernel_cap_t;

struct cred {
  kuid_t uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
  unsigned int securebits;
  kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
  struct user_namespace* user_ns;
};

struct iattr {
  unsigned int ia_valid;
  kuid_t ia_uid, ia_gid;
};

struct vm_area_struct {
  unsigned long vm_flags;
  struct file* vm_file;
};

struct mm_struct {
  unsigned long arg_start, arg_end, env_start, env_end;
  struct file* exe_file;
};

struct tty_struct {
  char name[64];
};

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live;
  int nr_threads;
  int group_exit_code;
  unsigned int flags;
  struct tty_struct* tty;
  __u64 utime, stime;
  unsigned long long sum_sched_runtime;
  unsigned long maxrss;
};

struct sched_entity {
  __u64 sum_exec_runtime;
};

struct kernfs_node {
  __u64 id;
};

struct cgroup_root {
  int hierarchy_id;
};

struct cgroup {
  int level;
  struct kernfs_node* kn;
  struct cgroup_root* root;
};

struct cgroup_subsys_state {
  struct cgroup* cgroup;
};

struct css_set {
  struct cgroup_subsys_state* subsys[1];
  struct cgroup* dfl_cgrp;
};

struct task_struct {
  unsigned int flags;
  unsigned int ptrace;
  int pid, tgid;
  int exit_code;
  unsigned long atomic_flags;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  __u64 utime, stime;
  __u64 start_boottime;
  __u64 self_exec_id;
  const struct cred* cred;
  const struct cred* real_cred;
  char comm[16];
  struct mm_struct* mm;
  struct fs_struct* fs;
  struct nsproxy* nsproxy;
  struct signal_struct* signal;
  struct css_set* cgroups;
  kuid_t loginuid;
  unsigned int sessionid;
  struct sched_entity se;
};

struct linux_binprm {
  unsigned int secureexec : 1;
  struct file* file;
  const struct cred* cred;
  int argc;
  const char* filename;
  const char* interp;
};

struct seq_file;

struct bpf_iter_meta {
  struct seq_file* seq;
  __u64 session_id;
  __u64 seq_num;
};

struct bpf_iter__task {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
};

struct bpf_iter__task_file {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
  __u32 fd;
  struct file* file;
};

struct bpf_map {
  __u32 id;
  char name[16];
};

struct bpf_prog_aux {
  __u32 id;
  char name[16];
};

struct bpf_prog {
  struct bpf_prog_aux* aux;
};

#pragma clang attribute pop

#endif
