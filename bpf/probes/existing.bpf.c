/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/image.h"

/*
 * Processes older than the sensor, read after the hooks are attached: who forks meanwhile is seen
 * twice and known by its key. Runs in the reading process, preemptible, so it has a scratch of its
 * own; the loader lets one reader run. Arguments of another process can't be read here: user space
 * completes them from /proc.
 */
SEC("iter/task")
int existing__iter(struct bpf_iter__task* ctx) {
  struct task_struct* task = ctx->task;
  struct seq_file* seq = ctx->meta->seq;
  __u32 slot = ke_cfg_iter_slot;
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &slot);
  if (!task || !stats || !scratch || task->pid != task->tgid) return 0;
  struct ke_process* rec = (void*)scratch->rec;
  struct signal_struct* sig = task->signal;
  bool dead = !sig || sig->live.counter == 0;
  __builtin_memset(&rec->hdr, 0, sizeof(*rec));
  rec->hdr.type = KE_EXISTING;
  rec->hdr.version = KE_RECORD_VERSION;
  rec->hdr.ktime_ns = bpf_ktime_get_boot_ns();
  rec->flags = (dead ? KE_F_ZOMBIE : 0) | (task->flags & PF_KTHREAD ? KE_F_KTHREAD : 0);
  rec->tid = task->pid;
  task__fill(rec, task);
  __u64 off = sizeof(*rec);
  struct mm_struct* mm = task->mm;
  struct fs_struct* fs = task->fs;
  struct file* file = mm ? mm->exe_file : NULL;
  if (file && fs) {
    image__file(rec, file);
    __u64 seqs;
    off = image__paths(stats, scratch, slot, file, fs, &seqs);
    rec->args_len = mm->arg_end - mm->arg_start;
    rec->env_len = mm->env_end - mm->env_start;
  }
  off = ke_bound(off, KE_SCRATCH_HEAD);
  rec->hdr.size = off;
  if (bpf_seq_write(seq, rec, off)) __sync_fetch_and_add(&stats->sites[KE_SITE_ITER_WRITE], 1);
  return 0;
}
