/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/act.h" /* has the kernel's types: first */

#include "bpf/lib/exec.h"
#include "bpf/lib/procs.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Arguments and environment lie one behind the other on the new stack (fs/binfmt_elf.c): one read
 * where both fit. */
static __always_inline __u64 exec__args(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                        struct ke_process* rec, struct mm_struct* mm, __u64 off) {
  __u64 args_len = mm->arg_end - mm->arg_start;
  __u64 env_len = mm->env_end - mm->env_start;
  __u64 args = ke_bound(args_len > KE_ARGS_MAX ? KE_ARGS_MAX : args_len, KE_ARGS_MAX);
  __u64 env_max = ke_bound(ke_cfg_env_max, KE_ENV_MAX);
  __u64 env = ke_bound(env_len > env_max ? env_max : env_len, KE_ENV_MAX);
  rec->args_len = args_len;
  rec->env_len = env_len;
  if (args_len > KE_ARGS_MAX) rec->flags |= KE_F_ARGS_CUT;
  if (env_len > env_max && env_max) rec->flags |= KE_F_ENV_CUT;
  off = ke_bound(off, KE_SCRATCH_HEAD);
  rec->args.off = off;
  rec->args.len = args;
  rec->env.off = off + args;
  rec->env.len = env;
  if (mm->arg_end == mm->env_start && args == args_len) {
    __u64 both = ke_bound(args + env, KE_ARGS_MAX + KE_ENV_MAX);
    if (!bpf_probe_read_user(&scratch->rec[off], both, (void*)mm->arg_start)) return off + both;
  }
  if (bpf_probe_read_user(&scratch->rec[off], args, (void*)mm->arg_start)) {
    site__count(stats, KE_SITE_ARGS_READ);
    rec->flags |= KE_F_ARGS_FAILED;
    rec->args.len = args = 0;
    rec->env.off = off;
  }
  off = ke_bound(off + args, KE_SCRATCH_HEAD + KE_ARGS_MAX);
  if (env && bpf_probe_read_user(&scratch->rec[off], env, (void*)mm->env_start)) {
    site__count(stats, KE_SITE_ENV_READ);
    rec->flags |= KE_F_ENV_FAILED;
    rec->env.len = env = 0;
  }
  return off + env;
}

/* Which clauses of the class hold for the record and the filter's process; 0 = none. */
static __always_inline int exec__filter(struct ke_cpu_stats* stats, struct ke_filter* f,
                                        struct ke_process* rec, __u32 cpu, __u64 stamp) {
  __u32 epoch = KE_STAMP_EPOCH(stamp);
  struct ke_rule_config* cfg = epoch ? rules__config(epoch & 1) : NULL;
  if (!cfg || !(cfg->classes & 1u << KE_RC_EXEC)) return 0;
  filter__subject(f, &rec->creds, &rec->ns, rec->loginuid, rec->sessionid);
  f->words[KE_WORD_IMAGE] = rec->flags;
  f->cgroup_id = rec->cgroup_id;
  if (stamp & KE_STAMP_MARKS) marks__load(cpu, rec->tgid, rec->start_ns);
  if (!filter__process(cpu, epoch & 1, KE_RC_EXEC)) return 0;
  f->send = KE_SEND_URGENT;
  if (rec->flags & (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE)) f->undecided = 1;
  if (f->undecided) {
    rec->flags |= KE_F_UNDECIDED;
    site__count(stats, KE_SITE_RULES_UNDECIDED);
  }
  if (stamp & KE_STAMP_MARKED) marks__set(cpu, epoch & 1, KE_RC_EXEC, rec->tgid, rec->start_ns);
  return 1;
}

/* Says which clauses hold for an exec, and remembers of the new image what rules ask for later.
 * Returns whether any holds. The record and the walker of `cpu` hold what the hook has read. */
__weak __noinline int exec__judge(__u32 cpu) {
  struct ke_rule_control* control = rules__control();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  if (!control || !f || !stats || !scratch) return 0;
  struct ke_process* rec = (void*)scratch->rec;
  __u64 stamp = control->stamp;
  __u32 epoch = KE_STAMP_EPOCH(stamp);
  __u32 next = control->next;
  if (!epoch && !next) return 0;
  rec->hdr.epoch = epoch;
  proc__exec(f, cpu, epoch, next, rec);
  int any = exec__filter(stats, f, rec, cpu, stamp);
  proc__remember(stats, f, epoch, next, rec->tgid);
  return any;
}

/* Appends the clauses that hold. */
static __always_inline __u64 exec__clauses(struct ke_scratch* scratch, struct ke_process* rec,
                                           __u32 cpu, __u64 off) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  off = ke_bound(off, sizeof(scratch->rec) - sizeof(struct ke_row));
  if (!f) return off;
  bpf_probe_read_kernel(&scratch->rec[off], sizeof(struct ke_row), &f->acc);
  rec->clauses.off = off;
  rec->clauses.len = sizeof(struct ke_row);
  return off + sizeof(struct ke_row);
}

/* A rule denies what was not refused: the exec had been allowed when the hook that can refuse it
 * asked. What decided it has changed since: the rules, the path, the container. */
static __always_inline __u32 exec__too_late(__u32 verdict) {
  if (!(verdict & KE_VERDICT_FAILED) || KE_VERDICT_ERRNO(verdict) != KE_EOPNOTSUPP) return verdict;
  return (verdict & ~KE_VERDICT_ERRNO_BITS) | (__u32)KE_ESTALE << 24;
}

/* Judges the record that ends at `off`, now that all its flags stand and the walker still has the
 * binary; returns where it ends then. A function of its own: the verifier takes it once, not for
 * each way that the record can have grown. */
__weak __noinline int exec__end(__u32 cpu, __u32 off) {
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  if (!scratch) return off;
  struct ke_process* rec = (void*)scratch->rec;
  __u64 end = off;
  int clauses = exec__judge(cpu);
  rec->clauses.off = rec->clauses.len = rec->verdict = rec->pad = 0;
  if (clauses) {
    end = exec__clauses(scratch, rec, cpu, end);
    __u32 verdict = act__decide(cpu, rec->hdr.epoch & 1, KE_RC_EXEC);
    bool certain = !(rec->flags & KE_F_UNDECIDED);
    rec->verdict = exec__too_late(act__perform(verdict, rec->tgid, certain, false));
  }
  return end;
}

/* Apart from it, for the stack of all calls is short. */
__weak __noinline int exec__send(__u32 cpu, __u32 size) {
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  if (!stats || !scratch || !f) return 0;
  struct ke_process* rec = (void*)scratch->rec;
  __u32 how = rec->clauses.len ? f->send : 0;
  return event__send(stats, rec, ke_bound(size, sizeof(scratch->rec)), how);
}

/* What the rules know the image's path by. `seqs`: before the path was read. */
static __always_inline void exec__place(__u32 cpu, struct file* file, struct fs_struct* fs,
                                        __u32 flags, __u64 seqs) {
  struct ke_rule_control* control = rules__control();
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  if (!f || !control) return;
  struct dentry* dentry = file->f_path.dentry;
  struct ke_place* image = &f->image;
  image->seqs = flags & (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE) ? 0 : seqs;
  if (!control->stamp) image->seqs = 0;
  if (!image->seqs) return;
  image->dentry = (__u64)dentry;
  image->mnt = (__u64)file->f_path.mnt;
  image->root_dentry = (__u64)fs->root.dentry;
  image->root_mnt = (__u64)fs->root.mnt;
  image->ino = file->f_inode->i_ino;
  image->parent = (__u64)dentry->d_parent;
  image->name_hash = dentry->d_name.hash;
}

/*
 * sched_process_exec: the new image stands, its first instruction has not run, so nobody can have
 * changed the arguments. Raw tracepoint with BTF, 5.10 and later, works under lockdown.
 */
static __always_inline void exec__report(struct task_struct* task, __u32 old_tid,
                                         struct linux_binprm* bprm) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  if (!stats || !scratch) return; /* both have an element a CPU */
  struct ke_process* rec = (void*)scratch->rec;
  event__begin(stats, &rec->hdr, cpu, KE_EXEC);
  rec->flags = old_tid == (__u32)task->pid ? 0 : KE_F_THREAD_EXEC;
  rec->tid = old_tid;
  rec->argc = bprm->argc;
  task__fill(rec, task);
  image__file(rec, bprm->file);
  exec__gains(rec, bprm, bprm->file->f_inode);
  __u64 seqs = 0;
  __u64 off = image__paths(stats, scratch, cpu, bprm->file, task->fs, &seqs);
  exec__place(cpu, bprm->file, task->fs, rec->flags, seqs);
  off = exec__script(stats, scratch, rec, bprm, old_tid, off);
  if (rec->flags & KE_F_CHAIN) bpf_map_delete_elem(&ke_chain, &rec->tid);
  off = exec__args(stats, scratch, rec, task->mm, off);
  exec__send(cpu, exec__end(cpu, off));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec__tp_btf, struct task_struct* task, int old_tid, struct linux_binprm* bprm) {
  exec__report(task, old_tid, bprm);
  return 0;
}
