/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The executed file and the working directory, for exec and for the iterator. */
#ifndef KE_IMAGE_H
#define KE_IMAGE_H

#include "bpf/lib/path.h"
#include "bpf/lib/task.h"

#define S_IFMT_BITS 0170000
#define S_IFREG_BITS 0100000
#define S_IFBLK_BITS 0060000
#define S_IFDIR_BITS 0040000
#define S_IFCHR_BITS 0020000
#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define MNT_INTERNAL_FLAG 0x4000
#define MNT_NOSUID_FLAG 0x01

/* Keeps the compiler from dropping a bound that the verifier has to see, and from testing a
 * shifted copy: 64 bits wide, opaque on both sides of the test. */
#define ke_bound(x, max)         \
  ({                             \
    __u64 _b = (x);              \
    asm volatile("" : "+r"(_b)); \
    if (_b > (max)) _b = (max);  \
    asm volatile("" : "+r"(_b)); \
    _b;                          \
  })

/* Copies the walker's string into the record at `off`; returns its length. */
static __always_inline __u64 rec__path(struct ke_scratch* scratch, struct ke_walk* walk,
                                       __u64 off) {
  __u64 start = walk->off;
  __u64 len = ke_bound(KE_PATH_MAX - start, KE_PATH_MAX);
  off = ke_bound(off, KE_SCRATCH_HEAD);
  if (len == 0) { /* the root itself */
    scratch->rec[off] = '/';
    return 1;
  }
  bpf_probe_read_kernel(&scratch->rec[off], len, &walk->path[ke_bound(start, KE_PATH_MAX)]);
  return len;
}

static __always_inline bool file__is_memfd(struct file* file, unsigned long magic) {
  char name[6];
  if (magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC) return false;
  if (!(file->f_path.mnt->mnt_flags & MNT_INTERNAL_FLAG)) return false;
  if (bpf_probe_read_kernel(name, sizeof(name), file->f_path.dentry->d_name.name)) return false;
  return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
         name[5] == ':';
}

/* overlayfs keeps, right behind its inode, the dentry on the upper layer: none = the file comes
 * from a lower one (struct ovl_inode, the same from 4.19 to 7.2). Its type is in the module's BTF,
 * which is not there before the module is. */
static __always_inline bool inode__on_overlay_upper(struct inode* inode) {
  void* upper = NULL;
  if (inode->i_sb->s_magic != OVERLAYFS_MAGIC) return false;
  bpf_probe_read_kernel(&upper, sizeof(upper), (void*)inode + bpf_core_type_size(struct inode));
  return upper != NULL;
}

static __always_inline void image__file(struct ke_process* rec, struct file* file) {
  struct inode* inode = file->f_inode;
  struct dentry* dentry = file->f_path.dentry;
  rec->exe_ino = inode->i_ino;
  rec->exe_dev = inode->i_sb->s_dev;
  rec->exe_mode = inode->i_mode;
  if (inode->i_nlink == 0 || !dentry->d_hash.pprev) rec->flags |= KE_F_DELETED;
  if (file__is_memfd(file, inode->i_sb->s_magic)) rec->flags |= KE_F_MEMFD;
  if (inode__on_overlay_upper(inode)) rec->flags |= KE_F_OVERLAY_UPPER;
}

#define KE_F_PATHS                                                                   \
  (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE | KE_F_BINARY_UNREACHABLE | KE_F_CWD_CUT | \
   KE_F_CWD_UNSTABLE | KE_F_CWD_UNREACHABLE)

static __always_inline __u64 image__walk(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                         __u32 slot, struct file* file, struct fs_struct* fs) {
  struct ke_process* rec = (void*)scratch->rec;
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  __u64 off = sizeof(*rec);
  if (!walk) return off;
  /* The binary last: its path stays in the walker, for who judges it. */
  __u32 done = path__resolve(stats, walk, slot, &fs->pwd, fs);
  rec->flags &= ~KE_F_PATHS; /* of an earlier attempt */
  rec->cwd.off = off;
  rec->cwd.len = rec__path(scratch, walk, off);
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) rec->flags |= KE_F_CWD_CUT;
  if (done & KE_WALK_UNREACHABLE) rec->flags |= KE_F_CWD_UNREACHABLE;
  off += rec->cwd.len;

  done = path__resolve(stats, walk, slot, &file->f_path, fs);
  rec->binary.off = off;
  rec->binary.len = rec__path(scratch, walk, off);
  if (done & (KE_WALK_CUT | KE_WALK_FAILED)) rec->flags |= KE_F_BINARY_CUT;
  if (done & KE_WALK_UNREACHABLE) rec->flags |= KE_F_BINARY_UNREACHABLE;
  return off + rec->binary.len;
}

/* Appends binary and cwd to the record; returns the offset behind them, and the tree's sequence
 * numbers that both are of. `slot` is the scratch's index. Repeated while renames or mounts change
 * the tree under the walks. */
static __always_inline __u64 image__paths(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                          __u32 slot, struct file* file, struct fs_struct* fs,
                                          __u64* seqs) {
  struct ke_process* rec = (void*)scratch->rec;
  struct dentry* pwd = fs->pwd.dentry;
  __u64 off = 0;
  int attempt = 0;
  for (; attempt < KE_WALK_ATTEMPTS; attempt++) {
    *seqs = tree__seqs();
    off = image__walk(stats, scratch, slot, file, fs);
    if (tree__seqs() == *seqs && !(*seqs & KE_SEQS_ODD)) break;
  }
  if (attempt == KE_WALK_ATTEMPTS) {
    rec->flags |= KE_F_BINARY_UNSTABLE | KE_F_CWD_UNSTABLE;
    site__count(stats, KE_SITE_PATH_UNSTABLE);
  }
  if (!pwd->d_hash.pprev && pwd->d_parent != pwd) rec->flags |= KE_F_CWD_DELETED;
  return off;
}

#endif
