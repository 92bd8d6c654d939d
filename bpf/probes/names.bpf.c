/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names that go: what rules know of an inode may then not be true any more. */
#include "bpf/lib/image.h"
#include "bpf/lib/rules.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
