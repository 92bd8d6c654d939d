/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a process begins, changes and ends. One object for the three hooks: the linker can't join
 * two that name the same kernel function.
 */
#include "bpf/probes/exec.h"
#include "bpf/probes/exit.h"
#include "bpf/probes/fork.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern void bpf_preempt_disable(void) __ksym __weak; /* 6.11 */
extern void bpf_preempt_enable(void) __ksym __weak;

/* First and last thing in a hook, see output.h. */
static __always_inline void hook__enter(void) {
  if (ke_cfg_preempt) bpf_preempt_disable();
}

static __always_inline void hook__leave(void) {
  if (ke_cfg_preempt) bpf_preempt_enable();
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec__tp_btf, struct task_struct* task, int old_tid, struct linux_binprm* bprm) {
  hook__enter();
  exec__report(task, old_tid, bprm);
  hook__leave();
  return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(fork__tp_btf, struct task_struct* creator, struct task_struct* child) {
  hook__enter();
  fork__report(creator, child);
  hook__leave();
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit__tp_btf, struct task_struct* task) {
  hook__enter();
  exit__report(task);
  hook__leave();
  return 0;
}
