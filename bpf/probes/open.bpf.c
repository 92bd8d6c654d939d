/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/hook.h"
#include "bpf/lib/open_file.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Judges, decides and acts; false = no clause holds. The clauses are those of the path that was
 * read; when it changed meanwhile, the record has all that the process allows, for user space. */
static __always_inline bool open__act(struct ke_open_state* st, struct ke_filter* f,
                                      const struct ke_dir_slot* dir, __u32 cpu, bool may_deny) {
  __u32 slot = open__slot(cpu);
  int judged = open__judge(cpu);
  if (judged == KE_BY_PATH) judged = open__by_path(cpu);
  f->send = KE_SEND_URGENT;
  __u32 verdict = judged ? act__decide(slot, st->at, KE_RC_OPEN) : 0;
  if (verdict) {
    /* A path too long to be known is nobody's by chance: what may be forbidden is. */
    bool cut = (st->walk | dir->walk) & (KE_WALK_CUT | KE_WALK_FAILED);
    verdict = act__perform(verdict, st->tgid, !f->undecided || (cut && !st->undecided), may_deny);
  }
  st->verdict = verdict;
  if (dir->flags & KE_DIR_MOVED || st->moved) {
    if (!judged || !(f->send & KE_SEND_STRICT)) f->send = KE_SEND_URGENT | KE_SEND_SPARING;
    open__from_who(st, f);
    f->undecided = 1;
    judged = row__any(&f->acc);
  }
  return judged;
}

static __always_inline bool open__is_refused(const struct ke_open_state* st,
                                             const struct ke_filter* f, bool sent, bool may_deny) {
  if (st->verdict & KE_VERDICT_DENIED) return true;
  return !sent && f->send & KE_SEND_STRICT && strict__refuses(st->at, st->tgid, may_deny);
}

/*
 * security_file_open: do_dentry_open asks it once the permissions of the file system have agreed,
 * whichever call came here: open, openat2, open_by_handle_at, io_uring, 32-bit, exec. Not asked
 * for O_PATH. Returns 0 or -EPERM.
 */
static __always_inline int open__hook(struct file* file, bool may_deny) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_rule_control* control = rules__control();
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  __u32* gen = proc__gen(tgid);
  __u32 who_index = cpu * ke_cfg_who_slots + (tgid & (ke_cfg_who_slots - 1));
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &who_index);
  if (!stats || !control || !gen || !who) return 0; /* each has an element for it */
  if (control->may_deny != may_deny) return 0;      /* while one takes over from the other */
  __u64 stamp = control->stamp;
  __u32 now = *gen;
  /* A file below an overlay: the overlay's own open has been judged. */
  bool inner = file->f_mode & (FMODE_BACKING_BIT | FMODE_NOACCOUNT_BIT);
  if (!KE_STAMP_EPOCH(stamp) || inner || self__is(control, tgid)) goto skip;
  bool same = who->tgid == tgid && who->gen == now && who->stamp == stamp;
  if (same && !(stamp & KE_STAMP_ASKS) && !who->mask_hash) goto skip;
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  if (!st) goto skip;
  if (stamp & KE_STAMP_ASKS || !same) {
    subject__fill(&st->subject, file->f_cred, stamp);
    same = same && subject__same(&who->subject, &st->subject);
    if (same && !who->mask_hash) goto skip;
  }
  st->stamp = stamp;
  st->at = KE_STAMP_EPOCH(stamp) & 1;
  st->tgid = tgid;
  st->tid = id;
  st->gen = now;
  st->who_index = who_index;
  if (!same) {
    who__refresh(cpu);
    if (!who->mask_hash) goto skip;
  }
  st->start_ns = who->start_ns;
  st->undecided = who->undecided;
  st->dir.mask_hash = who->mask_hash;
  st->dir.stamp = stamp;
  struct dentry* dentry = file->f_path.dentry;
  st->name_seq = dentry->d_seq.seqcount.sequence;
  st->dir.at.seqs = tree__seqs();
  open__place(st, file, dentry);
  root__fill(&st->dir.at);
  __u32 slot = open__slot(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_dir_slot* dir = open__dir(st, who, cpu);
  if (!dir || !f) goto skip;
  struct inode* inode = file->f_inode;
  bool alias = stamp & KE_STAMP_IDENTS &&
               (inode->i_nlink > 1 || st->covered || dir->flags & KE_DIR_ALIAS) &&
               open__alias(st, inode);
  if (!alias && open__is_out(st, f, dir)) goto skip;
  st->access = open__access(file);
  if (dir->walk & KE_WALK_UNREACHABLE && open__is_layer(file)) goto skip;
  if (!open__act(st, f, dir, cpu, may_deny)) goto skip;
  if (stamp & KE_STAMP_MARKED) marks__set(open__slot(cpu), st->at, KE_RC_OPEN, tgid, st->start_ns);
  bool sent = open__report(stats, cpu, st, f, dir, file);
  return hook__refusal(open__is_refused(st, f, sent, may_deny));
skip:
  event__skip(stats, KE_FILE_OPEN);
  return 0;
}

/*
 * security_path_mknod: lookup_open and mknod(2) ask it before a file is made, with the mount. Only
 * what a rule denies or is strict about is of interest here: the others are judged when the file is
 * opened. Returns 0 or -EPERM.
 */
static __always_inline int create__hook(const struct path* path, struct dentry* dentry,
                                        __u32 mode) {
  __u32 cpu = bpf_get_smp_processor_id();
  __u32 slot = open__slot(cpu);
  struct ke_rule_control* control = rules__control();
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  if (!control || self__is(control, tgid)) return 0;
  __u64 stamp = control->stamp;
  __u32 type = mode & S_IFMT_BITS;
  if (!KE_STAMP_EPOCH(stamp) || (type && type != S_IFREG_BITS)) return 0;
  __u32 at = KE_STAMP_EPOCH(stamp) & 1;
  struct ke_rule_config* cfg = rules__config(at);
  if (!cfg) return 0;
  bool strict = cfg->strict & KE_STRICT_ENFORCED && cfg->acts[KE_RC_OPEN].strict;
  if (!cfg->acts[KE_RC_OPEN].deny && !strict) return 0;
  struct ke_cpu_stats* stats = stats__of(cpu);
  __u32* gen = proc__gen(tgid);
  __u32 who_index = cpu * ke_cfg_who_slots + (tgid & (ke_cfg_who_slots - 1));
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &who_index);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!stats || !gen || !who || !st || !f) return 0;
  __builtin_memset(&st->subject, 0, sizeof(st->subject));
  if (stamp & KE_STAMP_CGROUP) st->subject.cgroup_id = current__cgroup_id();
  st->stamp = stamp;
  st->at = at;
  st->tgid = tgid;
  st->tid = id;
  st->gen = *gen;
  st->who_index = who_index;
  who__refresh(cpu);
  who->stamp = 0; /* not for opens: it lacks what they are compared by */
  if (!who->mask_hash) return 0;
  st->start_ns = who->start_ns;
  st->undecided = who->undecided;
  st->dir.mask_hash = who->mask_hash;
  st->dir.stamp = stamp;
  st->name_seq = dentry->d_seq.seqcount.sequence;
  st->dir.at.seqs = tree__seqs();
  open__name_place(st, dentry, path->dentry, path->mnt);
  root__fill(&st->dir.at);
  struct ke_dir_slot* dir = open__dir(st, who, cpu);
  if (!dir || open__is_out(st, f, dir)) return 0;
  st->access = KE_FILE_CREATED | KE_FILE_WRITE;
  if (!open__act(st, f, dir, cpu, true)) return 0;
  if (!(st->verdict & KE_VERDICT_DENIED) && !(strict && f->send & KE_SEND_STRICT)) return 0;
  bool sent = create__report(stats, cpu, st, f, dir, dentry, mode);
  return hook__refusal(open__is_refused(st, f, sent, true));
}

/* fentry watches, and is the cheapest. Once a rule denies, BPF LSM takes over where it is active,
 * else what stands in for the hook's return value, on the same functions. */
SEC("lsm/file_open")
int BPF_PROG(open__lsm, struct file* file, int ret) {
  if (ret) return ret;
  hook__hold();
  ret = open__hook(file, true);
  hook__let_go();
  return ret;
}

SEC("lsm/path_mknod")
int BPF_PROG(create__lsm, const struct path* dir, struct dentry* dentry, unsigned short mode,
             unsigned int dev, int ret) {
  if (ret) return ret;
  hook__hold();
  ret = create__hook(dir, dentry, mode);
  hook__let_go();
  return ret;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(open__modify, struct file* file, int ret) {
  return ret ? ret : open__hook(file, true);
}

SEC("fmod_ret/security_path_mknod")
int BPF_PROG(create__modify, const struct path* dir, struct dentry* dentry, unsigned short mode,
             unsigned int dev, int ret) {
  return ret ? ret : create__hook(dir, dentry, mode);
}

SEC("fentry/security_file_open")
int BPF_PROG(open__fentry, struct file* file) {
  open__hook(file, false);
  return 0;
}
