/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's entry of a process: from fork, or from the iterator, to the last thread's exit. */
#ifndef KE_PROCS_H
#define KE_PROCS_H

#include "bpf/lib/task.h"

static __always_inline void procs__insert(struct ke_cpu_stats* stats, __u32 tgid, __u64 start_ns) {
  struct ke_proc proc = {.start_ns = start_ns};
  if (bpf_map_update_elem(&ke_procs, &tgid, &proc, BPF_ANY))
    site__count(stats, KE_SITE_PROC_INSERT);
}

#endif
