/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/procs.h"

/*
 * sched_process_fork: the child is complete and has not run, so its entry is there before its
 * first exec. Threads are counted as filtered.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(fork__tp_btf, struct task_struct* creator, struct task_struct* child) {
  struct ke_cpu_stats* stats = stats__this_cpu();
  if (!stats) return 0;
  if (child->pid != child->tgid) {
    event__skip(stats, KE_FORK);
    return 0;
  }
  struct ke_fork rec = {};
  const struct cred* cred = child->cred;
  struct task_struct* parent = child->real_parent->group_leader;
  struct task_struct* caller = creator->group_leader;
  event__begin(stats, &rec.hdr, KE_FORK);
  rec.tgid = child->tgid;
  rec.start_ns = child->start_boottime;
  rec.parent_tgid = parent->tgid;
  rec.parent_start_ns = parent->start_boottime;
  rec.creator_tgid = caller->tgid;
  rec.creator_tid = creator->pid;
  rec.creator_start_ns = caller->start_boottime;
  rec.flags = child->mm == creator->mm && child->mm ? KE_FORK_SHARES_MM : 0;
  task__creds(&rec.creds, cred);
  task__namespaces(&rec.ns, child, cred);
  rec.ns_tgid = task__ns_pid(child, &rec.ns.pid);
  rec.cgroup_id = task__cgroup_id(child);
  procs__insert(stats, rec.tgid, rec.start_ns);
  event__send_bulk(stats, &rec, sizeof(rec));
  return 0;
}
