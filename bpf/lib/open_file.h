/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the hook reads of an opened file, before it is judged and for the record.
 */
#ifndef KE_OPEN_FILE_H
#define KE_OPEN_FILE_H

#include "bpf/lib/open.h"

struct ke_open_rec {
  struct ke_file_open fixed;
  struct ke_row clauses;
  __u8 path[KE_PATH_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_open_rec);
} ke_open_recs SEC(".maps");

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

/* Where the name stands, when nothing is mounted on it. */
static __always_inline void open__name_place(struct ke_open_state* st, struct dentry* dentry,
                                             struct dentry* parent, struct vfsmount* mnt) {
  st->file_dentry = (__u64)dentry;
  st->file_mnt = (__u64)mnt;
  st->name = (__u64)dentry->d_name.name;
  st->name_len = dentry->d_name.len;
  st->dir.at.dentry = (__u64)parent;
  st->dir.at.mnt = (__u64)mnt;
  st->dir.at.ino = parent->d_inode ? parent->d_inode->i_ino : 0;
  st->dir.at.parent = (__u64)parent->d_parent;
  st->dir.at.name_hash = parent->d_name.hash;
  st->covered = 0;
}

/* The name that the file is opened by, and its directory: a file that something is mounted on is
 * known by the place that it covers. */
static __always_inline void open__place(struct ke_open_state* st, struct file* file,
                                        struct dentry* dentry) {
  struct vfsmount* mnt = file->f_path.mnt;
  struct dentry* parent = dentry->d_parent;
  open__name_place(st, dentry, parent, mnt);
  if (dentry != mnt->mnt_root) return;
  st->covered = 1;
  for (int i = 0; i < 8; i++) {
    struct mount* m = container_of((struct vfsmount*)st->file_mnt, struct mount, mnt);
    struct mount* above = BPF_CORE_READ(m, mnt_parent);
    if (st->file_dentry != (__u64)BPF_CORE_READ(m, mnt.mnt_root)) break;
    if (above == m || !above) break;
    if (st->file_dentry == st->dir.at.root_dentry && st->file_mnt == st->dir.at.root_mnt) break;
    st->file_dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
    st->file_mnt = (__u64)above + bpf_core_field_offset(struct mount, mnt);
  }
  dentry = (void*)st->file_dentry;
  st->name = (__u64)BPF_CORE_READ(dentry, d_name.name);
  st->name_len = BPF_CORE_READ(dentry, d_name.len);
  parent = BPF_CORE_READ(dentry, d_parent);
  st->dir.at.dentry = (__u64)parent;
  st->dir.at.mnt = st->file_mnt;
  st->dir.at.ino = BPF_CORE_READ(parent, d_inode, i_ino);
  st->dir.at.parent = (__u64)BPF_CORE_READ(parent, d_parent);
  st->dir.at.name_hash = BPF_CORE_READ(parent, d_name.hash);
}

static __always_inline __u32 open__flags(struct file* file, struct inode* inode,
                                         unsigned long magic, __u32 nlink) {
  __u32 flags = 0;
  if (nlink == 0 || !file->f_path.dentry->d_hash.pprev) flags |= KE_FILE_DELETED;
  if (file__is_memfd(file, magic)) flags |= KE_FILE_MEMFD;
  if (magic == OVERLAYFS_MAGIC && inode__on_overlay_upper(inode)) flags |= KE_FILE_OVERLAY_UPPER;
  return flags;
}

#define KE_SHORT 32

/* Copies `len` bytes; of short strings always KE_SHORT, at a tenth of a helper's price. */
static __always_inline void text__copy(__u8* to, const __u8* from, __u64 len, __u64 most) {
  if (len > KE_SHORT) {
    bpf_probe_read_kernel(to, ke_bound(len, most), from);
    return;
  }
#pragma unroll
  for (int i = 0; i < KE_SHORT; i += 8)
    *(volatile __u64*)(to + i) = *(const volatile __u64*)(from + i);
}

/* The file's path into the record; returns its length. */
static __always_inline __u64 open__path(struct ke_open_state* st, struct ke_open_rec* rec,
                                        struct ke_filter* f, const struct ke_dir_slot* dir,
                                        __u32 slot) {
  __u64 dir_len = dir->text_len;
  __u64 len = st->name_len;
  asm volatile("" : "+r"(dir_len), "+r"(len));
  if (!st->walked && dir_len <= KE_DIR_TEXT && len <= KE_NAME_MAX && open__composes(st, dir) &&
      open__name(st, f)) {
    st->walk = dir->walk;
    st->composed = 1;
    text__copy(rec->path, dir->text, dir_len, KE_DIR_TEXT);
    text__copy(&rec->path[dir_len + 1], &f->name[ke_bound(KE_NAME_END - len, KE_NAME_END)], len,
               KE_NAME_MAX);
    rec->path[dir_len] = '/';
    return dir_len + 1 + len;
  }
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  if (!walk) return 0;
  open__walk(st, walk, dir, slot);
  __u64 start = ke_bound(walk->off, KE_PATH_MAX);
  len = ke_bound(KE_PATH_MAX - start, KE_PATH_MAX);
  if (len == 0) {
    rec->path[0] = '/';
    return 1;
  }
  bpf_probe_read_kernel(rec->path, len, &walk->path[start]);
  return len;
}

/* Did the path change since the open was judged? Of a composed one the directory's part was right
 * when the hook began, and the file was in it under that name all the time. */
static __always_inline bool open__moved(const struct ke_open_state* st, struct dentry* dentry) {
  if (st->composed && !st->covered)
    return dentry->d_seq.seqcount.sequence != st->name_seq || st->name_seq & 1;
  __u64 seqs = tree__seqs();
  return seqs != st->dir.at.seqs || seqs & KE_SEQS_ODD;
}

/* Who opens: all of the record that is not about the file. */
static __always_inline void open__subject(struct ke_cpu_stats* stats, __u32 cpu,
                                          const struct ke_open_state* st,
                                          struct ke_file_open* out) {
  event__begin(stats, &out->hdr, cpu, KE_FILE_OPEN);
  out->hdr.epoch = KE_STAMP_EPOCH(st->stamp);
  out->tgid = st->tgid;
  out->tid = st->tid;
  out->start_ns = st->start_ns;
  out->cgroup_id = current__cgroup_id();
  out->access = st->access;
  out->verdict = st->verdict;
  out->alias = st->alias;
  out->alias_prefix = st->alias_prefix;
}

/* What of the record stands once its path does, and off it goes. `flags`: KE_FILE_*, of the file.
 * False = there was no room for it. */
static __always_inline bool open__send(struct ke_cpu_stats* stats, struct ke_open_state* st,
                                       struct ke_filter* f, struct ke_open_rec* rec, __u64 len,
                                       __u32 flags) {
  struct ke_file_open* out = &rec->fixed;
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED | KE_WALK_UNSTABLE)) f->undecided = 1;
  if (st->walk & (KE_WALK_CUT | KE_WALK_FAILED)) flags |= KE_FILE_PATH_CUT;
  if (st->walk & KE_WALK_UNSTABLE) flags |= KE_FILE_PATH_UNSTABLE;
  if (st->walk & KE_WALK_UNREACHABLE) flags |= KE_FILE_PATH_UNREACHABLE;
  if (f->undecided) {
    flags |= KE_FILE_UNDECIDED;
    site__count(stats, KE_SITE_RULES_UNDECIDED);
  }
  out->flags = flags;
  out->path.off = KE_OFFSETOF(struct ke_open_rec, path);
  out->path.len = len;
  return event__send(stats, rec,
                     ke_bound(KE_OFFSETOF(struct ke_open_rec, path) + len, sizeof(*rec)), f->send);
}

static __always_inline void open__clauses(struct ke_open_rec* rec, const struct ke_filter* f) {
  row__copy(&rec->clauses, &f->acc);
  rec->fixed.clauses.off = KE_OFFSETOF(struct ke_open_rec, clauses);
  rec->fixed.clauses.len = sizeof(rec->clauses);
}

/* Returns whether there was room for the record. */
static __always_inline bool open__report(struct ke_cpu_stats* stats, __u32 cpu,
                                         struct ke_open_state* st, struct ke_filter* f,
                                         const struct ke_dir_slot* dir, struct file* file) {
  struct ke_open_rec* rec = bpf_map_lookup_elem(&ke_open_recs, &cpu);
  if (!rec) return false;
  struct ke_file_open* out = &rec->fixed;
  struct inode* inode = file->f_inode;
  struct super_block* sb = inode->i_sb;
  open__subject(stats, cpu, st, out);
  const struct cred* cred = file->f_cred;
  task__creds(&out->creds, cred);
  if (current__is_typed()) {
    struct task_struct* task = current__typed();
    task__namespaces(&out->ns, task, cred);
    task__ns_pid(task, &out->ns.pid);
  } else {
    untyped__namespaces(&out->ns, cred);
  }
  out->ino = inode->i_ino;
  out->dev = sb->s_dev;
  out->mode = inode->i_mode;
  out->uid = inode->i_uid.val;
  out->gid = inode->i_gid.val;
  __u32 nlink = out->nlink = inode->i_nlink;
  unsigned long magic = sb->s_magic;
  open__clauses(rec, f);
  __u64 len = open__path(st, rec, f, dir, open__slot(cpu));
  if (open__moved(st, file->f_path.dentry)) st->walk |= KE_WALK_UNSTABLE;
  return open__send(stats, st, f, rec, len, open__flags(file, inode, magic, nlink));
}

/* A creation, before there is a file to tell of. */
static __always_inline bool create__report(struct ke_cpu_stats* stats, __u32 cpu,
                                           struct ke_open_state* st, struct ke_filter* f,
                                           const struct ke_dir_slot* dir, struct dentry* dentry,
                                           __u32 mode) {
  struct ke_open_rec* rec = bpf_map_lookup_elem(&ke_open_recs, &cpu);
  if (!rec) return false;
  struct ke_file_open* out = &rec->fixed;
  __u32 unused;
  open__subject(stats, cpu, st, out);
  current__read(&out->creds, &out->ns, &unused, &unused);
  out->access = KE_FILE_CREATED; /* it was judged as writing; what it was to be, nobody knows */
  out->ino = 0;
  out->dev = dentry->d_parent->d_inode->i_sb->s_dev;
  out->mode = mode;
  out->uid = out->creds.fsuid;
  out->gid = out->creds.fsgid;
  out->nlink = 0;
  open__clauses(rec, f);
  __u64 len = open__path(st, rec, f, dir, open__slot(cpu));
  if (open__moved(st, dentry)) st->walk |= KE_WALK_UNSTABLE;
  return open__send(stats, st, f, rec, len, 0);
}

#define MNT_NS_INTERNAL_VALUE (-22ll) /* fs/mount.h: ERR_PTR(-EINVAL) */

/* Is it the opening of a layer's file by overlayfs itself, on a mount that nobody else has:
 * copy-up? What a process asked for is the overlay's file, and judged as that. */
static __always_inline bool open__is_layer(struct file* file) {
  struct vfsmount* mnt = file->f_path.mnt;
  struct mount* m = container_of(mnt, struct mount, mnt);
  return (__s64)BPF_CORE_READ(m, mnt_ns) == MNT_NS_INTERNAL_VALUE &&
         !(mnt->mnt_flags & MNT_INTERNAL_FLAG);
}

#endif
