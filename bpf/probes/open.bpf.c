/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/open_file.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * security_file_open: do_dentry_open asks it once the permissions of the file system have agreed,
 * whichever call came here: open, openat2, open_by_handle_at, io_uring, 32-bit, exec. Not asked
 * for O_PATH. By fentry, on all kernels from 5.10 on; other security modules may still refuse.
 */
SEC("fentry/security_file_open")
int BPF_PROG(open__fentry, struct file* file) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_rule_control* control = rules__control();
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  __u32* gen = proc__gen(tgid);
  __u32 who_index = cpu * ke_cfg_who_slots + (tgid & (ke_cfg_who_slots - 1));
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &who_index);
  if (!stats || !control || !gen || !who) return 0; /* each has an element for it */
  __u64 stamp = control->stamp;
  __u32 now = *gen;
  /* A file below an overlay: the overlay's own open has been judged. */
  bool inner = file->f_mode & (FMODE_BACKING_BIT | FMODE_NOACCOUNT_BIT);
  if (!KE_STAMP_EPOCH(stamp) || inner || tgid == ke_cfg_self) goto skip;
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
  struct open_file of = {.file = file, .dentry = file->f_path.dentry, .inode = file->f_inode};
  st->name_seq = of.dentry->d_seq.seqcount.sequence;
  st->dir.at.seqs = tree__seqs();
  open__place(st, file, of.dentry);
  root__fill(&st->dir.at);
  __u64 address = *(volatile __u64*)&st->dir.at.dentry; /* a number now, not a pointer */
  __u32 hash = address >> 6 ^ address >> 14 ^ who->mask_hash;
  __u32 dir_index = st->dir_index = cpu * ke_cfg_dir_slots + (hash & (ke_cfg_dir_slots - 1));
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  __u32 slot = open__slot(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!dir || !f) goto skip;
  if (!dir__same(&dir->dir, &st->dir)) dir__refresh(cpu);
  st->alias = st->alias_prefix = st->name_prefix = st->name_suffix = 0;
  st->hint = KE_HINT_UNKNOWN;
  st->named = st->walked = st->composed = st->walk = 0;
  bool alias = stamp & KE_STAMP_IDENTS &&
               (of.inode->i_nlink > 1 || st->covered || dir->flags & KE_DIR_ALIAS) &&
               open__alias(st, of.inode);
  if (!alias && dir->flags & KE_DIR_NONE) goto skip;
  if (!alias && dir->flags & KE_DIR_HINTED) {
    struct ke_rule_config* cfg = rules__config(st->at);
    if (cfg && !open__hint(st, f, cfg)) goto skip;
  }
  st->access = open__access(file);
  int judged = open__judge(cpu);
  if (judged == KE_BY_PATH) judged = open__by_path(cpu);
  if (!judged) goto skip;
  if (dir->walk & KE_WALK_UNREACHABLE && open__is_layer(file)) goto skip;
  if (stamp & KE_STAMP_MARKED) marks__set(open__slot(cpu), st->at, KE_RC_OPEN, tgid, st->start_ns);
  open__report(stats, cpu, st, f, dir, &of);
  return 0;
skip:
  event__skip(stats, KE_FILE_OPEN);
  return 0;
}

/* What an inode was known by may not be true any more: until user space has looked again, at most a
 * second, it has its path only. Before the effect, so never too late. A file with other names keeps
 * its identity until then: else renaming one name would hide the others. */
static __always_inline void ident__drop(struct dentry* dentry) {
  struct ke_rule_control* control = rules__control();
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
  struct inode* inode = dentry ? dentry->d_inode : NULL;
  if (!control || !stats || !inode) return;
  struct ke_ident_key key = {.ino = inode->i_ino, .dev = inode->i_sb->s_dev};
  bool keep = inode->i_nlink > 1 && (inode->i_mode & S_IFMT_BITS) != S_IFDIR_BITS;
  for (__u32 at = 0; at < 2; at++) {
    __u32 slot = at;
    void* idents = bpf_map_lookup_elem(&ke_r_idents, &slot);
    if (!idents || !bpf_map_lookup_elem(idents, &key)) continue;
    if (!keep) bpf_map_delete_elem(idents, &key);
    site__count(stats, KE_SITE_IDENT_DROPPED);
  }
}

SEC("fentry/security_inode_rename")
int BPF_PROG(rename__fentry, struct inode* old_dir, struct dentry* old_dentry,
             struct inode* new_dir, struct dentry* new_dentry) {
  ident__drop(old_dentry);
  ident__drop(new_dentry);
  return 0;
}

SEC("fentry/security_inode_unlink")
int BPF_PROG(unlink__fentry, struct inode* dir, struct dentry* dentry) {
  ident__drop(dentry);
  return 0;
}

SEC("fentry/security_inode_rmdir")
int BPF_PROG(rmdir__fentry, struct inode* dir, struct dentry* dentry) {
  ident__drop(dentry);
  return 0;
}
