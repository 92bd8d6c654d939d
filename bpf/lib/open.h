/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judging an open: whether a clause can hold is decided by the process and the directory, both
 * cached a CPU; only then are names looked at.
 */
#ifndef KE_OPEN_H
#define KE_OPEN_H

#include "bpf/lib/who.h"

#define KE_ALIAS_STEPS 24

/* The nearest directory, from the state's upwards on its file system, whose inode the rules know:
 * whatever it is mounted on. */
static __always_inline void dir__aliases(struct ke_open_state* st, struct ke_dir_slot* dir,
                                         __u32 at) {
  struct dentry* dentry = (void*)st->dir.at.dentry;
  struct ke_ident_key key = {.dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev)};
  for (int i = 0; i < KE_ALIAS_STEPS; i++) {
    key.ino = BPF_CORE_READ(dentry, d_inode, i_ino);
    struct ke_ident* ident = rules__lookup(ke_r_idents, at, &key);
    if (ident) {
      dir->alias_prefix = ident->prefix;
      if (ident->prefix != dir->prefix || (i == 0 && ident->dir != dir->dir_id))
        dir->flags |= KE_DIR_ALIAS;
      if (i == 0 && !dir->dir_id) dir->dir_id = ident->dir;
      if (ident->prefix == dir->prefix) dir->alias_prefix = 0;
      return;
    }
    struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
    if (parent == dentry || !parent) return;
    dentry = parent;
  }
}

/* What can hold in the directory whose path the walker has, into the state's slot. */
__weak __noinline int dir__judge(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !walk || !f) return 0;
  __u32 at = st->at;
  __u32 who_index = st->who_index;
  __u32 dir_index = st->dir_index;
  struct ke_rule_config* cfg = rules__config(at);
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &who_index);
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!cfg || !who || !dir) return 0;
  dir->flags = 0;
  dir->alias_prefix = 0;
  hash__begin(f, cfg);
  /* Longer than any path that the tables have: nobody's hash, and not the root's. */
  if (!hash__walk(slot, KE_PATH_MAX, KE_PATH_MAX - ke_bound(walk->off, KE_PATH_MAX)))
    f->hash_a = ~f->hash_a;
  dir->hash_a = f->hash_a;
  dir->hash_b = f->hash_b;
  dir->dir_id = string__value(f, bpf_map_lookup_elem(&ke_r_dirs, &at), cfg->dirs_mask);
  dir->prefix =
      file__base(cfg, st)[KE_DIM_FILE_PREFIX] ? KE_ID(prefix__value(f, walk, at, true)) : 0;
  if (st->dir.at.dentry && st->stamp & KE_STAMP_IDENTS) dir__aliases(st, dir, at);
  row__copy(&f->acc, &who->row);
  __u32 prefixes = file__base(cfg, st)[KE_DIM_FILE_PREFIX];
  if (prefixes && dir->alias_prefix)
    filter__by_names(cfg, KE_FILE_CLASS(st), KE_BY_PREFIX, slot, at, prefixes,
                     dir->prefix | dir->alias_prefix << 16, 0);
  else if (prefixes)
    filter__and(slot, at, prefixes + dir->prefix);
  row__copy(&dir->row, &f->acc);
  /* Names that rules have in it, and prefixes that may hold yet. */
  row__copy(&f->acc, &who->row);
  __u32 base = file__base(cfg, st)[KE_DIM_FILE_DIR];
  if (base) filter__and(slot, at, base + dir->dir_id);
  struct ke_row* partial = NULL;
  base = file__base(cfg, st)[KE_DIM_FILE_PARTIAL];
  if (base && dir->dir_id) partial = rules__row(at, base + dir->dir_id);
  if (partial && row__meets(&f->acc, partial)) {
    dir->flags |= KE_DIR_PARTIAL;
    row__copy(&dir->row, &who->row);
  } else {
    row__and(&f->acc, &dir->row);
  }
  if (!row__any(&f->acc)) dir->flags |= KE_DIR_NONE;
  return 0;
}

/* What in it depends on a name's end; after dir__judge, whose result the filter's acc has. Apart
 * from it, for the stack of all calls is short. */
__weak __noinline int dir__ends(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !f) return 0;
  __u32 dir_index = st->dir_index;
  struct ke_rule_config* cfg = rules__config(st->at);
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!cfg || !dir) return 0;
  row__copy(&dir->plain, &dir->row);
  __u32 base = file__base(cfg, st)[KE_DIM_FILE_HINT];
  struct ke_row* unhinted = base ? rules__row(st->at, base) : NULL;
  if (!unhinted) return 0;
  row__and(&dir->plain, unhinted);
  if (!row__meets(&f->acc, unhinted)) dir->flags |= KE_DIR_HINTED;
  return 0;
}

/* Keeps the directory's path, which the walker holds, when it is short enough. */
static __always_inline void dir__keep_text(struct ke_dir_slot* dir, struct ke_walk* walk) {
  __u64 off = ke_bound(walk->off, KE_PATH_MAX);
  __u64 len = KE_PATH_MAX - off;
  dir->text_len = KE_DIR_TEXT + 1;
  if (len > KE_DIR_TEXT) return;
  asm volatile("" : "+r"(len));
  if (len > KE_DIR_TEXT) return;
  if (!bpf_probe_read_kernel(dir->text, len, &walk->path[off])) dir->text_len = len;
}

/* The cached directory doesn't fit: the state's, anew. */
__weak __noinline int dir__refresh(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!st || !walk) return 0;
  __u32 dir_index = st->dir_index;
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!dir) return 0;
  __u32 done = 0;
  bool moved = true;
  for (int attempt = 0; attempt < KE_WALK_ATTEMPTS && moved; attempt++) {
    if (attempt) st->dir.at.seqs = tree__seqs();
    walk->dentry = (void*)st->dir.at.dentry;
    struct vfsmount* mnt = (void*)st->dir.at.mnt;
    walk->mnt = mnt;
    walk->mnt_root = BPF_CORE_READ(mnt, mnt_root);
    walk->root_dentry = (void*)st->dir.at.root_dentry;
    walk->root_mnt = (void*)st->dir.at.root_mnt;
    walk->off = KE_PATH_MAX;
    walk->base = 0;
    done = path__walk(slot);
    moved = tree__seqs() != st->dir.at.seqs || st->dir.at.seqs & KE_SEQS_ODD;
  }
  dir->walk = done;
  dir__keep_text(dir, walk);
  dir__judge(cpu);
  dir__ends(cpu);
  __builtin_memcpy(&dir->dir, &st->dir, sizeof(dir->dir));
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) dir->flags = KE_DIR_UNSURE;
  if (moved) {
    /* Nobody knows whether it is the whole truth, and it is not to be kept. */
    dir->flags |= KE_DIR_MOVED;
    dir->dir.stamp = 0;
  }
  if (!ke_cfg_rename_lock || !ke_cfg_mount_lock) dir->dir.stamp = 0;
  return 0;
}

#define KE_HINT_UNREAD 0xffffffffu
#define KE_HINT_UNKNOWN 0xfffffffeu

/* The file's name into the filter, its end at KE_NAME_END; false = it can't be read. */
static __always_inline bool open__name(struct ke_open_state* st, struct ke_filter* f) {
  __u64 len = ke_bound(st->name_len, KE_NAME_MAX);
  if (st->named) return true;
  f->name_len = len;
  if (bpf_probe_read_kernel(&f->name[ke_bound(KE_NAME_END - len, KE_NAME_END)], len,
                            (void*)st->name))
    return false;
  st->named = 1;
  return true;
}

/* Id of what the name ends with, by its last eight bytes; 0 = nothing that rules name,
 * KE_HINT_UNREAD = nobody knows. */
static __always_inline __u32 open__hint(struct ke_open_state* st, const struct ke_filter* f,
                                        const struct ke_rule_config* cfg) {
  struct ke_hint_key key = {.bits = 64};
  __u64 len = st->name_len;
  __u64 word = 0;
  st->hint = KE_HINT_UNREAD;
  if (st->named) {
    word = *(const volatile __u64*)&f->name[KE_NAME_END - 8];
    if (len < 8) word >>= (64 - 8 * len) & 63;
  } else if (bpf_probe_read_kernel(&word, len < 8 ? len & 7 : 8,
                                   (void*)st->name + (len < 8 ? 0 : len - 8))) {
    return st->hint;
  }
  if (len < 8) { /* the slash before a short name counts */
    word = (word << 8 | '/') << (56 - 8 * (len & 7));
    key.bits = (len + 1) * 8;
  }
  __u32 bit = KE_ENDS_BIT(word >> 48 & 0xff, word >> 56);
  if (cfg && !(cfg->ends[bit / 64] >> (bit & 63) & 1)) return st->hint = 0;
  word = __builtin_bswap64(word);
  __builtin_memcpy(key.bytes, &word, 8);
  __u32* id = rules__lookup(ke_r_hint, st->at, &key);
  return st->hint = id ? *id : 0;
}

/* Is the file's path its directory's text with the name behind it? */
static __always_inline bool open__composes(const struct ke_open_state* st,
                                           const struct ke_dir_slot* dir) {
  return dir->text_len <= KE_DIR_TEXT && !(dir->flags & (KE_DIR_UNSURE | KE_DIR_MOVED)) &&
         st->dir.at.dentry != st->file_dentry;
}

/* The file's path into the walker from its directory's; false = that isn't kept. */
static __always_inline bool open__compose(struct ke_open_state* st, struct ke_walk* walk,
                                          const struct ke_dir_slot* dir) {
  __u64 dir_len = dir->text_len;
  __u64 len = st->name_len;
  asm volatile("" : "+r"(dir_len), "+r"(len));
  if (dir_len > KE_DIR_TEXT || len > KE_NAME_MAX || !open__composes(st, dir)) return false;
  __u64 off = KE_PATH_MAX - len;
  asm volatile("" : "+r"(off));
  if (off > KE_PATH_MAX || bpf_probe_read_kernel(&walk->path[off], len, (void*)st->name))
    return false;
  off--;
  walk->path[off & (KE_PATH_MAX - 1)] = '/';
  off = (off - dir_len) & (KE_PATH_MAX - 1);
  if (bpf_probe_read_kernel(&walk->path[off], dir_len, dir->text)) return false;
  walk->off = off;
  st->walk = dir->walk;
  st->composed = 1;
  return true;
}

/* The whole path into the walker: what names were renamed since st->dir.at.seqs, the record tells.
 */
static __always_inline void open__walk(struct ke_open_state* st, struct ke_walk* walk,
                                       const struct ke_dir_slot* dir, __u32 slot) {
  if (st->walked) return;
  st->walked = 1;
  if (open__compose(st, walk, dir)) return;
  for (int attempt = 0; attempt < KE_WALK_ATTEMPTS; attempt++) {
    __u64 seqs = tree__seqs();
    walk->dentry = (void*)st->file_dentry;
    struct vfsmount* mnt = (void*)st->file_mnt;
    walk->mnt = mnt;
    walk->mnt_root = BPF_CORE_READ(mnt, mnt_root);
    walk->root_dentry = (void*)st->dir.at.root_dentry;
    walk->root_mnt = (void*)st->dir.at.root_mnt;
    walk->off = KE_PATH_MAX;
    walk->base = 0;
    st->walk = path__walk(slot);
    if (tree__seqs() == seqs && !(seqs & KE_SEQS_ODD)) return;
  }
  st->walk |= KE_WALK_UNSTABLE;
}

/* The name could not be read: user space has to judge. */
static __always_inline int open__unread(__u32 cpu, struct ke_filter* f,
                                        const struct ke_dir_slot* dir) {
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (stats) site__count(stats, KE_SITE_NAME_READ);
  row__copy(&f->acc, &dir->row);
  f->undecided = 1;
  return 1;
}

/* Id of the file's path among the exact ones; the filter holds its name. */
static __always_inline __u32 open__exact(struct ke_filter* f, const struct ke_dir_slot* dir,
                                         __u32 slot, __u32 at, __u32 mask) {
  f->hash_a = dir->hash_a;
  f->hash_b = dir->hash_b;
  hash__bytes(f, f->name, KE_NAME_END, f->name_len, KE_NAME_END, KE_NAME_END);
  return KE_ID(string__value(f, bpf_map_lookup_elem(&ke_r_exact, &at), mask));
}

/* The whole path into the walker, the root with its slash; false = a part of it is missing. */
static __always_inline bool open__whole(struct ke_open_state* st, struct ke_walk* walk,
                                        const struct ke_dir_slot* dir, __u32 slot) {
  open__walk(st, walk, dir, slot);
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED)) return false;
  if (st->walk & KE_WALK_UNSTABLE) st->moved = 1;
  if (walk->off == KE_PATH_MAX) { /* the walker leaves it empty */
    walk->path[KE_PATH_MAX - 1] = '/';
    walk->off = KE_PATH_MAX - 1;
  }
  return true;
}

/* What the whole path has to decide, and by which other names: after open__judge. 0 = no clause. */
__weak __noinline int open__by_path(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!st || !f || !walk) return 0;
  __u32 at = st->at;
  __u32 dir_index = st->dir_index;
  struct ke_rule_config* cfg = rules__config(at);
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!cfg || !dir) return 0;
  if (!open__whole(st, walk, dir, slot)) {
    f->undecided = 1;
    return 1;
  }
  __u32 base = file__base(cfg, st)[KE_DIM_FILE_PREFIX];
  if (base && (dir->flags & KE_DIR_PARTIAL || st->alias)) {
    __u32 id = KE_ID(prefix__value(f, walk, at, false)) | st->name_prefix << 16;
    if (!filter__by_names(cfg, KE_FILE_CLASS(st), KE_BY_PREFIX, slot, at, base, id,
                          dir->alias_prefix))
      return 0;
  }
  base = file__base(cfg, st)[KE_DIM_FILE_SUFFIX];
  if (!base) return 1;
  __u32 id = KE_ID(suffix__value(f, walk, at));
  if (!st->alias) return filter__and(slot, at, base + id);
  return filter__by_names(cfg, KE_FILE_CLASS(st), KE_BY_SUFFIX, slot, at, base,
                          id | st->name_suffix << 16, 0);
}

/* Intersects what the directory allows with another row, of which NULL says nothing. */
static __always_inline int open__intersect(struct ke_filter* f, const struct ke_row* from,
                                           const struct ke_row* with) {
  __u64 any = 0;
  if (!with) with = from;
#pragma unroll
  for (int w = 0; w < KE_WORDS; w++) any |= f->acc.words[w] = from->words[w] & with->words[w];
  return any != 0;
}

/* All that the process allows, whatever the directory. */
static __always_inline void open__from_who(struct ke_open_state* st, struct ke_filter* f) {
  __u32 who_index = st->who_index;
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &who_index);
  if (who) row__copy(&f->acc, &who->row);
}

#define KE_BY_PATH 2

/* Which clauses hold for this open, into the filter's acc; 0 = none, KE_BY_PATH = open__by_path has
 * to finish: not called from here, for the stack of all calls is short. */
__weak __noinline int open__judge(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !f) return 0;
  __u32 at = st->at;
  __u32 dir_index = st->dir_index;
  struct ke_rule_config* cfg = rules__config(at);
  void* index = bpf_map_lookup_elem(&ke_r_index, &at);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &at);
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!dir) return 0;
  f->undecided = st->undecided;
  st->alias_prefix = dir->alias_prefix;
  if (!cfg || !index || !rows || dir->flags & KE_DIR_UNSURE) {
    if (!cfg || !index || !rows) filter__missing(f);
    open__from_who(st, f);
    f->undecided = 1;
    return 1;
  }
  struct ke_row* access = NULL;
  struct ke_row* exact = NULL;
  struct ke_row* hinted = NULL;
  __u32 id = 0;
  __u32 base = file__base(cfg, st)[KE_DIM_FILE_ACCESS];
  if (base && !(access = row__at(index, rows, base + (st->access & 127)))) filter__missing(f);
  __u32 exacts = file__base(cfg, st)[KE_DIM_FILE_EXACT];
  if (exacts) {
    if (!open__name(st, f)) return open__unread(cpu, f, dir);
    id = open__exact(f, dir, slot, at, cfg->exact_mask);
    if (st->alias == id) st->alias = st->name_prefix = st->name_suffix = 0;
    if (!st->alias && !(exact = row__at(index, rows, exacts + id))) filter__missing(f);
  }
  if (st->alias) {
    /* Another name may satisfy what the directory and the name's end leave out. */
    open__from_who(st, f);
    if (access) row__and(&f->acc, access);
    if (exact) row__and(&f->acc, exact);
    if (!filter__by_names(cfg, KE_FILE_CLASS(st), KE_BY_EXACT, slot, at, exacts,
                          id | st->alias << 16, 0))
      return 0;
    return KE_BY_PATH;
  }
  base = file__base(cfg, st)[KE_DIM_FILE_HINT];
  if (base) {
    __u32 hint = st->hint == KE_HINT_UNKNOWN ? open__hint(st, f, cfg) : st->hint;
    if (hint == KE_HINT_UNREAD) return open__unread(cpu, f, dir);
    if (hint && !(hinted = row__at(index, rows, base + hint))) filter__missing(f);
  }
  const struct ke_row* from = base && !st->hint ? &dir->plain : &dir->row;
  if (!open__intersect(f, from, exact)) return 0;
  if (access) row__and(&f->acc, access);
  if (hinted) row__and(&f->acc, hinted);
  if ((access || hinted) && !row__any(&f->acc)) return 0;
  bool ends = base && (st->hint || cfg->suffix_negated[KE_FILE_CLASS(st)]);
  __u32 number = ends ? cfg->suffix_row[KE_FILE_CLASS(st)] : 0;
  struct ke_row* suffixes = number ? bpf_map_lookup_elem(rows, &number) : NULL;
  bool by_suffix = suffixes && row__meets(&f->acc, suffixes);
  bool by_prefix = dir->flags & KE_DIR_PARTIAL && file__base(cfg, st)[KE_DIM_FILE_PREFIX];
  return by_suffix || by_prefix ? KE_BY_PATH : 1;
}

static __always_inline bool open__alias(struct ke_open_state* st, struct inode* inode) {
  struct ke_ident_key key = {.ino = inode->i_ino, .dev = inode->i_sb->s_dev};
  struct ke_ident* ident = rules__lookup(ke_r_idents, st->at, &key);
  st->alias = ident ? ident->exact : 0;
  st->name_prefix = ident ? ident->exact_prefix : 0;
  st->name_suffix = ident ? ident->exact_suffix : 0;
  return st->alias != 0;
}

/* What is cached of the directory, or anew; what the last judgement left is cleared. */
static __always_inline struct ke_dir_slot* open__dir(struct ke_open_state* st,
                                                     const struct ke_who_slot* who, __u32 cpu) {
  __u64 address = *(volatile __u64*)&st->dir.at.dentry; /* a number now, not a pointer */
  __u32 hash = address >> 6 ^ address >> 14 ^ who->mask_hash;
  __u32 dir_index = st->dir_index = cpu * ke_cfg_dir_slots + (hash & (ke_cfg_dir_slots - 1));
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &dir_index);
  if (!dir) return NULL;
  if (!dir__same(&dir->dir, &st->dir)) dir__refresh(cpu);
  st->alias = st->alias_prefix = st->name_prefix = st->name_suffix = 0;
  st->hint = KE_HINT_UNKNOWN;
  st->named = st->walked = st->composed = st->walk = st->moved = 0;
  return dir;
}

/* Can no clause hold, by what the directory and the name's end say? */
static __always_inline bool open__is_out(struct ke_open_state* st, struct ke_filter* f,
                                         const struct ke_dir_slot* dir) {
  __u32 flags = dir->flags;
  if (flags & KE_DIR_MOVED) return false;
  if (flags & KE_DIR_NONE) return true;
  if (!(flags & KE_DIR_HINTED)) return false;
  struct ke_rule_config* cfg = rules__config(st->at);
  return cfg && !open__hint(st, f, cfg);
}

#endif
