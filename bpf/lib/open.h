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
  struct dentry* dentry = (void*)st->dir.dentry;
  struct ke_ident_key key = {.dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev)};
  for (int i = 0; i < KE_ALIAS_STEPS; i++) {
    key.ino = BPF_CORE_READ(dentry, d_inode, i_ino);
    struct ke_ident* ident = rules__lookup(ke_r_idents, at, &key);
    if (ident) {
      dir->alias_prefix = ident->prefix;
      if (i == 0 && !dir->dir_id) dir->dir_id = ident->dir;
      if (ident->prefix != dir->prefix || i == 0) dir->flags |= KE_DIR_ALIAS;
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
  if (!hash__walk(slot, KE_PATH_MAX, KE_PATH_MAX - ke_bound(walk->off, KE_PATH_MAX))) {
    dir->flags = KE_DIR_UNSURE;
    return 0;
  }
  dir->hash_a = f->hash_a;
  dir->hash_b = f->hash_b;
  dir->dir_id = string__id(f, bpf_map_lookup_elem(&ke_r_dirs, &at));
  dir->prefix = cfg->base[KE_RC_OPEN][KE_DIM_FILE_PREFIX] ? prefix__id(f, walk, at, true) : 0;
  if (st->dir.dentry && st->stamp & KE_STAMP_IDENTS) dir__aliases(st, dir, at);
  /* Names that rules have in it, and prefixes that hold or may yet. */
  row__copy(&f->acc, &who->row);
  __u32 base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_DIR];
  if (base) filter__and(slot, at, base + dir->dir_id);
  struct ke_row* partial = NULL;
  base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_PARTIAL];
  if (base && dir->dir_id) partial = rules__row(at, base + dir->dir_id);
  if (partial && row__meets(&f->acc, partial)) {
    dir->flags |= KE_DIR_PARTIAL;
  } else {
    base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_PREFIX];
    if (base) filter__either(slot, at, base, dir->prefix, dir->alias_prefix);
  }
  if (!row__any(&f->acc)) {
    dir->flags |= KE_DIR_NONE;
    return 0;
  }
  base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_HINT];
  struct ke_row* unhinted = base ? rules__row(at, base) : NULL;
  if (unhinted && !row__meets(&f->acc, unhinted)) dir->flags |= KE_DIR_HINTED;
  return 0;
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
  walk->dentry = (void*)st->dir.dentry;
  struct vfsmount* mnt = (void*)st->dir.mnt;
  walk->mnt = mnt;
  walk->mnt_root = BPF_CORE_READ(mnt, mnt_root);
  walk->root_dentry = (void*)st->dir.root_dentry;
  walk->root_mnt = (void*)st->dir.root_mnt;
  walk->off = KE_PATH_MAX;
  walk->base = 0;
  __u32 done = path__walk(slot);
  dir__judge(cpu);
  __builtin_memcpy(&dir->dir, &st->dir, sizeof(dir->dir));
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) dir->flags = KE_DIR_UNSURE;
  __u64 seqs = (__u64)rename__seq() << 32 | mount__seq();
  if (seqs != st->dir.seqs || seqs & 0x100000001ull) {
    /* Renamed or mounted meanwhile: nobody knows, and not to be kept. */
    dir->flags = KE_DIR_UNSURE;
    dir->dir.stamp = 0;
  }
  if (!ke_cfg_rename_lock || !ke_cfg_mount_lock) dir->dir.stamp = 0;
  return 0;
}

#define KE_HINT_UNREAD 0xffffffffu

/* Id of what the name ends with, by its last eight bytes; 0 = nothing that rules name,
 * KE_HINT_UNREAD = nobody knows. */
static __always_inline __u32 open__hint(struct ke_open_state* st) {
  struct ke_hint_key key = {.bits = 64};
  __u64 len = st->name_len;
  __u64 word = 0;
  if (len >= 8) {
    if (bpf_probe_read_kernel(&word, 8, (void*)st->name + len - 8)) return KE_HINT_UNREAD;
  } else {
    /* The slash before a short name counts. */
    if (bpf_probe_read_kernel(&word, len & 7, (void*)st->name)) return KE_HINT_UNREAD;
    word = (word << 8 | '/') << (56 - 8 * (len & 7));
    key.bits = (len + 1) * 8;
  }
  word = __builtin_bswap64(word);
  __builtin_memcpy(key.bytes, &word, 8);
  __u32* id = rules__lookup(ke_r_hint, st->at, &key);
  return id ? *id : 0;
}

/* The whole path into the walker. */
static __always_inline void open__walk(struct ke_open_state* st, struct ke_walk* walk, __u32 slot) {
  if (st->walked) return;
  st->walked = 1;
  for (int attempt = 0; attempt < KE_WALK_ATTEMPTS; attempt++) {
    __u32 rename_seq = rename__seq();
    __u32 mount_seq = mount__seq();
    walk->dentry = (void*)st->file_dentry;
    struct vfsmount* mnt = (void*)st->file_mnt;
    walk->mnt = mnt;
    walk->mnt_root = BPF_CORE_READ(mnt, mnt_root);
    walk->root_dentry = (void*)st->dir.root_dentry;
    walk->root_mnt = (void*)st->dir.root_mnt;
    walk->off = KE_PATH_MAX;
    walk->base = 0;
    st->walk = path__walk(slot);
    if (rename__seq() == rename_seq && mount__seq() == mount_seq && !(rename_seq & 1) &&
        !(mount_seq & 1))
      return;
  }
  st->walk |= KE_WALK_UNSTABLE;
}

/* The name could not be read: user space has to judge. */
static __always_inline int open__unread(__u32 cpu, struct ke_filter* f) {
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (stats) site__count(stats, KE_SITE_NAME_READ);
  f->undecided = 1;
  return 1;
}

/* Which clauses hold for this open, into the filter's acc; 0 = none. */
__weak __noinline int open__judge(__u32 cpu) {
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
  row__copy(&f->acc, &who->row);
  f->undecided = who->undecided;
  __u32 base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_ACCESS];
  if (base && !filter__and(slot, at, base + (st->access & 127))) return 0;
  if (dir->flags & KE_DIR_UNSURE) {
    f->undecided = 1;
    return 1;
  }
  base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_EXACT];
  if (base) {
    f->name_len = st->name_len;
    __u64 len = ke_bound(st->name_len, KE_NAME_MAX);
    if (bpf_probe_read_kernel(&f->name[ke_bound(KE_NAME_END - len, KE_NAME_END)], len,
                              (void*)st->name))
      return open__unread(cpu, f);
    f->hash_a = dir->hash_a;
    f->hash_b = dir->hash_b;
    hash__name(slot);
    __u32 id = string__id(f, bpf_map_lookup_elem(&ke_r_exact, &at));
    if (st->alias == id) st->alias = 0;
    if (!filter__either(slot, at, base, id, st->alias)) return 0;
  }
  base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_PREFIX];
  st->alias_prefix = dir->alias_prefix;
  if (base && !(dir->flags & KE_DIR_PARTIAL) &&
      !filter__either(slot, at, base, dir->prefix, dir->alias_prefix))
    return 0;
  __u32 hints = cfg->base[KE_RC_OPEN][KE_DIM_FILE_HINT];
  __u32 hint = hints ? open__hint(st) : 0;
  if (hint == KE_HINT_UNREAD) return open__unread(cpu, f);
  if (hints && !filter__and(slot, at, hints + hint)) return 0;
  __u32 number = cfg->suffix_row;
  struct ke_row* suffixes = number ? rules__lookup(ke_r_rows, at, &number) : NULL;
  bool suffix = suffixes && row__meets(&f->acc, suffixes);
  if (!suffix && !(base && dir->flags & KE_DIR_PARTIAL)) return 1;
  open__walk(st, walk, slot);
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED | KE_WALK_UNSTABLE)) {
    f->undecided = 1;
    return 1;
  }
  if (walk->off == KE_PATH_MAX) { /* the root, which the walker leaves empty */
    walk->path[KE_PATH_MAX - 1] = '/';
    walk->off = KE_PATH_MAX - 1;
  }
  if (base && dir->flags & KE_DIR_PARTIAL &&
      !filter__either(slot, at, base, prefix__id(f, walk, at, false), dir->alias_prefix))
    return 0;
  base = cfg->base[KE_RC_OPEN][KE_DIM_FILE_SUFFIX];
  return base ? filter__and(slot, at, base + suffix__id(f, walk, at)) : 1;
}

static __always_inline __u32 open__access(struct file* file) {
  __u32 mode = file->f_mode;
  __u32 flags = file->f_flags;
  __u32 access = mode & (FMODE_READ_BIT | FMODE_WRITE_BIT);
  if (mode & FMODE_CREATED_BIT) access |= KE_FILE_CREATED;
  if (flags & O_TRUNC_BIT) access |= KE_FILE_TRUNCATE;
  if (flags & O_APPEND_BIT) access |= KE_FILE_APPEND;
  if (mode & FMODE_EXEC_BIT || flags & FMODE_EXEC_BIT) access |= KE_FILE_EXEC;
  if (flags & O_TMPFILE_BIT) access |= KE_FILE_TMPFILE;
  return access;
}

/* The name that the file is opened by, and its directory: a file that something is mounted on is
 * known by the place that it covers. */
static __always_inline void open__place(struct ke_open_state* st, struct file* file) {
  struct dentry* dentry = file->f_path.dentry;
  struct vfsmount* mnt = file->f_path.mnt;
  struct dentry* parent = dentry->d_parent;
  st->file_dentry = (__u64)dentry;
  st->file_mnt = (__u64)mnt;
  st->name = (__u64)dentry->d_name.name;
  st->name_len = dentry->d_name.len;
  st->dir.dentry = (__u64)parent;
  st->dir.mnt = (__u64)mnt;
  st->dir.ino = parent->d_inode ? parent->d_inode->i_ino : 0;
  st->dir.parent = (__u64)parent->d_parent;
  st->dir.name_hash = parent->d_name.hash;
  st->covered = 0;
  if (dentry != mnt->mnt_root) return;
  st->covered = 1;
  for (int i = 0; i < 8; i++) {
    struct mount* m = container_of((struct vfsmount*)st->file_mnt, struct mount, mnt);
    struct mount* above = BPF_CORE_READ(m, mnt_parent);
    if (st->file_dentry != (__u64)BPF_CORE_READ(m, mnt.mnt_root)) break;
    if (above == m || !above) break;
    if (st->file_dentry == st->dir.root_dentry && st->file_mnt == st->dir.root_mnt) break;
    st->file_dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
    st->file_mnt = (__u64)above + bpf_core_field_offset(struct mount, mnt);
  }
  dentry = (void*)st->file_dentry;
  st->name = (__u64)BPF_CORE_READ(dentry, d_name.name);
  st->name_len = BPF_CORE_READ(dentry, d_name.len);
  parent = BPF_CORE_READ(dentry, d_parent);
  st->dir.dentry = (__u64)parent;
  st->dir.mnt = st->file_mnt;
  st->dir.ino = BPF_CORE_READ(parent, d_inode, i_ino);
  st->dir.parent = (__u64)BPF_CORE_READ(parent, d_parent);
  st->dir.name_hash = BPF_CORE_READ(parent, d_name.hash);
}

static __always_inline __u32 open__flags(struct ke_open_state* st, struct ke_filter* f,
                                         struct file* file) {
  struct inode* inode = file->f_inode;
  __u32 flags = 0;
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED)) flags |= KE_FILE_PATH_CUT;
  if (st->walk & KE_WALK_UNSTABLE) flags |= KE_FILE_PATH_UNSTABLE;
  if (st->walk & KE_WALK_UNREACHABLE) flags |= KE_FILE_PATH_UNREACHABLE;
  if (inode->i_nlink == 0 || !file->f_path.dentry->d_hash.pprev) flags |= KE_FILE_DELETED;
  if (file__is_memfd(file, inode)) flags |= KE_FILE_MEMFD;
  if (inode__on_overlay_upper(inode)) flags |= KE_FILE_OVERLAY_UPPER;
  if (f->undecided) flags |= KE_FILE_UNDECIDED;
  return flags;
}

static __always_inline void open__report(struct ke_cpu_stats* stats, __u32 cpu,
                                         struct ke_open_state* st, struct file* file) {
  __u32 slot = open__slot(cpu);
  struct ke_open_rec* rec = bpf_map_lookup_elem(&ke_open_recs, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!rec || !f || !walk) return;
  struct ke_file_open* out = &rec->fixed;
  struct inode* inode = file->f_inode;
  event__begin(stats, &out->hdr, cpu, KE_FILE_OPEN);
  out->hdr.epoch = KE_STAMP_EPOCH(st->stamp);
  out->tgid = st->tgid;
  out->tid = (__u32)bpf_get_current_pid_tgid();
  out->start_ns = st->start_ns;
  out->cgroup_id = st->cgroup_id;
  if (current__is_typed()) {
    struct task_struct* task = current__typed();
    const struct cred* cred = file->f_cred;
    task__creds(&out->creds, cred);
    task__namespaces(&out->ns, task, cred);
    task__ns_pid(task, &out->ns.pid);
  } else {
    __u32 unused;
    open__creds(&out->creds, &out->ns, &unused, &unused);
  }
  out->ino = inode->i_ino;
  out->dev = inode->i_sb->s_dev;
  out->mode = inode->i_mode;
  out->uid = inode->i_uid.val;
  out->gid = inode->i_gid.val;
  out->nlink = inode->i_nlink;
  out->access = st->access;
  out->alias = st->alias;
  out->alias_prefix = st->alias_prefix;
  out->pad = 0;
  row__copy(&rec->clauses, &f->acc);
  out->clauses.off = KE_OFFSETOF(struct ke_open_rec, clauses);
  out->clauses.len = sizeof(rec->clauses);
  open__walk(st, walk, slot);
  /* The tree changed since the open was judged: the path may be another one by now. */
  if (((__u64)rename__seq() << 32 | mount__seq()) != st->dir.seqs) st->walk |= KE_WALK_UNSTABLE;
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED | KE_WALK_UNSTABLE)) f->undecided = 1;
  out->flags = open__flags(st, f, file);
  if (f->undecided) site__count(stats, KE_SITE_RULES_UNDECIDED);
  __u64 start = ke_bound(walk->off, KE_PATH_MAX);
  __u64 len = ke_bound(KE_PATH_MAX - start, KE_PATH_MAX);
  if (len == 0) {
    rec->path[0] = '/';
    len = 1;
  } else {
    bpf_probe_read_kernel(rec->path, len, &walk->path[start]);
  }
  out->path.off = KE_OFFSETOF(struct ke_open_rec, path);
  out->path.len = len;
  event__send_bulk(stats, rec, ke_bound(KE_OFFSETOF(struct ke_open_rec, path) + len, sizeof(*rec)));
}

static __always_inline bool open__alias(struct ke_open_state* st, struct inode* inode) {
  struct ke_ident_key key = {.ino = inode->i_ino, .dev = inode->i_sb->s_dev};
  struct ke_ident* ident = rules__lookup(ke_r_idents, st->at, &key);
  st->alias = ident ? ident->exact : 0;
  return st->alias != 0;
}

#endif
