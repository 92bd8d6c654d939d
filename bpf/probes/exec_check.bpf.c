/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/hook.h" /* has the kernel's types: first */

#include "bpf/lib/current.h"
#include "bpf/lib/exec.h"
#include "bpf/lib/procs.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* task__fill for 5.10, where the current task is a number. */
static __always_inline void untyped__fill(struct ke_process* rec, const struct cred* cred) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct task_struct* leader = BPF_CORE_READ(task, group_leader);
  struct task_struct* parent = BPF_CORE_READ(task, real_parent, group_leader);
  rec->tgid = bpf_get_current_pid_tgid() >> 32;
  rec->start_ns = BPF_CORE_READ(leader, start_boottime);
  rec->parent_tgid = BPF_CORE_READ(parent, tgid);
  rec->parent_start_ns = BPF_CORE_READ(parent, start_boottime);
  untyped__namespaces(&rec->ns, cred);
  struct pid* pid = BPF_CORE_READ(leader, thread_pid);
  struct upid upid = {};
  bpf_probe_read_kernel(&upid, sizeof(upid),
                        (void*)pid + bpf_core_field_offset(struct pid, numbers) +
                            BPF_CORE_READ(pid, level) * sizeof(struct upid));
  rec->ns_tgid = upid.nr;
  rec->cgroup_id = untyped__cgroup_id(task);
  rec->loginuid = rec->sessionid = ~0u;
  if (bpf_core_field_exists(task->loginuid)) { /* CONFIG_AUDIT */
    rec->loginuid = BPF_CORE_READ(task, loginuid.val);
    rec->sessionid = BPF_CORE_READ(task, sessionid);
  }
  if (BPF_CORE_READ(task, atomic_flags) & PFA_NO_NEW_PRIVS_BIT) rec->flags |= KE_F_NO_NEW_PRIVS;
  bpf_get_current_comm(rec->comm, sizeof(rec->comm));
  struct tty_struct* tty = BPF_CORE_READ(task, signal, tty);
  rec->tty[0] = 0;
  if (tty) bpf_probe_read_kernel_str(rec->tty, sizeof(rec->tty), &tty->name);
}

/* Who wants to execute, with the credentials that the new image would have. */
static __always_inline void check__subject(struct ke_process* rec, struct linux_binprm* bprm,
                                           bool caps_known) {
  const struct cred* cred = bprm->cred;
  __u64 id = bpf_get_current_pid_tgid();
  rec->tid = id;
  rec->flags = (__u32)id == id >> 32 ? 0 : KE_F_THREAD_EXEC;
  if (bprm->interp != bprm->filename) rec->flags |= KE_F_SCRIPT;
  if (!caps_known) rec->flags |= KE_F_CAPS_UNKNOWN;
  rec->argc = bprm->argc;
  if (current__is_typed())
    task__fill(rec, current__typed());
  else
    untyped__fill(rec, cred);
  task__creds(&rec->creds, cred);
  /* cap_bprm_creds_from_file does the same, behind fmod_ret. */
  rec->creds.suid = rec->creds.fsuid = rec->creds.euid;
  rec->creds.sgid = rec->creds.fsgid = rec->creds.egid;
}

/* Where the image stands, for the walk and as what the rules know its path by. */
static __always_inline void check__place(struct ke_filter* f, struct file* file) {
  struct dentry* dentry = file->f_path.dentry;
  struct ke_place* image = &f->image;
  root__fill(image);
  image->dentry = (__u64)dentry;
  image->mnt = (__u64)file->f_path.mnt;
  image->ino = file->f_inode->i_ino;
  image->parent = (__u64)dentry->d_parent;
  image->name_hash = dentry->d_name.hash;
}

static __always_inline __u32 check__walk(struct ke_cpu_stats* stats, struct ke_walk* walk,
                                         __u32 slot, const struct ke_place* root, __u64 dentry,
                                         __u64 mnt) {
  walk->dentry = (void*)dentry;
  walk->mnt = (void*)mnt;
  walk->mnt_root = BPF_CORE_READ((struct vfsmount*)mnt, mnt_root);
  walk->root_dentry = (void*)root->root_dentry;
  walk->root_mnt = (void*)root->root_mnt;
  walk->off = KE_PATH_MAX;
  walk->base = 0;
  __u32 done = path__walk(slot);
  if (done & KE_WALK_CUT) site__count(stats, KE_SITE_PATH_DEEP);
  if (done & KE_WALK_FAILED) site__count(stats, KE_SITE_PATH_READ);
  return done;
}

/* The image's path into the walker, repeated while renames or mounts change the tree under it. What
 * was read last counts: to let it through would let through whoever renames in a loop. */
static __always_inline void check__binary(struct ke_cpu_stats* stats, struct ke_filter* f,
                                          struct ke_process* rec, __u32 cpu) {
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &cpu);
  if (!walk) return;
  __u32 done = 0;
  int attempt = 0;
  for (; attempt < KE_WALK_ATTEMPTS; attempt++) {
    __u64 seqs = f->image.seqs = tree__seqs();
    done = check__walk(stats, walk, cpu, &f->image, f->image.dentry, f->image.mnt);
    if (tree__seqs() == seqs && !(seqs & KE_SEQS_ODD)) break;
  }
  if (attempt == KE_WALK_ATTEMPTS) {
    rec->flags |= KE_F_BINARY_UNSTABLE;
    site__count(stats, KE_SITE_PATH_UNSTABLE);
  }
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) rec->flags |= KE_F_BINARY_CUT;
  if (done & KE_WALK_UNREACHABLE) rec->flags |= KE_F_BINARY_UNREACHABLE;
  /* Kept by its place only when it is sure to be the place's. */
  if (rec->flags & (KE_F_BINARY_UNSTABLE | KE_F_BINARY_CUT)) f->image.seqs = 0;
  if (!ke_cfg_rename_lock || !ke_cfg_mount_lock) f->image.seqs = 0;
}

/* Ids of the image and of its parent into the filter. */
static __always_inline void check__ids(struct ke_filter* f, const struct ke_process* rec, __u32 cpu,
                                       __u32 epoch) {
  __builtin_memset(&f->proc, 0, sizeof(f->proc));
  f->proc.start_ns = rec->start_ns;
  f->proc.flags = rec->flags & KE_F_IMAGE;
  proc__ids(f, cpu, epoch, rec, false);
  /* Ids of a part of the path are no ids. */
  if (rec->flags & KE_F_BINARY_CUT) f->proc.epoch[0] = f->proc.epoch[1] = 0;
}

static __always_inline bool check__container_is_known(struct ke_filter* f, __u32 at) {
  struct ke_rule_config* cfg = rules__config(at);
  if (!cfg) return false;
  if (!cfg->base[KE_RC_EXEC][KE_DIM_CGROUP]) return true;
  __u32* id = rules__lookup(ke_r_cgroups, at, &f->cgroup_id);
  return id && *id;
}

/*
 * Is the exec that the record is of refused? What is not certain is let through: sched_process_exec
 * judges it again, and says so. A path too long to be known is nobody's by chance: what may be
 * forbidden is. Nothing is remembered of the process: it keeps its image.
 */
__weak __noinline int check__judge(__u32 cpu) {
  struct ke_rule_control* control = rules__control();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  if (!control || !f || !stats || !scratch) return 0;
  struct ke_process* rec = (void*)scratch->rec;
  __u32 epoch = rec->hdr.epoch;
  __u32 at = epoch & 1;
  check__binary(stats, f, rec, cpu);
  check__ids(f, rec, cpu, epoch);
  filter__subject(f, &rec->creds, &rec->ns, rec->loginuid, rec->sessionid);
  f->words[KE_WORD_IMAGE] = rec->flags;
  f->cgroup_id = rec->cgroup_id;
  if (control->stamp & KE_STAMP_MARKS) marks__load(cpu, rec->tgid, rec->start_ns);
  if (!filter__process(cpu, at, KE_RC_EXEC)) return 0;
  f->send = KE_SEND_URGENT;
  __u32 verdict = act__decide(cpu, at, KE_RC_EXEC);
  if (!(verdict & KE_VERDICT_DENIED) || rec->tgid == 1) return 0;
  bool cut = rec->flags & KE_F_BINARY_CUT;
  if (f->undecided && !(cut && check__container_is_known(f, at))) return 0;
  rec->verdict = act__signal(verdict);
  /* Values that are not known here may decide about the other clauses. */
  if (f->undecided || rec->flags & KE_F_CAPS_UNKNOWN) {
    rec->flags |= KE_F_UNDECIDED;
    site__count(stats, KE_SITE_RULES_UNDECIDED);
  }
  return 1;
}

/* Appends binary and working directory; returns the offset behind them. The walker holds the
 * binary. */
static __always_inline __u64 check__paths(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                          struct ke_filter* f, __u32 cpu) {
  struct ke_process* rec = (void*)scratch->rec;
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &cpu);
  __u64 off = sizeof(*rec);
  if (!walk) return off;
  rec->binary.off = off;
  rec->binary.len = rec__path(scratch, walk, off);
  off += rec->binary.len;
  struct task_struct* task = (void*)bpf_get_current_task();
  struct fs_struct* fs = BPF_CORE_READ(task, fs);
  struct path pwd = {};
  bpf_core_read(&pwd, sizeof(pwd), &fs->pwd);
  __u64 seqs = tree__seqs();
  __u32 done = check__walk(stats, walk, cpu, &f->image, (__u64)pwd.dentry, (__u64)pwd.mnt);
  rec->cwd.off = off;
  rec->cwd.len = rec__path(scratch, walk, off);
  if (tree__seqs() != seqs || seqs & KE_SEQS_ODD) rec->flags |= KE_F_CWD_UNSTABLE;
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) rec->flags |= KE_F_CWD_CUT;
  if (done & KE_WALK_UNREACHABLE) rec->flags |= KE_F_CWD_UNREACHABLE;
  return off + rec->cwd.len;
}

/* What is known of the image that is not started, and of who wanted it. Arguments and environment
 * are not: they stand in an address space that nobody uses yet. */
static __always_inline void check__report(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                          struct ke_filter* f, __u32 cpu,
                                          struct linux_binprm* bprm) {
  struct ke_process* rec = (void*)scratch->rec;
  __u32 epoch = rec->hdr.epoch;
  event__begin(stats, &rec->hdr, cpu, KE_EXEC_DENIED);
  rec->hdr.epoch = epoch;
  __u64 off = check__paths(stats, scratch, f, cpu);
  off = exec__script(stats, scratch, rec, bprm, rec->tid, off);
  off = ke_bound(off, sizeof(scratch->rec) - sizeof(struct ke_row));
  rec->args.off = rec->env.off = rec->clauses.off = off;
  rec->args.len = rec->env.len = 0;
  rec->args_len = rec->env_len = 0;
  rec->pad = 0;
  bpf_probe_read_kernel(&scratch->rec[off], sizeof(struct ke_row), &f->acc);
  rec->clauses.len = sizeof(struct ke_row);
  event__send(stats, rec, off + sizeof(struct ke_row), f->send);
}

/* The directory that the process works in, whether it has still a name. */
static __always_inline bool check__cwd_is_deleted(void) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct dentry* pwd = BPF_CORE_READ(task, fs, pwd.dentry);
  return !BPF_CORE_READ(pwd, d_hash.pprev) && BPF_CORE_READ(pwd, d_parent) != pwd;
}

/* Returns whether the exec is refused. `caps_known`: the hook stands behind the kernel's own module
 * for capabilities. */
static __always_inline bool check__hook(struct linux_binprm* bprm, bool caps_known) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_rule_control* control = rules__control();
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_scratch* scratch = bpf_map_lookup_elem(&ke_scratch, &cpu);
  if (!stats || !control || !f || !scratch) return false; /* each has an element a CPU */
  struct ke_process* rec = (void*)scratch->rec;
  __u32 epoch = KE_STAMP_EPOCH(control->stamp);
  struct ke_rule_config* cfg = epoch ? rules__config(epoch & 1) : NULL;
  if (!cfg || !cfg->acts[KE_RC_EXEC].deny) goto skip;
  rec->hdr.epoch = epoch;
  check__subject(rec, bprm, caps_known);
  image__file(rec, bprm->file);
  exec__gains(rec, bprm, bprm->file->f_inode);
  rec->flags |= KE_F_ARGS_FAILED | KE_F_ENV_FAILED;
  if (check__cwd_is_deleted()) rec->flags |= KE_F_CWD_DELETED;
  check__place(f, bprm->file);
  if (!check__judge(cpu)) goto skip;
  check__report(stats, scratch, f, cpu, bprm);
  return true;
skip:
  event__skip(stats, KE_EXEC_DENIED);
  return false;
}

/*
 * security_bprm_creds_from_file: begin_new_exec asks it once, for the file that is to run (scripts
 * and binfmt_misc are behind it), with the credentials that it will have, and before the point of
 * no return: the caller gets the error and goes on.
 */
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(exec_check__lsm, struct linux_binprm* bprm, struct file* file, int ret) {
  if (ret) return ret;
  hook__hold();
  bool refused = check__hook(bprm, true);
  hook__let_go();
  return hook__refusal(refused);
}

/* Runs before the modules are asked: what file capabilities give is not known here. */
SEC("fmod_ret/security_bprm_creds_from_file")
int BPF_PROG(exec_check__modify, struct linux_binprm* bprm, struct file* file, int ret) {
  return ret ? ret : hook__refusal(check__hook(bprm, false));
}
