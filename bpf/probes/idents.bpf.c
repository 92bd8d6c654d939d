/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/output.h"
#include "bpf/lib/trust.h"

/*
 * Which inodes the sensor's own descriptors lead to, as the hooks see them: stat(2) tells other
 * numbers on overlayfs and btrfs.
 */
SEC("iter/task_file")
int idents__iter(struct bpf_iter__task_file* ctx) {
  struct task_struct* task = ctx->task;
  struct file* file = ctx->file;
  __u32 fd = ctx->fd;
  __u32 reader = bpf_get_current_pid_tgid() >> 32; /* the program runs in who reads it */
  if (!task || !file || (__u32)task->tgid != reader || task->pid != task->tgid) return 0;
  struct inode* inode = file->f_inode;
  struct ke_file_ident ident = {};
  ident.hdr.type = KE_EXISTING;
  ident.hdr.size = sizeof(ident);
  ident.fd = fd;
  ident.key.ino = inode->i_ino;
  ident.key.dev = inode->i_sb->s_dev;
  version__read(inode, &ident.version);
  bpf_seq_write(ctx->meta->seq, &ident, sizeof(ident));
  return 0;
}
