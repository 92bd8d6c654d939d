/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/procs.h"

/*
 * sched_process_fork: the child is complete and has not run. Threads are counted as filtered.
 */
static __always_inline void fork__report(struct task_struct* creator, struct task_struct* child) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!stats) return;
  if (child->pid != child->tgid) {
    event__skip(stats, KE_FORK);
    return;
  }
  struct ke_fork rec = {};
  const struct cred* cred = child->cred;
  struct task_struct* parent = child->real_parent->group_leader;
  struct task_struct* caller = creator->group_leader;
  event__begin(stats, &rec.hdr, cpu, KE_FORK);
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
  event__send_bulk(stats, &rec, sizeof(rec));
  struct ke_rule_control* control = rules__control();
  if (!control) return;
  __u64 stamp = control->stamp;
  __u32 epoch = KE_STAMP_EPOCH(stamp);
  __u32 next = control->next;
  if (epoch | next) proc__fork(stats, epoch, next, &rec);
  if (stamp & KE_STAMP_MARKED) marks__fork(stats, &rec);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(fork__tp_btf, struct task_struct* creator, struct task_struct* child) {
  fork__report(creator, child);
  return 0;
}
