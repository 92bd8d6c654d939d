/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Second backend of process.exec_failed, for kernels whose fexit or atomics are not to be had.
 * Kretprobes run with preemption disabled. The function's own arguments are gone at its return;
 * the system call's stand, as at entry, on top of the kernel stack (bpf_task_pt_regs is 5.15).
 */
#define KE_COUNT(x) ((x)++)
#include "bpf/lib/exec_failed.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define KE_THREAD_SIZE 16384 /* x86-64 without KASAN */

struct task_struct___stack {
  void* stack;
} __attribute__((preserve_access_index));

/* All of x86's struct pt_regs, for its size. */
#define KE_PT_REGS_SIZE (21 * 8)

static __always_inline unsigned long user_reg(unsigned long offset) {
  struct task_struct___stack* task = (void*)bpf_get_current_task();
  unsigned long value = 0;
  void* top = BPF_CORE_READ(task, stack) + KE_THREAD_SIZE - KE_PT_REGS_SIZE;
  bpf_probe_read_kernel(&value, sizeof(value), top + offset);
  return value;
}

SEC("kretprobe")
int BPF_KRETPROBE(execve__kretprobe, long ret) {
  return exec_failed__report(user_reg(bpf_core_field_offset(struct pt_regs, di)), ret);
}

SEC("kretprobe")
int BPF_KRETPROBE(execveat__kretprobe, long ret) {
  return exec_failed__report(user_reg(bpf_core_field_offset(struct pt_regs, si)), ret);
}

SEC("kretprobe")
int BPF_KRETPROBE(execve32__kretprobe, long ret) {
  return exec_failed__report((__u32)user_reg(bpf_core_field_offset(struct pt_regs, bx)), ret);
}

SEC("kretprobe")
int BPF_KRETPROBE(execveat32__kretprobe, long ret) {
  return exec_failed__report((__u32)user_reg(bpf_core_field_offset(struct pt_regs, cx)), ret);
}
