/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes of files and names, before they happen. Hooks of the security modules that know the mount
 * (path_*), where there is one. Each hook is there twice: as a BPF LSM program, and as what changes
 * the return value of the function that asks the modules, for kernels where BPF LSM isn't active.
 */
#include "bpf/lib/change.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PROT_EXEC_BIT 4
#define PROT_WRITE_BIT 2
#define VM_EXEC_BIT 4
#define RENAME_EXCHANGE_BIT 2
#define ATTR_UID_BIT 2
#define ATTR_GID_BIT 4

static __always_inline int change__end(__u32 cpu) { return hook__refusal(change__run(cpu)); }

/* A change of the name `dentry` in a directory. */
static __always_inline struct ke_change_call* name__begin(__u32 cpu, __u32 change,
                                                          const struct path* dir,
                                                          struct dentry* dentry) {
  struct ke_change_call* call = change__begin(cpu, change);
  if (!call) return NULL;
  call->dentry = (__u64)dentry;
  call->parent = (__u64)dir->dentry;
  call->mnt = (__u64)dir->mnt;
  return call;
}

static __always_inline int name__gone(__u32 change, const struct path* dir, struct dentry* dentry) {
  __u32 cpu = bpf_get_smp_processor_id();
  return name__begin(cpu, change, dir, dentry) ? change__end(cpu) : 0;
}

static __always_inline int name__mkdir(const struct path* dir, struct dentry* dentry, __u32 mode) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = name__begin(cpu, KE_CHANGE_MKDIR, dir, dentry);
  if (!call) return 0;
  call->new_mode = mode & 07777;
  return change__end(cpu);
}

/* A regular file that is made is judged as its open: see open.bpf.c. */
static __always_inline int name__mknod(const struct path* dir, struct dentry* dentry, __u32 mode,
                                       __u32 dev) {
  __u32 cpu = bpf_get_smp_processor_id();
  __u32 type = mode & S_IFMT_BITS;
  if (!type || type == S_IFREG_BITS) return 0;
  struct ke_change_call* call = name__begin(cpu, KE_CHANGE_MKNOD, dir, dentry);
  if (!call) return 0;
  call->new_mode = mode & 0177777;
  if (type == S_IFCHR_BITS || type == S_IFBLK_BITS) {
    call->bits = KE_CHANGE_DEVICE;
    /* As user space passes it: new_encode_dev of linux/kdev_t.h. */
    call->rdev = (dev >> 8 & 0xfff) << 20 | (dev & 0xff) | (dev >> 12 & 0xfff00);
  }
  return change__end(cpu);
}

static __always_inline int name__symlink(const struct path* dir, struct dentry* dentry,
                                         const char* target) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = name__begin(cpu, KE_CHANGE_SYMLINK, dir, dentry);
  if (!call) return 0;
  call->text = (__u64)target;
  return change__end(cpu);
}

/* Both names are on one mount: do_linkat has compared them. */
static __always_inline int name__link(struct dentry* from, const struct path* dir,
                                      struct dentry* dentry) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = change__begin(cpu, KE_CHANGE_LINK);
  if (!call) return 0;
  call->dentry = (__u64)from;
  call->mnt = (__u64)dir->mnt;
  call->to_dentry = (__u64)dentry;
  call->to_parent = (__u64)dir->dentry;
  return change__end(cpu);
}

static __always_inline int name__rename(const struct path* from_dir, struct dentry* from,
                                        const struct path* to_dir, struct dentry* to, __u32 flags) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = name__begin(cpu, KE_CHANGE_RENAME, from_dir, from);
  if (!call) return 0;
  call->to_dentry = (__u64)to;
  call->to_parent = (__u64)to_dir->dentry;
  if (flags & RENAME_EXCHANGE_BIT)
    call->bits = KE_CHANGE_EXCHANGES;
  else if (to->d_inode)
    call->bits = KE_CHANGE_REPLACES;
  return change__end(cpu);
}

/* Two names that change places: each gets the other's. */
static __always_inline int name__exchange(const struct path* from_dir, struct dentry* from,
                                          const struct path* to_dir, struct dentry* to,
                                          __u32 flags) {
  int refused = name__rename(from_dir, from, to_dir, to, flags);
  if (refused || !(flags & RENAME_EXCHANGE_BIT)) return refused;
  return name__rename(to_dir, to, from_dir, from, flags);
}

static __always_inline struct ke_change_call* file__begin(__u32 cpu, __u32 change,
                                                          const struct path* path) {
  struct ke_change_call* call = change__begin(cpu, change);
  if (!call) return NULL;
  call->dentry = (__u64)path->dentry;
  call->mnt = (__u64)path->mnt;
  return call;
}

static __always_inline int file__chmod(const struct path* path, __u32 mode) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = file__begin(cpu, KE_CHANGE_CHMOD, path);
  if (!call) return 0;
  __u32 added = mode & ~(__u32)path->dentry->d_inode->i_mode;
  call->new_mode = mode & 07777;
  if (added & 04000) call->bits |= KE_CHANGE_SETS_SETUID;
  if (added & 02000) call->bits |= KE_CHANGE_SETS_SETGID;
  if (added & 00111) call->bits |= KE_CHANGE_MAKES_EXECUTABLE;
  return change__end(cpu);
}

static __always_inline int file__chown(const struct path* path, __u32 uid, __u32 gid) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = file__begin(cpu, KE_CHANGE_CHOWN, path);
  if (!call) return 0;
  call->new_uid = uid;
  call->new_gid = gid;
  return change__end(cpu);
}

/* chown on kernels before 6.1, which give no program a structure by value: no mount. */
static __always_inline int inode__chown(struct dentry* dentry, const struct iattr* attr) {
  __u32 cpu = bpf_get_smp_processor_id();
  __u32 valid = attr->ia_valid;
  if (!(valid & (ATTR_UID_BIT | ATTR_GID_BIT))) return 0;
  struct ke_change_call* call = change__begin(cpu, KE_CHANGE_CHOWN);
  if (!call) return 0;
  call->dentry = (__u64)dentry;
  call->new_uid = valid & ATTR_UID_BIT ? attr->ia_uid.val : ~0u;
  call->new_gid = valid & ATTR_GID_BIT ? attr->ia_gid.val : ~0u;
  return change__end(cpu);
}

static __always_inline int file__truncate(const struct path* path) {
  __u32 cpu = bpf_get_smp_processor_id();
  return file__begin(cpu, KE_CHANGE_TRUNCATE, path) ? change__end(cpu) : 0;
}

static __always_inline bool xattr__is_capability(const char* name) {
  char head[20];
  static const char capability[20] = "security.capability";
  if (bpf_probe_read_kernel_str(head, sizeof(head), name) != sizeof(head)) return false;
  const __u64* a = (const __u64*)head;
  const __u64* b = (const __u64*)capability;
  return a[0] == b[0] && a[1] == b[1] && *(const __u32*)&a[2] == *(const __u32*)&b[2];
}

static __always_inline int inode__setxattr(struct dentry* dentry, const char* name) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = change__begin(cpu, KE_CHANGE_SETXATTR);
  if (!call) return 0;
  call->dentry = (__u64)dentry;
  call->text = (__u64)name;
  if (xattr__is_capability(name)) call->bits = KE_CHANGE_CAPABILITIES;
  return change__end(cpu);
}

/* `file` as a number: it may be null, which newer kernels don't believe of a hook's argument. */
static __always_inline int memory__exec(__u64 file, __u32 prot, __u32 how) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = change__begin(cpu, KE_CHANGE_MMAP_EXEC);
  if (!call) return 0;
  call->text = file;
  struct file* at = (void*)*(volatile __u64*)&call->text;
  call->text = 0;
  call->how = how;
  if (prot & PROT_WRITE_BIT) call->bits = KE_CHANGE_WRITABLE;
  if (!at) {
    call->bits |= KE_CHANGE_ANONYMOUS;
    return change__end(cpu);
  }
  struct path path = {};
  bpf_core_read(&path, sizeof(path), &at->f_path);
  call->dentry = (__u64)path.dentry;
  call->mnt = (__u64)path.mnt;
  if (path__is_memfd(path.dentry, path.mnt)) call->bits |= KE_CHANGE_MEMFD;
  return change__end(cpu);
}

/* What is moved or mounted elsewhere isn't seen at its old place. */
static __always_inline int mount__on(const struct path* path) {
  __u32 cpu = bpf_get_smp_processor_id();
  return file__begin(cpu, KE_CHANGE_MOUNT, path) ? change__end(cpu) : 0;
}

static __always_inline int mount__gone(struct vfsmount* mnt) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_change_call* call = change__begin(cpu, KE_CHANGE_UMOUNT);
  if (!call) return 0;
  call->dentry = (__u64)mnt->mnt_root;
  call->mnt = (__u64)mnt;
  return change__end(cpu);
}

HOOK_PAIR(mount, sb_mount, mount__on(path), const char* source, const struct path* path,
          const char* type, unsigned long flags, void* data)
HOOK_PAIR(move_mount, move_mount, mount__on(to), const struct path* from, const struct path* to)
HOOK_PAIR(umount, sb_umount, mount__gone(mnt), struct vfsmount* mnt, int flags)
HOOK_PAIR(unlink, path_unlink, name__gone(KE_CHANGE_UNLINK, dir, dentry), const struct path* dir,
          struct dentry* dentry)
HOOK_PAIR(rmdir, path_rmdir, name__gone(KE_CHANGE_RMDIR, dir, dentry), const struct path* dir,
          struct dentry* dentry)
HOOK_PAIR(mkdir, path_mkdir, name__mkdir(dir, dentry, mode), const struct path* dir,
          struct dentry* dentry, unsigned short mode)
HOOK_PAIR(mknod, path_mknod, name__mknod(dir, dentry, mode, dev), const struct path* dir,
          struct dentry* dentry, unsigned short mode, unsigned int dev)
HOOK_PAIR(symlink, path_symlink, name__symlink(dir, dentry, target), const struct path* dir,
          struct dentry* dentry, const char* target)
HOOK_PAIR(link, path_link, name__link(from, dir, dentry), struct dentry* from,
          const struct path* dir, struct dentry* dentry)
HOOK_PAIR(chmod, path_chmod, file__chmod(path, mode), const struct path* path, unsigned short mode)
HOOK_PAIR(chown, path_chown, file__chown(path, uid, gid), const struct path* path, __u32 uid,
          __u32 gid)
HOOK_PAIR(setattr, inode_setattr, inode__chown(dentry, attr), struct dentry* dentry,
          const struct iattr* attr)
HOOK_PAIR(truncate, path_truncate, file__truncate(path), const struct path* path)
HOOK_PAIR(ftruncate, file_truncate, file__truncate(&file->f_path), struct file* file)

/* Arguments of some hooks differ by kernel; who loads them chooses. */

/* 5.19 and later; the function that asks the modules has the flags on all. */
HOOK_PAIR(rename, path_rename, name__exchange(from_dir, from, to_dir, to, flags),
          const struct path* from_dir, struct dentry* from, const struct path* to_dir,
          struct dentry* to, unsigned int flags)

/* Before: of an exchange the modules are asked twice. */
SEC("lsm/path_rename")
int BPF_PROG(rename_plain__lsm, const struct path* from_dir, struct dentry* from,
             const struct path* to_dir, struct dentry* to, int ret) {
  return ret ? ret : HELD(name__rename(from_dir, from, to_dir, to, 0));
}

/* 5.12 and later: a user namespace or id map comes first. */
HOOK_PAIR(setxattr, inode_setxattr, inode__setxattr(dentry, name), void* idmap,
          struct dentry* dentry, const char* name, const void* value, unsigned long size, int flags)

SEC("lsm/inode_setxattr")
int BPF_PROG(setxattr_plain__lsm, struct dentry* dentry, const char* name, const void* value,
             unsigned long size, int flags, int ret) {
  return ret ? ret : HELD(inode__setxattr(dentry, name));
}

SEC("fmod_ret/security_inode_setxattr")
int BPF_PROG(setxattr_plain__modify, struct dentry* dentry, const char* name, const void* value,
             unsigned long size, int flags, int ret) {
  return ret ? ret : inode__setxattr(dentry, name);
}

/* Access control lists, which are no attributes for the modules from 6.2 on. */
HOOK_PAIR(set_acl, inode_set_acl, inode__setxattr(dentry, name), void* idmap, struct dentry* dentry,
          const char* name, void* acl)

SEC("lsm/mmap_file")
int mmap__lsm(unsigned long long* ctx) {
  int ret = ctx[4];
  __u32 prot = ctx[2];
  if (ret || !(prot & PROT_EXEC_BIT)) return ret;
  return HELD(memory__exec(ctx[0], prot, 0));
}

/* The protection as it was asked for: what personality(2) adds to it is not known here. */
SEC("fmod_ret/security_mmap_file")
int mmap__modify(unsigned long long* ctx) {
  int ret = ctx[3];
  __u32 prot = ctx[1];
  if (ret || !(prot & PROT_EXEC_BIT)) return ret;
  return memory__exec(ctx[0], prot, 0);
}

static __always_inline int memory__protect(struct vm_area_struct* vma, __u32 prot) {
  if (!(prot & PROT_EXEC_BIT) || vma->vm_flags & VM_EXEC_BIT) return 0;
  return memory__exec((__u64)vma->vm_file, prot, KE_CHANGE_BY_MPROTECT);
}

HOOK_PAIR(mprotect, file_mprotect, memory__protect(vma, prot), struct vm_area_struct* vma,
          unsigned long reqprot, unsigned long prot)
