/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/marks.h"
#include "bpf/lib/task.h"

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

static __always_inline void exit__note_leader(struct ke_cpu_stats* stats, __u32 tgid) {
  __u64 now = bpf_ktime_get_boot_ns();
  if (bpf_map_update_elem(&ke_leaders, &tgid, &now, BPF_ANY))
    site__count(stats, KE_SITE_LEADER_INSERT);
}

/* When the leader went before the thread that goes last. */
static __always_inline void exit__leader(struct ke_cpu_stats* stats, struct ke_exit* rec) {
  __u32 tgid = rec->tgid;
  __u64* when = bpf_map_lookup_elem(&ke_leaders, &tgid);
  if (!when) {
    site__count(stats, KE_SITE_LEADER_MISSING);
    rec->flags |= KE_EXIT_LEADER_UNTIMED;
    return;
  }
  rec->leader_exit_ns = *when;
  bpf_map_delete_elem(&ke_leaders, &tgid);
}

/*
 * sched_process_exit runs for each thread; signal->live is 0 from the last one on. Two threads that
 * end at once may both see 0 and both report: user space drops the double. The leader's death in
 * another thread's exec never sees 0.
 */
static __always_inline void exit__report(struct task_struct* task) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!stats) return;
  struct signal_struct* sig = task->signal;
  struct task_struct* leader = task->group_leader;
  bool is_leader = task->pid == task->tgid;
  if (sig->live.counter > 0) {
    if (is_leader) exit__note_leader(stats, task->tgid);
    event__skip(stats, KE_EXIT);
    return;
  }
  struct ke_exit rec = {};
  event__begin(stats, &rec.hdr, cpu, KE_EXIT);
  rec.tgid = task->tgid;
  rec.tid = task->pid;
  if (!is_leader) exit__leader(stats, &rec);
  rec.start_ns = leader->start_boottime;
  rec.status = sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code : leader->exit_code;
  if (rec.status & 0x80) rec.flags |= KE_EXIT_CORE_DUMP;
  exit__times(&rec, task, sig);
  rec.max_rss_kb = sig->maxrss * KE_PAGE_KB;
  rec.cgroup_id = task__cgroup_id(task);
  task__comm(rec.comm, leader);
  event__send_bulk(stats, &rec, sizeof(rec));
  struct ke_rule_control* control = rules__control();
  __u32 tgid = rec.tgid;
  if (!control) return;
  if (control->self == tgid && control->self_start_ns == rec.start_ns) control->self = 0;
  if (control->stamp | control->next) bpf_map_delete_elem(&ke_procs, &tgid);
  if (control->stamp & KE_STAMP_MARKED) bpf_map_delete_elem(&ke_marks, &tgid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit__tp_btf, struct task_struct* task) {
  exit__report(task);
  return 0;
}
