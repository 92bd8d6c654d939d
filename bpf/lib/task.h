/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a task says of itself. `task` is a typed pointer: its members are plain loads, and a load
 * through a null pointer gives 0. Not so on 5.10 in a program that calls functions: the kernel
 * looks for the load's exception entry in the wrong table and oopses. So whatever is null in a
 * task that is on its way out is tested here first.
 */
#ifndef KE_TASK_H
#define KE_TASK_H

#include "bpf/lib/output.h"

#define PFA_NO_NEW_PRIVS_BIT 1ul /* linux/sched.h: bit 0 of atomic_flags */
#define PF_KTHREAD 0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004

/* Eight bytes of a typed pointer's member, whatever its type: a plain load. */
#define ke_load64(member) (*(const volatile __u64*)__builtin_preserve_access_index(&(member)))

static __always_inline void task__comm(char* to, struct task_struct* task) {
  ((__u64*)to)[0] = ke_load64(task->comm[0]);
  ((__u64*)to)[1] = ke_load64(task->comm[8]);
}

static __always_inline void task__creds(struct ke_creds* to, const struct cred* cred) {
  to->uid = cred->uid.val;
  to->gid = cred->gid.val;
  to->suid = cred->suid.val;
  to->sgid = cred->sgid.val;
  to->euid = cred->euid.val;
  to->egid = cred->egid.val;
  to->fsuid = cred->fsuid.val;
  to->fsgid = cred->fsgid.val;
  to->cap_inheritable = ke_load64(cred->cap_inheritable);
  to->cap_permitted = ke_load64(cred->cap_permitted);
  to->cap_effective = ke_load64(cred->cap_effective);
  to->cap_bounding = ke_load64(cred->cap_bset);
  to->cap_ambient = ke_load64(cred->cap_ambient);
  to->securebits = cred->securebits;
  to->pad = 0;
}

/* The pid as its own pid namespace shows it, and that namespace's number. */
static __always_inline __u32 task__ns_pid(struct task_struct* task, __u32* ns_inum) {
  struct pid* pid = task->thread_pid;
  *ns_inum = 0;
  if (!pid) return 0; /* released */
  __u32 level = pid->level;
  if (level == 0) { /* plain loads where they do */
    *ns_inum = pid->numbers[0].ns->ns.inum;
    return pid->numbers[0].nr;
  }
  struct upid upid = {};
  bpf_probe_read_kernel(
      &upid, sizeof(upid),
      (void*)pid + bpf_core_field_offset(struct pid, numbers) + level * sizeof(struct upid));
  *ns_inum = BPF_CORE_READ(upid.ns, ns.inum);
  return upid.nr;
}

/* Fills all but `pid`, which task__ns_pid gives. */
static __always_inline void task__namespaces(struct ke_namespaces* to, struct task_struct* task,
                                             const struct cred* cred) {
  struct nsproxy* ns = task->nsproxy;
  to->user = cred->user_ns->ns.inum;
  to->mnt = to->net = to->uts = to->ipc = to->cgroup = to->time = 0;
  if (!ns) return; /* exit_task_namespaces has run */
  to->mnt = ns->mnt_ns->ns.inum;
  to->net = ns->net_ns->ns.inum;
  to->uts = ns->uts_ns->ns.inum;
  to->ipc = ns->ipc_ns->ns.inum;
  to->cgroup = ns->cgroup_ns->ns.inum;
  to->time = ns->time_ns->ns.inum;
}

/* Id of the cgroup that says which container the task is in. */
static __always_inline __u64 task__cgroup_id(struct task_struct* task) {
  if (ke_cfg_cgroup_subsys < 0) return task->cgroups->dfl_cgrp->kn->id;
  struct css_set* set = task->cgroups;
  struct cgroup_subsys_state* css = NULL;
  bpf_probe_read_kernel(&css, sizeof(css),
                        (void*)set + bpf_core_field_offset(struct css_set, subsys) +
                            ke_cfg_cgroup_subsys * sizeof(void*));
  return BPF_CORE_READ(css, cgroup, kn, id);
}

/* Everything of struct ke_process but the file, the strings and the sizes of the arguments. */
static __always_inline void task__fill(struct ke_process* rec, struct task_struct* task) {
  struct task_struct* leader = task->group_leader;
  struct task_struct* parent = task->real_parent->group_leader;
  const struct cred* cred = task->cred;
  rec->tgid = task->tgid;
  rec->start_ns = leader->start_boottime;
  rec->parent_tgid = parent->tgid;
  rec->parent_start_ns = parent->start_boottime;
  task__creds(&rec->creds, cred);
  task__namespaces(&rec->ns, task, cred);
  rec->ns_tgid = task__ns_pid(leader, &rec->ns.pid);
  rec->cgroup_id = task__cgroup_id(task);
  rec->loginuid = ~0u;
  rec->sessionid = ~0u;
  if (bpf_core_field_exists(task->loginuid)) { /* CONFIG_AUDIT */
    rec->loginuid = task->loginuid.val;
    rec->sessionid = task->sessionid;
  }
  if (task->atomic_flags & PFA_NO_NEW_PRIVS_BIT) rec->flags |= KE_F_NO_NEW_PRIVS;
  task__comm(rec->comm, task);
  struct signal_struct* sig = task->signal;
  struct tty_struct* tty = sig ? sig->tty : NULL;
  rec->tty[0] = 0;
  if (tty) bpf_probe_read_kernel_str(rec->tty, sizeof(rec->tty), &tty->name);
}

#endif
