/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The current task: by a typed pointer, and on 5.10, which has none, by reads. */
#ifndef KE_CURRENT_H
#define KE_CURRENT_H

#include "bpf/lib/rules.h"
#include "bpf/lib/task.h"

/* 5.10 has no typed pointer to the current task. */
static __always_inline struct task_struct* current__typed(void) {
  return (struct task_struct*)bpf_get_current_task_btf();
}

static __always_inline bool current__is_typed(void) {
  return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/* task__cgroup_id for a task that is a number. */
static __always_inline __u64 untyped__cgroup_id(struct task_struct* task) {
  struct css_set* set = BPF_CORE_READ(task, cgroups);
  if (ke_cfg_cgroup_subsys < 0) return BPF_CORE_READ(set, dfl_cgrp, kn, id);
  struct cgroup_subsys_state* css = NULL;
  bpf_probe_read_kernel(&css, sizeof(css),
                        (void*)set + bpf_core_field_offset(struct css_set, subsys) +
                            ke_cfg_cgroup_subsys * sizeof(void*));
  return BPF_CORE_READ(css, cgroup, kn, id);
}

static __always_inline __u64 current__cgroup_id(void) {
  if (current__is_typed()) return task__cgroup_id(current__typed());
  return ke_cfg_cgroup_subsys < 0 ? bpf_get_current_cgroup_id()
                                  : untyped__cgroup_id((void*)bpf_get_current_task());
}

/* The namespaces that the machine started with: they are never freed, nor is the set of them
 * changed, so their numbers are read once. Writers write the same. */
static struct ke_namespaces first_namespaces;

/* task__namespaces and task__ns_pid of the current task, on 5.10: there a read costs 85
 * instructions, so what stays the same is not read again. */
static __always_inline void untyped__namespaces(struct ke_namespaces* to, const struct cred* cred) {
  struct ke_namespaces* first = &first_namespaces;
  struct task_struct* task = (void*)bpf_get_current_task();
  struct nsproxy* proxy = BPF_CORE_READ(task, nsproxy);
  bool is_first = ke_cfg_init_nsproxy && (__u64)proxy == ke_cfg_init_nsproxy;
  if (is_first && first->mnt) {
    to->mnt = first->mnt;
    to->net = first->net;
    to->uts = first->uts;
    to->ipc = first->ipc;
    to->cgroup = first->cgroup;
    to->time = first->time;
  } else {
    to->net = BPF_CORE_READ(proxy, net_ns, ns.inum);
    to->uts = BPF_CORE_READ(proxy, uts_ns, ns.inum);
    to->ipc = BPF_CORE_READ(proxy, ipc_ns, ns.inum);
    to->cgroup = BPF_CORE_READ(proxy, cgroup_ns, ns.inum);
    to->time = BPF_CORE_READ(proxy, time_ns, ns.inum);
    to->mnt = BPF_CORE_READ(proxy, mnt_ns, ns.inum);
    if (is_first) {
      first->net = to->net;
      first->uts = to->uts;
      first->ipc = to->ipc;
      first->cgroup = to->cgroup;
      first->time = to->time;
      *(volatile __u32*)&first->mnt = to->mnt; /* last: says that the others are there */
    }
  }
  to->user = cred->user_ns->ns.inum;
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  __u32 level = BPF_CORE_READ(pid, level);
  if (level == 0 && first->pid) {
    to->pid = first->pid;
    return;
  }
  struct upid upid = {};
  bpf_probe_read_kernel(
      &upid, sizeof(upid),
      (void*)pid + bpf_core_field_offset(struct pid, numbers) + level * sizeof(struct upid));
  to->pid = BPF_CORE_READ(upid.ns, ns.inum);
  if (level == 0) first->pid = to->pid;
}

static __always_inline void root__fill(struct ke_place* place) {
  if (current__is_typed()) {
    struct fs_struct* fs = current__typed()->fs;
    place->root_dentry = (__u64)fs->root.dentry;
    place->root_mnt = (__u64)fs->root.mnt;
  } else {
    struct task_struct* task = (void*)bpf_get_current_task();
    struct fs_struct* fs = BPF_CORE_READ(task, fs);
    struct path root = {};
    bpf_core_read(&root, sizeof(root), &fs->root);
    place->root_dentry = (__u64)root.dentry;
    place->root_mnt = (__u64)root.mnt;
  }
}

/* The pid namespace that a task is in. */
static __always_inline struct pid_namespace* untyped__pid_ns(struct task_struct* task) {
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  __u32 level = BPF_CORE_READ(pid, level);
  struct upid upid = {};
  bpf_probe_read_kernel(
      &upid, sizeof(upid),
      (void*)pid + bpf_core_field_offset(struct pid, numbers) + level * sizeof(struct upid));
  return upid.ns;
}

/* Credentials, namespaces and login of the current task, by reads. */
static __always_inline void current__read(struct ke_creds* creds, struct ke_namespaces* ns,
                                          __u32* loginuid, __u32* sessionid) {
  struct task_struct* task = (void*)bpf_get_current_task();
  const struct cred* cred = BPF_CORE_READ(task, cred);
  struct nsproxy* proxy = BPF_CORE_READ(task, nsproxy);
  bpf_core_read(&creds->uid, 32, &cred->uid);
  bpf_core_read(&creds->cap_inheritable, 40, &cred->cap_inheritable);
  creds->securebits = BPF_CORE_READ(cred, securebits);
  creds->pad = 0;
  ns->user = BPF_CORE_READ(cred, user_ns, ns.inum);
  ns->mnt = BPF_CORE_READ(proxy, mnt_ns, ns.inum);
  ns->net = BPF_CORE_READ(proxy, net_ns, ns.inum);
  ns->uts = BPF_CORE_READ(proxy, uts_ns, ns.inum);
  ns->ipc = BPF_CORE_READ(proxy, ipc_ns, ns.inum);
  ns->cgroup = BPF_CORE_READ(proxy, cgroup_ns, ns.inum);
  ns->time = BPF_CORE_READ(proxy, time_ns, ns.inum);
  struct pid_namespace* pid_ns = untyped__pid_ns(BPF_CORE_READ(task, group_leader));
  ns->pid = BPF_CORE_READ(pid_ns, ns.inum);
  *loginuid = *sessionid = ~0u;
  if (bpf_core_field_exists(task->loginuid)) {
    *loginuid = BPF_CORE_READ(task, loginuid.val);
    *sessionid = BPF_CORE_READ(task, sessionid);
  }
}

#endif
