/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/procs.h"

#define KE_PAGE_KB 4 /* x86-64 and the usual arm64; the loader refuses others */

static __always_inline void exit__times(struct ke_exit* rec, struct task_struct* task,
                                        struct signal_struct* sig) {
  struct task_struct* leader = task->group_leader;
  int unreleased = 1;
  rec->cpu_ns = sig->sum_sched_runtime + task->se.sum_exec_runtime;
  rec->utime_ns = sig->utime + task->utime;
  rec->stime_ns = sig->stime + task->stime;
  if (leader->pid != task->pid) { /* a dead leader is released last, its sums are still its own */
    rec->cpu_ns += leader->se.sum_exec_runtime;
    rec->utime_ns += leader->utime;
    rec->stime_ns += leader->stime;
    unreleased = 2;
  }
  if (sig->nr_threads > unreleased) rec->flags |= KE_EXIT_CPU_PARTIAL;
}

/*
 * sched_process_exit runs for each thread; signal->live is 0 from the last one on. Two threads that
 * end at once may both see 0: the one that removes the entry reports. The leader's death in another
 * thread's exec never sees 0.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit__tp_btf, struct task_struct* task) {
  struct ke_cpu_stats* stats = stats__this_cpu();
  if (!stats) return 0;
  struct signal_struct* sig = task->signal;
  struct task_struct* leader = task->group_leader;
  __u32 tgid = task->tgid;
  struct ke_proc* proc = bpf_map_lookup_elem(&ke_procs, &tgid);
  if (sig->live.counter > 0) {
    if (proc && task->pid == task->tgid) proc->leader_exit_ns = bpf_ktime_get_boot_ns();
    event__skip(stats, KE_EXIT);
    return 0;
  }
  struct ke_exit rec = {};
  if (proc) {
    rec.leader_exit_ns = task->pid == task->tgid ? 0 : proc->leader_exit_ns;
    if (bpf_map_delete_elem(&ke_procs, &tgid)) { /* the other thread was first */
      event__skip(stats, KE_EXIT);
      return 0;
    }
  } else {
    rec.flags |= KE_EXIT_NO_ENTRY;
    site__count(stats, KE_SITE_PROC_MISSING);
  }
  event__begin(stats, &rec.hdr, KE_EXIT);
  rec.tgid = tgid;
  rec.tid = task->pid;
  rec.start_ns = leader->start_boottime;
  rec.status = sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code : leader->exit_code;
  if (rec.status & 0x80) rec.flags |= KE_EXIT_CORE_DUMP;
  exit__times(&rec, task, sig);
  rec.max_rss_kb = sig->maxrss * KE_PAGE_KB;
  rec.cgroup_id = task__cgroup_id(task);
  bpf_probe_read_kernel(rec.comm, sizeof(rec.comm), &leader->comm);
  event__send_bulk(stats, &rec, sizeof(rec));
  return 0;
}
