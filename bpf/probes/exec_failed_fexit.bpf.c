/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Best backend of process.exec_failed. A fexit program can be preempted by another task on its
 * CPU: its counters need atomic fetches, which 5.10 has not; hence an object of its own. The
 * loader sets the functions: their names carry the architecture.
 */
#define KE_COUNT(x) __sync_fetch_and_add(&(x), 1)
#include "bpf/lib/exec_failed.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("fexit")
int BPF_PROG(execve__fexit, struct pt_regs* regs, long ret) {
  return exec_failed__report(regs->di, ret);
}

SEC("fexit")
int BPF_PROG(execveat__fexit, struct pt_regs* regs, long ret) {
  return exec_failed__report(regs->si, ret);
}

SEC("fexit")
int BPF_PROG(execve32__fexit, struct pt_regs* regs, long ret) {
  return exec_failed__report((__u32)regs->bx, ret);
}

SEC("fexit")
int BPF_PROG(execveat32__fexit, struct pt_regs* regs, long ret) {
  return exec_failed__report((__u32)regs->cx, ret);
}
