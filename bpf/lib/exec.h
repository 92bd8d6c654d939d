/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an exec makes of a process: for the hook that sees it done, and for the one that may refuse
 * it. */
#ifndef KE_EXEC_H
#define KE_EXEC_H

#include "bpf/lib/chain.h"

#define S_ISUID_BIT 04000
#define S_ISGID_BIT 02010 /* set-group-id counts with group execute only */

/*
 * What this exec gained. The credentials before it are gone when the hook runs, but their trace is
 * not: an exec changes the effective ids to the file's owner only through a set-id bit, and
 * `secureexec` is set for a user who isn't root when file capabilities reached beyond the ambient
 * ones (security/commoncap.c, cap_bprm_creds_from_file).
 */
static __always_inline void exec__gains(struct ke_process* rec, struct linux_binprm* bprm,
                                        struct inode* inode) {
  const struct ke_creds* c = &rec->creds;
  bool may_suid =
      !(bprm->file->f_path.mnt->mnt_flags & MNT_NOSUID_FLAG) && !(rec->flags & KE_F_NO_NEW_PRIVS);
  if (!may_suid) return;
  if (rec->exe_mode & S_ISUID_BIT && c->euid != c->uid && c->euid == inode->i_uid.val)
    rec->flags |= KE_F_SETUID;
  if ((rec->exe_mode & S_ISGID_BIT) == S_ISGID_BIT && c->egid != c->gid &&
      c->egid == inode->i_gid.val)
    rec->flags |= KE_F_SETGID;
  if (BPF_CORE_READ_BITFIELD(bprm, secureexec) && c->uid != 0 && c->euid != 0 &&
      (c->cap_permitted & ~c->cap_ambient))
    rec->flags |= KE_F_FILE_CAPS;
}

/* Script name and interpreters. */
static __always_inline __u64 exec__script(struct ke_cpu_stats* stats, struct ke_scratch* scratch,
                                          struct ke_process* rec, struct linux_binprm* bprm,
                                          __u32 tid, __u64 off) {
  rec->script.off = rec->interps.off = off;
  rec->script.len = rec->interps.len = 0;
  if (bprm->interp == bprm->filename) return off;
  rec->flags |= KE_F_SCRIPT;
  off = ke_bound(off, KE_SCRATCH_HEAD);
  long len = bpf_probe_read_kernel_str(&scratch->rec[off], KE_PATH_MAX, bprm->filename);
  if (len <= 0) {
    site__count(stats, KE_SITE_SCRIPT_READ);
    rec->flags |= KE_F_SCRIPT_CUT;
    return off;
  }
  rec->script.len = len - 1;
  off += ke_bound(len, KE_PATH_MAX);
  return off + chain__copy(scratch, rec, tid, off);
}

#endif
