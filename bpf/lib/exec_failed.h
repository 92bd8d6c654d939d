/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A failed exec, reported from the return of the exec system calls' own functions. The path is
 * read from the caller's memory after the failure: the kernel's copy is gone.
 * Included with KE_COUNT(x) defined: how a counter is raised where the hook runs.
 */
#ifndef KE_EXEC_FAILED_H
#define KE_EXEC_FAILED_H

#include "bpf/lib/task.h"

static __always_inline int exec_failed__report(unsigned long user_path, long ret) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!stats) return 0;
  struct ke_counts* counts = &stats->classes[KE_EXEC_FAILED];
  KE_COUNT(counts->attempted);
  if (ret >= 0) {
    KE_COUNT(counts->filtered);
    return 0;
  }
  __u64 now = bpf_ktime_get_boot_ns();
  __u64 seq = KE_COUNT(counts->seq) + 1;
  void* ring = bpf_map_lookup_elem(&ke_rings_bulk, &cpu);
  if (!ring) {
    KE_COUNT(counts->lost);
    return 0;
  }
  struct ke_exec_failed* rec = bpf_ringbuf_reserve(ring, sizeof(*rec), 0);
  if (!rec) {
    KE_COUNT(counts->lost);
    return 0;
  }
  struct task_struct* task = (void*)bpf_get_current_task();
  rec->hdr.type = KE_EXEC_FAILED;
  rec->hdr.version = KE_RECORD_VERSION;
  rec->hdr.size = sizeof(*rec);
  rec->hdr.cpu = cpu;
  rec->hdr.epoch = 0;
  rec->hdr.seq = seq;
  rec->hdr.ktime_ns = now;
  rec->tgid = bpf_get_current_pid_tgid() >> 32;
  rec->tid = (__u32)bpf_get_current_pid_tgid();
  rec->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
  rec->error = -ret;
  rec->flags = 0;
  rec->pad = 0;
  rec->path[0] = 0;
  long len = bpf_probe_read_user_str(rec->path, sizeof(rec->path), (void*)user_path);
  if (len <= 0) {
    KE_COUNT(stats->sites[KE_SITE_FAILED_PATH_READ]);
    rec->flags |= KE_FAILED_PATH_UNREAD;
    len = 1;
  } else if (len == sizeof(rec->path)) {
    rec->flags |= KE_FAILED_PATH_CUT;
  }
  rec->path_len = len - 1;
  bpf_ringbuf_submit(rec, reader__wake_flags(ring, 0, true));
  return 0;
}

#endif
