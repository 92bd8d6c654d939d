/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interpreters of a script that is being executed. The exec tracepoint sees only the first file
 * asked for and the last interpreter; bprm_change_interp sees each one on the way. Whoever is on
 * the way writes here (chain.bpf.c), the exec copies it. Key: the tid that called exec.
 */
#ifndef KE_CHAIN_H
#define KE_CHAIN_H

#include "bpf/lib/image.h"

#define KE_CHAIN_MAX 5    /* fs/exec.c: one more gives ELOOP */
#define KE_INTERP_MAX 256 /* BINPRM_BUF_SIZE */

struct ke_chain_entry {
  __u32 count;
  __u32 len;                                      /* used bytes of names */
  char names[(KE_CHAIN_MAX + 1) * KE_INTERP_MAX]; /* NUL-separated */
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH); /* an exec that fails leaves its entry behind */
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, struct ke_chain_entry);
} ke_chain SEC(".maps") __weak;

/* Appends the chain of `tid` to the record at `off`; returns the bytes used. */
static __always_inline __u64 chain__copy(struct ke_scratch* scratch, struct ke_process* rec,
                                         __u32 tid, __u64 off) {
  struct ke_chain_entry* chain = bpf_map_lookup_elem(&ke_chain, &tid);
  if (!chain || !chain->count) return 0;
  __u64 len = ke_bound(chain->len, KE_CHAIN_MAX * KE_INTERP_MAX);
  off = ke_bound(off, KE_SCRATCH_HEAD);
  bpf_probe_read_kernel(&scratch->rec[off], len, chain->names);
  rec->interps.off = off;
  rec->interps.len = len;
  rec->flags |= KE_F_CHAIN;
  return len;
}

#endif
