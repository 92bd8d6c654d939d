/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/lib/chain.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static const struct ke_chain_entry kEmpty = {};

/*
 * Called once for each interpreter that an exec comes to, so that other execs pay nothing. Before
 * the first one bprm->interp still is the file that was asked for: what an earlier exec that failed
 * left is void then. The stack has no room for an entry: a new one is made from the read-only
 * empty one. Can be preempted, by another task with another key.
 */
SEC("fentry/bprm_change_interp")
int BPF_PROG(chain__fentry, const char* interp, struct linux_binprm* bprm) {
  __u32 tid = (__u32)bpf_get_current_pid_tgid();
  if (bprm->interp == bprm->filename) bpf_map_update_elem(&ke_chain, &tid, &kEmpty, BPF_ANY);
  struct ke_chain_entry* chain = bpf_map_lookup_elem(&ke_chain, &tid);
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
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
