/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rules make the kernel do: decided from the clauses that hold, done by the hook, told in the
 * record as KE_VERDICT_*.
 */
#ifndef KE_ACT_H
#define KE_ACT_H

#include "bpf/lib/filter.h"
#include "bpf/lib/trust.h"

#define KE_EPERM 1
#define KE_EOPNOTSUPP 95
#define KE_ESTALE 116
#define PF_IO_WORKER_BIT 0x00000010

#define KE_MEETS_LIVE 1u
#define KE_MEETS_QUIET 2u

/* Does a clause that holds belong to the row, and is one of them there that isn't quiet? */
static __always_inline __u32 act__meets(const struct ke_row* acc, const struct ke_row* row,
                                        const struct ke_row* quiet) {
  __u64 live = 0, watched = 0;
#pragma clang loop unroll(disable)
  for (int w = 0; w < KE_WORDS; w++) {
    __u64 held = acc->words[w] & row->words[w];
    live |= held & ~quiet->words[w];
    watched |= held & quiet->words[w];
  }
  return (live ? KE_MEETS_LIVE : 0) | (watched ? KE_MEETS_QUIET : 0);
}

/* How the record of what the filter's acc has is sent. In doubt as a strict rule's: acc then holds
 * more than is true. */
static __always_inline __u32 act__send(const struct ke_filter* f, const struct ke_rule_config* cfg,
                                       const struct ke_acts* acts, void* rows) {
  __u32 number = acts->strict;
  struct ke_row* row = number ? bpf_map_lookup_elem(rows, &number) : NULL;
  if (row && row__meets(&f->acc, row)) return KE_SEND_URGENT | KE_SEND_STRICT;
  number = acts->urgent;
  row = bpf_map_lookup_elem(rows, &number);
  if (!row || !row__meets(&f->acc, row)) return 0;
  return cfg->strict ? KE_SEND_URGENT | KE_SEND_SPARING : KE_SEND_URGENT;
}

/* The verdict on what the filter's acc has; 0 = nobody acts. Changes the filter's `send`, which is
 * KE_SEND_URGENT before, where not all records of the class are sent alike. A function of its own:
 * hooks have one place for it, and no stack. */
__weak __noinline int act__decide(__u32 slot, __u32 at, __u32 class) {
  struct ke_rule_config* cfg = rules__config(at);
  if (!cfg) return 0;
  const struct ke_acts* acts = &cfg->acts[class & (KE_RC_MAX - 1)];
  __u32 number = acts->any;
  if (!number && !acts->urgent) return 0;
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &at);
  if (!f || !rows) return 0;
  if (acts->urgent) f->send = act__send(f, cfg, acts, rows);
  if (!number) return 0;
  struct ke_row* acting = bpf_map_lookup_elem(rows, &number);
  if (!acting || !row__meets(&f->acc, acting)) return 0;
  number = acts->quiet;
  struct ke_row* quiet = bpf_map_lookup_elem(rows, &number);
  if (!quiet) return 0;
  __u32 verdict = 0;
  number = acts->deny;
  struct ke_row* row = number ? bpf_map_lookup_elem(rows, &number) : NULL;
  if (row) {
    __u32 meets = act__meets(&f->acc, row, quiet);
    if (meets & KE_MEETS_LIVE) verdict |= KE_VERDICT_DENIED;
    if (meets & KE_MEETS_QUIET) verdict |= KE_VERDICT_WOULD_DENY;
  }
  for (int i = 0; i < KE_SIGNALS_MAX; i++) {
    number = acts->signals[i];
    row = number ? bpf_map_lookup_elem(rows, &number) : NULL;
    if (!row) continue;
    __u32 meets = act__meets(&f->acc, row, quiet);
    __u32 signal = cfg->signals[i] & 0x7f;
    if (meets & KE_MEETS_LIVE && !(verdict & KE_VERDICT_SIGNALED))
      verdict |= KE_VERDICT_SIGNALED | signal << 8;
    if (meets & KE_MEETS_QUIET && !(verdict & KE_VERDICT_WOULD_SIGNAL))
      verdict |= KE_VERDICT_WOULD_SIGNAL | signal << 16;
  }
  return verdict;
}

#define KE_VERDICT_LIVE (KE_VERDICT_DENIED | KE_VERDICT_SIGNALED)
#define KE_VERDICT_SIGNAL_BITS (0x7fu << 8)
#define KE_VERDICT_ERRNO_BITS (0xffu << 24)

/* PID 1, what of the kernel's own carries no user's memory, and trusted programs. Workers of
 * io_uring are judged: they are threads of the process that owns the ring (5.12 and later, and
 * 5.10.162 and later), before that kernel threads that borrow its memory. */
static __always_inline bool act__is_exempt(__u32 tgid) {
  if (tgid == 1) return true;
  struct task_struct* task = (void*)bpf_get_current_task();
  __u32 flags = BPF_CORE_READ(task, flags);
  if (flags & PF_KTHREAD) return !(flags & PF_IO_WORKER_BIT);
  return trust__is_current();
}

/* Sends the signal that the verdict says; returns what came of it. */
static __always_inline __u32 act__signal(__u32 verdict) {
  if (!(verdict & KE_VERDICT_SIGNALED)) return verdict;
  long err = bpf_send_signal(KE_VERDICT_SIGNAL(verdict));
  if (!err) return verdict;
  return (verdict & ~KE_VERDICT_SIGNALED) | KE_VERDICT_FAILED | (__u32)(-err & 0xff) << 24;
}

/* What the rules' actions would have been. */
static __always_inline __u32 act__would(__u32 verdict) {
  __u32 signal = KE_VERDICT_SIGNAL(verdict);
  if (verdict & KE_VERDICT_DENIED) verdict |= KE_VERDICT_WOULD_DENY;
  if (verdict & KE_VERDICT_SIGNALED && !(verdict & KE_VERDICT_WOULD_SIGNAL))
    verdict |= KE_VERDICT_WOULD_SIGNAL | signal << 16;
  return verdict & ~(KE_VERDICT_LIVE | KE_VERDICT_SIGNAL_BITS);
}

/* Does what can be done; returns what was. A refusal is the hook's to return: `may_deny`. */
static __always_inline __u32 act__perform(__u32 verdict, __u32 tgid, bool certain, bool may_deny) {
  if (!(verdict & KE_VERDICT_LIVE)) return verdict;
  struct ke_rule_control* control = rules__control();
  if (!control || control->paused) return act__would(verdict);
  if (!certain)
    return (verdict & ~(KE_VERDICT_LIVE | KE_VERDICT_SIGNAL_BITS)) | KE_VERDICT_UNDECIDED;
  if (act__is_exempt(tgid))
    return (verdict & ~(KE_VERDICT_LIVE | KE_VERDICT_SIGNAL_BITS)) | KE_VERDICT_EXEMPT;
  verdict = act__signal(verdict);
  if (verdict & KE_VERDICT_DENIED && !may_deny)
    verdict = (verdict & ~KE_VERDICT_DENIED) | KE_VERDICT_FAILED | KE_EOPNOTSUPP << 24;
  return verdict;
}

#endif
