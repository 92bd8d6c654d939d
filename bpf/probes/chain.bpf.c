/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/chain.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static const struct ke_chain_entry kEmpty = {};

/*
 * Called once for the file that exec was asked for and once more for each interpreter. fentry and
 * not the LSM hook: it needs no 'bpf' in the kernel's lsm= list. The stack has no room for an
 * entry, so a new one is made from the read-only empty one.
 */
SEC("fentry/security_bprm_check")
int BPF_PROG(chain__fentry, struct linux_binprm* bprm) {
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  const char* interp = bprm->interp;
  struct ke_chain_entry* chain = bpf_map_lookup_elem(&ke_chain, &tid);
  if (interp == bprm->filename) { /* a new exec: what a failed one left is void */
    if (chain) chain->count = chain->len = 0;
    return 0;
  }
  if (!chain) {
    bpf_map_update_elem(&ke_chain, &tid, &kEmpty, BPF_ANY);
    chain = bpf_map_lookup_elem(&ke_chain, &tid);
  }
  struct ke_cpu_stats* stats = stats__this_cpu();
  if (!stats) return 0;
  if (!chain || chain->count >= KE_CHAIN_MAX) {
    __sync_fetch_and_add(&stats->sites[KE_SITE_CHAIN_FULL], 1);
    return 0;
  }
  __u64 at = ke_bound(chain->len, KE_CHAIN_MAX * KE_INTERP_MAX);
  long len = bpf_probe_read_kernel_str(&chain->names[at], KE_INTERP_MAX, interp);
  if (len <= 0) {
    __sync_fetch_and_add(&stats->sites[KE_SITE_SCRIPT_READ], 1);
    return 0;
  }
  chain->len = at + len;
  chain->count++;
  return 0;
}
