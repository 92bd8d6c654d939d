/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judging a change of a file or of a name, by the same conditions as an open: the file's own name,
 * and where a second one is given, that too. Changes are rare beside opens: everything here is a
 * global function that reads through addresses, so that each hook costs the verifier little.
 */
#ifndef KE_CHANGE_H
#define KE_CHANGE_H

#define KE_FILE_CLASS(st) ((st)->class & (KE_RC_MAX - 1))
#include "bpf/lib/hook.h"
#include "bpf/lib/mounts.h"
#include "bpf/lib/open.h"

/* What a hook hands over; addresses, 0 = there is none. */
struct ke_change_call {
  __u64 dentry;
  __u64 parent; /* of a name that is being made; 0 = the dentry's own */
  __u64 mnt;    /* 0 = the hook doesn't know it */
  __u64 to_dentry, to_parent;
  __u64 text;   /* a string */
  __u32 change; /* enum ke_change_kind */
  __u32 bits;
  __u32 new_mode, new_uid, new_gid, rdev;
  __u32 how;
  /* Of the file's own name, while the second one is judged. */
  __u32 undecided;
  __u32 cut;
  __u32 moved;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_change_call);
} ke_change_calls SEC(".maps");

struct ke_change_rec {
  struct ke_file_change fixed;
  struct ke_row clauses;
  __u8 text[3 * KE_PATH_MAX]; /* path, path of the second name, text; then room */
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_change_rec);
} ke_change_recs SEC(".maps");

const volatile __u32 ke_cfg_may_deny = 0;

/* Prepares this CPU's state of a change; 0 = no rule in force is on it, or it is the sensor's own.
 */
__weak __noinline int change__prepare(__u32 cpu, __u32 change) {
  struct ke_rule_control* control = rules__control();
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  if (!control) return 0;
  if (self__is(control, tgid)) return own__skip(cpu, KE_FILE_UNLINK + (change & 15));
  __u64 stamp = control->stamp;
  __u32 at = KE_STAMP_EPOCH(stamp) & 1;
  struct ke_rule_config* cfg = rules__config(at);
  if (!KE_STAMP_EPOCH(stamp) || !cfg || !(cfg->changes >> (change & 31) & 1)) return 0;
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  __u32* gen = proc__gen(tgid);
  if (!st || !call || !gen) return 0;
  st->stamp = stamp;
  st->at = at;
  st->tgid = tgid;
  st->tid = id;
  st->gen = *gen;
  st->who_index = cpu * ke_cfg_who_slots + (tgid & (ke_cfg_who_slots - 1));
  st->verdict = 0;
  __builtin_memset(call, 0, sizeof(*call));
  call->change = change;
  return 1;
}

/* The same; the caller fills in what the hook knows. NULL = nothing is to be done. */
static __always_inline struct ke_change_call* change__begin(__u32 cpu, __u32 change) {
  return change__prepare(cpu, change) ? bpf_map_lookup_elem(&ke_change_calls, &cpu) : NULL;
}

/* The clauses that the process allows, cached or anew; 0 = none. */
__weak __noinline int change__who(__u32 cpu) {
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  if (!st) return 0;
  __u32 index = st->who_index;
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &index);
  if (!who) return 0;
  __u64 stamp = st->stamp;
  bool same = who->tgid == st->tgid && who->gen == st->gen && who->stamp == stamp;
  st->class = KE_RC_CHANGE;
  if (stamp & KE_STAMP_ASKS) {
    if (current__is_typed()) {
      subject__fill(&st->subject, current__typed()->cred, stamp);
    } else { /* credentials can't be compared: they are read anew */
      __builtin_memset(&st->subject, 0, sizeof(st->subject));
      if (stamp & KE_STAMP_CGROUP) st->subject.cgroup_id = current__cgroup_id();
      same = same && !(stamp & KE_STAMP_ASKS & ~KE_STAMP_CGROUP);
    }
    same = same && subject__same(&who->subject, &st->subject);
  }
  if (!same) who__refresh(cpu);
  st->start_ns = who->start_ns;
  st->undecided = who->undecided;
  return who->mask_hash != 0;
}

/* Up from a file that is mounted on a name to that name. */
static __always_inline void change__uncover(struct ke_open_state* st) {
  for (int i = 0; i < 8; i++) {
    struct mount* m = container_of((struct vfsmount*)st->file_mnt, struct mount, mnt);
    struct mount* above = BPF_CORE_READ(m, mnt_parent);
    if (st->file_dentry != (__u64)BPF_CORE_READ(m, mnt.mnt_root)) return;
    if (above == m || !above) return;
    if (st->file_dentry == st->dir.at.root_dentry && st->file_mnt == st->dir.at.root_mnt) return;
    st->file_dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
    st->file_mnt = (__u64)above + bpf_core_field_offset(struct mount, mnt);
    st->covered = 1;
  }
}

/* Changes of a name, not of what it leads to. */
#define CHANGE_OF_NAMES                                                      \
  (1u << KE_CHANGE_UNLINK | 1u << KE_CHANGE_RMDIR | 1u << KE_CHANGE_RENAME | \
   1u << KE_CHANGE_MOUNT | 1u << KE_CHANGE_UMOUNT)

/* Which name is judged, into the state: the file's, or with `to` the one that it gets. */
__weak __noinline int change__place(__u32 cpu, __u32 to) {
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  if (!st || !call) return 0;
  __u32 index = st->who_index;
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &index);
  if (!who) return 0;
  st->class = to ? KE_RC_CHANGE_TO : KE_RC_CHANGE;
  st->dir.at.seqs = tree__seqs();
  root__fill(&st->dir.at);
  struct dentry* dentry = (void*)(to ? call->to_dentry : call->dentry);
  struct inode* inode = BPF_CORE_READ(dentry, d_inode);
  __u64 parent = to ? call->to_parent : call->parent;
  if (!call->mnt) call->mnt = (__u64)mounts__ours(BPF_CORE_READ(inode, i_sb));
  st->file_dentry = (__u64)dentry;
  st->file_mnt = call->mnt;
  st->covered = 0;
  if (!parent && call->mnt) change__uncover(st);
  dentry = (void*)st->file_dentry;
  struct dentry* above = parent ? (void*)parent : BPF_CORE_READ(dentry, d_parent);
  st->name = (__u64)BPF_CORE_READ(dentry, d_name.name);
  st->name_len = BPF_CORE_READ(dentry, d_name.len);
  st->name_seq = BPF_CORE_READ(dentry, d_seq.seqcount.sequence);
  st->dir.at.dentry = (__u64)above;
  st->dir.at.mnt = st->file_mnt;
  st->dir.at.ino = BPF_CORE_READ(above, d_inode, i_ino);
  st->dir.at.parent = (__u64)BPF_CORE_READ(above, d_parent);
  st->dir.at.name_hash = BPF_CORE_READ(above, d_name.hash);
  /* The second name's rows are others. */
  st->dir.mask_hash = to ? who->mask_hash * 31 + 1 : who->mask_hash;
  st->dir.stamp = st->stamp;
  st->access = to ? 0 : KE_CHANGE_ACCESS(call->change & (KE_CHANGE_MAX - 1), call->bits);
  return 1;
}

/* Does the file have another name that rules know? A change of a name is one of that name only,
 * unless its directory has another. */
static __always_inline bool change__alias(struct ke_open_state* st, struct ke_change_call* call,
                                          const struct ke_dir_slot* dir) {
  if (!(st->stamp & KE_STAMP_IDENTS)) return false;
  struct dentry* dentry = (void*)(st->class == KE_RC_CHANGE_TO ? call->to_dentry : call->dentry);
  struct inode* inode = BPF_CORE_READ(dentry, d_inode);
  if (!inode) return false;
  bool by_name = CHANGE_OF_NAMES >> (call->change & 31) & 1 || st->class == KE_RC_CHANGE_TO;
  if (!(dir->flags & KE_DIR_ALIAS) &&
      (by_name || (BPF_CORE_READ(inode, i_nlink) <= 1 && !st->covered)))
    return false;
  struct ke_ident_key key = {.ino = BPF_CORE_READ(inode, i_ino),
                             .dev = BPF_CORE_READ(inode, i_sb, s_dev)};
  struct ke_ident* ident = rules__lookup(ke_r_idents, st->at, &key);
  if (!ident || !ident->exact) return false;
  st->alias = ident->exact;
  st->name_prefix = ident->exact_prefix;
  st->name_suffix = ident->exact_suffix;
  return true;
}

/* The clauses that hold for the name in the state, into the filter's acc; 0 = none. */
__weak __noinline int change__judge(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !call || !f) return 0;
  __u32 index = st->who_index;
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &index);
  if (!who) return 0;
  struct ke_dir_slot* dir = open__dir(st, who, cpu);
  if (!dir) return 0;
  if (!change__alias(st, call, dir) && open__is_out(st, f, dir)) return 0;
  int judged = open__judge(cpu);
  if (judged == KE_BY_PATH) judged = open__by_path(cpu);
  if (dir->flags & KE_DIR_MOVED) st->moved = 1;
  call->undecided |= f->undecided;
  call->cut |= (st->walk | dir->walk) & (KE_WALK_CUT | KE_WALK_FAILED);
  call->moved |= st->moved;
  return judged;
}

/* Memory without a file: no path holds. */
__weak __noinline int change__judge_nameless(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !call || !f) return 0;
  __u32 at = st->at;
  struct ke_rule_config* cfg = rules__config(at);
  if (!cfg) return 0;
  st->access = KE_CHANGE_ACCESS(call->change & (KE_CHANGE_MAX - 1), call->bits);
  st->alias = st->alias_prefix = st->moved = 0;
  open__from_who(st, f);
  f->undecided = st->undecided;
  call->undecided = f->undecided;
  __u32 base = file__base(cfg, st)[KE_DIM_FILE_ACCESS];
  if (base && !filter__and(slot, at, base + (st->access & 127))) return 0;
  base = file__base(cfg, st)[KE_DIM_FILE_EXACT];
  if (base && !filter__and(slot, at, base)) return 0;
  base = file__base(cfg, st)[KE_DIM_FILE_PREFIX];
  if (base && !filter__and(slot, at, base)) return 0;
  base = file__base(cfg, st)[KE_DIM_FILE_SUFFIX];
  return base ? filter__and(slot, at, base) : 1;
}

/* The path of the name in the state into the record, behind what is there: `to` the second one. */
__weak __noinline int change__text(__u32 cpu, __u32 to) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_rec* rec = bpf_map_lookup_elem(&ke_change_recs, &cpu);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!st || !rec || !walk) return 0;
  __u32 dir_index = st->dir_index;
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!dir) return 0;
  open__walk(st, walk, dir, slot);
  __u64 start = ke_bound(walk->off, KE_PATH_MAX);
  __u64 len = ke_bound(KE_PATH_MAX - start, KE_PATH_MAX);
  __u64 at = to ? ke_bound(rec->fixed.file.path.len, KE_PATH_MAX) : 0;
  if (len == 0) {
    rec->text[at] = '/';
    len = 1;
  } else {
    bpf_probe_read_kernel(&rec->text[at], len, &walk->path[start]);
  }
  __u64 seqs = tree__seqs();
  if (seqs != st->dir.at.seqs || seqs & KE_SEQS_ODD) st->walk |= KE_WALK_UNSTABLE;
  __u32 flags = 0;
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED)) flags |= KE_FILE_PATH_CUT;
  if (st->walk & KE_WALK_UNSTABLE) flags |= KE_FILE_PATH_UNSTABLE;
  if (st->walk & KE_WALK_UNREACHABLE) flags |= KE_FILE_PATH_UNREACHABLE;
  struct ke_span span = {.off = KE_OFFSETOF(struct ke_change_rec, text) + at, .len = len};
  if (to) {
    rec->fixed.to = span;
    rec->fixed.to_flags = flags;
  } else {
    rec->fixed.file.path = span;
    rec->fixed.file.flags = flags;
    rec->fixed.file.alias = st->alias;
    rec->fixed.file.alias_prefix = st->alias_prefix;
    rec->fixed.to = (struct ke_span){};
    rec->fixed.to_flags = 0;
  }
  return 1;
}

/* Keeps what the first name leaves, and its path, before the second one is judged. */
__weak __noinline int change__keep(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_change_rec* rec = bpf_map_lookup_elem(&ke_change_recs, &cpu);
  if (!f || !rec) return 0;
  row__copy(&rec->clauses, &f->acc);
  return change__text(cpu, 0);
}

/* What both names leave, into the filter's acc; 0 = none. */
__weak __noinline int change__both(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_change_rec* rec = bpf_map_lookup_elem(&ke_change_recs, &cpu);
  if (!f || !rec) return 0;
  row__and(&f->acc, &rec->clauses);
  return row__any(&f->acc);
}

/* Takes away the clauses of other kinds of changes, which stand where a path could not be judged;
 * 0 = none is left. */
__weak __noinline int change__of_kind(__u32 cpu) {
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  if (!st || !call) return 0;
  struct ke_rule_config* cfg = rules__config(st->at);
  __u32 base = cfg ? cfg->base[KE_RC_CHANGE][KE_DIM_FILE_ACCESS] : 0;
  if (!base) return 1;
  __u32 access = KE_CHANGE_ACCESS(call->change & (KE_CHANGE_MAX - 1), call->bits) & 127;
  return filter__and(open__slot(cpu), st->at, base + access);
}

/* Decides and acts by the filter's acc. */
__weak __noinline int change__act(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !call || !f) return 0;
  st->class = KE_RC_CHANGE;
  f->send = KE_SEND_URGENT;
  __u32 verdict = act__decide(slot, st->at, KE_RC_CHANGE);
  if (verdict) {
    /* A path too long to be known is nobody's by chance: what may be forbidden is. */
    bool certain = !call->undecided || (call->cut && !st->undecided);
    verdict = act__perform(verdict, st->tgid, certain, ke_cfg_may_deny);
  }
  st->verdict = verdict;
  if (call->moved) {
    if (!(f->send & KE_SEND_STRICT)) f->send = KE_SEND_URGENT | KE_SEND_SPARING;
    open__from_who(st, f);
    change__of_kind(cpu);
    call->undecided = 1;
  }
  if (st->stamp & KE_STAMP_MARKED) {
    f->undecided = call->undecided;
    marks__set(slot, st->at, KE_RC_CHANGE, st->tgid, st->start_ns);
  }
  return 1;
}

/* What of the record is about the file as it stands. */
static __always_inline void change__file(struct ke_file_open* out,
                                         const struct ke_change_call* call) {
  struct dentry* dentry = (void*)call->dentry;
  struct inode* inode = BPF_CORE_READ(dentry, d_inode);
  if (inode) {
    out->ino = BPF_CORE_READ(inode, i_ino);
    out->mode = BPF_CORE_READ(inode, i_mode);
    out->uid = BPF_CORE_READ(inode, i_uid.val);
    out->gid = BPF_CORE_READ(inode, i_gid.val);
    out->nlink = BPF_CORE_READ(inode, i_nlink);
    if (!out->nlink || !BPF_CORE_READ(dentry, d_hash.pprev)) out->flags |= KE_FILE_DELETED;
  } else {
    out->ino = 0;
    out->mode = out->uid = out->gid = out->nlink = 0;
    struct dentry* parent = (void*)call->parent;
    inode = BPF_CORE_READ(parent, d_inode);
  }
  unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);
  out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
  struct dentry* upper = NULL;
  if (magic == OVERLAYFS_MAGIC)
    bpf_probe_read_kernel(&upper, sizeof(upper), (void*)inode + bpf_core_type_size(struct inode));
  if (upper) out->flags |= KE_FILE_OVERLAY_UPPER;
}

/* Who changes it. */
static __always_inline void change__subject(const struct ke_open_state* st,
                                            struct ke_file_open* out) {
  __u32 loginuid, sessionid;
  out->hdr.epoch = KE_STAMP_EPOCH(st->stamp);
  out->tgid = st->tgid;
  out->tid = st->tid;
  out->start_ns = st->start_ns;
  out->cgroup_id = current__cgroup_id();
  out->verdict = st->verdict;
  current__read(&out->creds, &out->ns, &loginuid, &sessionid);
}

/* The record's number, and what of it is neither path nor text. */
__weak __noinline int change__fill(__u32 cpu) {
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_change_rec* rec = bpf_map_lookup_elem(&ke_change_recs, &cpu);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !call || !rec || !stats) return 0;
  struct ke_file_change* out = &rec->fixed;
  __u32 change = call->change & (KE_CHANGE_MAX - 1);
  __u32 type = (KE_FILE_UNLINK + change) & (KE_TYPE_MAX - 1);
  event__begin(stats, &out->file.hdr, cpu, type);
  change__subject(st, &out->file);
  out->file.access = KE_CHANGE_ACCESS(change, call->bits);
  out->new_mode = call->new_mode;
  out->new_uid = call->new_uid;
  out->new_gid = call->new_gid;
  out->rdev = call->rdev;
  out->how = call->how;
  if (call->dentry) {
    change__file(&out->file, call);
  } else {
    out->file.ino = 0;
    out->file.dev = out->file.mode = out->file.uid = out->file.gid = out->file.nlink = 0;
  }
  return 1;
}

/* The record, as judged, on its way; 0 = there was no room for it. */
__weak __noinline int change__report(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_change_rec* rec = bpf_map_lookup_elem(&ke_change_recs, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !call || !rec || !f || !stats) return 0;
  struct ke_file_change* out = &rec->fixed;
  row__copy(&rec->clauses, &f->acc);
  if (!call->dentry) {
    out->file.path = (struct ke_span){};
    out->file.flags = 0;
    out->file.alias = out->file.alias_prefix = 0;
    out->to = (struct ke_span){};
    out->to_flags = 0;
  } else {
    change__text(cpu, call->to_dentry != 0);
  }
  change__fill(cpu);
  if ((out->file.flags | out->to_flags) & (KE_FILE_PATH_CUT | KE_FILE_PATH_UNSTABLE))
    call->undecided = 1;
  if (call->undecided) {
    out->file.flags |= KE_FILE_UNDECIDED;
    site__count(stats, KE_SITE_RULES_UNDECIDED);
  }
  out->file.clauses.off = KE_OFFSETOF(struct ke_change_rec, clauses);
  out->file.clauses.len = sizeof(rec->clauses);
  __u64 at = ke_bound((__u64)out->file.path.len + out->to.len, 2 * KE_PATH_MAX);
  __u64 len = 0;
  if (call->text) {
    long got = bpf_probe_read_kernel_str(&rec->text[at], KE_PATH_MAX, (void*)call->text);
    if (got > 1) len = ke_bound((__u64)got - 1, KE_PATH_MAX);
  }
  out->text.off = KE_OFFSETOF(struct ke_change_rec, text) + at;
  out->text.len = len;
  __u64 size = ke_bound(KE_OFFSETOF(struct ke_change_rec, text) + at + len, sizeof(*rec));
  return event__send(stats, rec, size, f->send);
}

static __always_inline bool path__is_memfd(struct dentry* dentry, struct vfsmount* mnt) {
  unsigned long magic = BPF_CORE_READ(dentry, d_inode, i_sb, s_magic);
  if (magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC) return false;
  if (!(BPF_CORE_READ(mnt, mnt_flags) & MNT_INTERNAL_FLAG)) return false;
  char name[8] = {};
  bpf_probe_read_kernel(name, 6, BPF_CORE_READ(dentry, d_name.name));
  return *(__u64*)name == 0x3a64666d656dull; /* "memfd:" */
}

/* Judges what the hook has handed over; 1 = it is refused. */
__weak __noinline int change__run(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_change_call* call = bpf_map_lookup_elem(&ke_change_calls, &cpu);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !call || !stats || !f) return 0;
  __u32 type = (KE_FILE_UNLINK + (call->change & (KE_CHANGE_MAX - 1))) & (KE_TYPE_MAX - 1);
  int holds = change__who(cpu);
  if (holds && !call->dentry)
    holds = change__judge_nameless(cpu);
  else if (holds)
    holds = change__place(cpu, 0) && change__judge(cpu);
  if (holds && call->to_dentry)
    holds = change__keep(cpu) && change__place(cpu, 1) && change__judge(cpu) && change__both(cpu);
  if (!holds || !change__of_kind(cpu)) {
    event__skip(stats, type);
    return 0;
  }
  change__act(cpu);
  int sent = change__report(cpu);
  if (st->verdict & KE_VERDICT_DENIED) return 1;
  if (sent || !(f->send & KE_SEND_STRICT)) return 0;
  return strict__refuses(st->at, st->tgid, ke_cfg_may_deny);
}

#endif
