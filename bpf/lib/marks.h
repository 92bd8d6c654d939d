/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks that rules set on processes: ke_marks. The kernel sets a mark at the event itself, whenever
 * a clause of a rule that sets it may hold: what stands here is never less than what user space
 * will say of the process. A mark that a clause sets which is the whole rule, with all values known
 * and no end, is certain.
 *
 * A map of its own, not a part of ke_procs: whose entries are read, changed and written back whole
 * by an exec and by the iterator, while threads set marks on other CPUs. 5.10 has no atomic "or":
 * each mark is a word, stored at once.
 */
#ifndef KE_MARKS_H
#define KE_MARKS_H

#include "bpf/lib/rules.h"
#include "bpf/lib/task.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* tgid */
  __type(value, struct ke_marks);
} ke_marks SEC(".maps") __weak;

static __always_inline __u32 marks__now(void) { return bpf_ktime_get_boot_ns() / 1000000000 + 1; }

static __always_inline struct ke_marks* marks__find(__u32 tgid, __u64 start_ns) {
  struct ke_marks* marks = bpf_map_lookup_elem(&ke_marks, &tgid);
  if (!marks) return NULL;
  asm volatile("" : "+r"(marks)); /* the test of the pointer stays one of its own */
  return marks->start_ns == start_ns ? marks : NULL;
}

/* What the process carries, into the filter's words. */
__weak __noinline int marks__load(__u32 slot, __u32 tgid, __u64 start_ns) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!f) return 0;
  f->words[KE_WORD_MARKS] = KE_MARK_ALWAYS;
  f->words[KE_WORD_MARKED] = 0;
  struct ke_marks* marks = marks__find(tgid, start_ns);
  if (!marks) return 0;
  __u64 now = marks__now(); /* never 0, so that a mark that was not set has ended */
  __u64 ended = 0;
  __u64 sure = 0;
  /* Unrolled and without a branch: the verifier would take both ways of each. */
#pragma unroll
  for (__u32 i = 0; i < KE_MARKS_MAX; i++) {
    __u64 until = marks->until[i];
    ended |= ((until & KE_MARK_FOREVER) - now) >> 63 << i;
    sure |= until >> 31 << i;
    asm volatile("" : "+r"(ended), "+r"(sure)); /* or they are all kept on the stack */
  }
  f->words[KE_WORD_MARKS] = ~ended | KE_MARK_ALWAYS;
  f->words[KE_WORD_MARKED] = sure;
  return 1;
}

/* The process's entry, made when it has none. */
static __always_inline struct ke_marks* marks__entry(struct ke_filter* f, __u32 tgid,
                                                     __u64 start_ns) {
  struct ke_marks* marks = bpf_map_lookup_elem(&ke_marks, &tgid);
  __u64 flags = BPF_NOEXIST; /* another thread of it may be as far */
  if (marks) {
    asm volatile("" : "+r"(marks));
    if (marks->start_ns == start_ns) return marks;
    flags = BPF_ANY; /* of a process whose end was missed: not kept */
  }
  __builtin_memset(&f->marks, 0, sizeof(f->marks));
  f->marks.start_ns = start_ns;
  bpf_map_update_elem(&ke_marks, &tgid, &f->marks, flags);
  return bpf_map_lookup_elem(&ke_marks, &tgid);
}

/* Sets one, and notes when that is news: in the filter, the verifier would remember the outcome of
 * each. A later end stays: what a clause that only may hold says must not end what another rule has
 * said. */
static __always_inline void marks__put(struct ke_filter* f, struct ke_marks* marks,
                                       const struct ke_mark* mark, __u32 now, bool sure) {
  __u32* at = &marks->until[mark->bit & 63];
  __u32 life = mark->lifetime_s;
  __u32 had = *(volatile __u32*)at;
  __u32 until = life ? now + life : KE_MARK_FOREVER;
  if (sure && mark->certain) until |= KE_MARK_SURE;
  if (until <= had) return;
  *(volatile __u32*)at = until;
  if ((had & KE_MARK_FOREVER) < now || until & KE_MARK_SURE) f->marked = 1;
}

/* Mark i, when a clause in the filter's acc sets it; `place` is that of its rows in the index. A
 * function of its own: the verifier takes it once, not once a mark. */
__weak __noinline int marks__set_one(__u32 slot, __u32 at, __u32 place, __u32 i, __u32 tgid) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_rule_config* cfg = rules__config(at);
  struct ke_row* row = rules__row(at, place);
  if (!f || !cfg || !row || !row__meets(&f->acc, row)) return 0;
  row = rules__row(at, place + 1);
  bool sure = row && !f->undecided && row__meets(&f->acc, row);
  struct ke_marks* marks = bpf_map_lookup_elem(&ke_marks, &tgid);
  if (!marks) return 0;
  __u32 now = marks__now();
  /* Bounded by the last operation before its use, or the verifier has forgotten it; there are 63
   * marks, so that of 64 places the first is in front of them. */
  __u64 off = (i + 1) * sizeof(struct ke_mark);
  asm volatile("" : "+r"(off));
  off &= KE_MARKS_MAX * sizeof(struct ke_mark);
  const void* before = (const void*)cfg + KE_OFFSETOF(struct ke_rule_config, marks);
  marks__put(f, marks, before - sizeof(struct ke_mark) + off, now, sure);
  return 0;
}

/*
 * Sets the marks of the clauses in the filter's acc. After the event was judged: it is judged by
 * the marks before it. Before the event's time is taken, where a process has other threads that
 * fork: a child forked later has the mark then.
 */
__weak __noinline int marks__set(__u32 slot, __u32 at, __u32 class, __u32 tgid, __u64 start_ns) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_rule_config* cfg = rules__config(at);
  if (!f || !cfg) return 0;
  __u32 base = cfg->mark_base[class & (KE_RC_MAX - 1)];
  __u32 any = cfg->mark_any[class & (KE_RC_MAX - 1)];
  struct ke_row* row = base ? rules__lookup(ke_r_rows, at, &any) : NULL;
  if (!row || !row__meets(&f->acc, row)) return 0;
  if (!marks__entry(f, tgid, start_ns)) {
    struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
    if (stats) site__count(stats, KE_SITE_PROC_INSERT);
    return 0;
  }
  f->marked = 0;
  __u32 used = cfg->marks_used;
  for (__u32 i = 0; i < KE_MARKS_MAX; i++) {
    if (i >= used) break;
    marks__set_one(slot, at, base + 2 * i, i, tgid);
  }
  if (f->marked) proc__changed(tgid);
  return 1;
}

/* A child has its creator's. It has not run: nobody looks before its entry is right. */
static __always_inline void marks__fork(struct ke_cpu_stats* stats, const struct ke_fork* rec) {
  __u32 tgid = rec->tgid;
  struct ke_marks* from = marks__find(rec->creator_tgid, rec->creator_start_ns);
  if (!from) return;
  if (bpf_map_update_elem(&ke_marks, &tgid, from, BPF_ANY)) {
    site__count(stats, KE_SITE_PROC_INSERT);
    return;
  }
  struct ke_marks* child = bpf_map_lookup_elem(&ke_marks, &tgid);
  if (child) child->start_ns = rec->start_ns;
}

#endif
