/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which clauses can hold for a process: the intersection of the rows of all its dimensions. Global
 * functions with their state in ke_filters[slot]: the verifier takes each once (5.10 allows such
 * functions numbers only). `at` is the epoch's slot.
 */
#ifndef KE_FILTER_H
#define KE_FILTER_H

#include "bpf/lib/strings.h"
#include "bpf/lib/task.h"

/* A table or row of the epoch is not there: what depended on it is for user space to judge. */
static __always_inline void filter__missing(struct ke_filter* f) {
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
  if (stats) site__count(stats, KE_SITE_RULES_MISSING);
  f->undecided = 1;
}

/* Takes away the clauses that are not in the row of index[i]; 0 = none is left. */
__weak __noinline int filter__and(__u32 slot, __u32 at, __u32 i) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_row* row = rules__row(at, i);
  if (!f) return 0;
  if (!row) {
    filter__missing(f);
    return 1;
  }
  __u64 any = 0;
#pragma unroll
  for (int w = 0; w < KE_WORDS; w++) any |= f->acc.words[w] &= row->words[w];
  return any != 0;
}

/* The same for a value that is known by other names too: a clause holds by any, and what is
 * excluded by one is excluded. `ids`: its own, and above 16 bits another's; 0 = there is none. */
__weak __noinline int filter__and_names(__u32 slot, __u32 at, __u32 base, __u32 ids, __u32 third) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_row* none = rules__row(at, base);
  struct ke_row* own = rules__row(at, base + (ids & 0xffff));
  struct ke_row* second = rules__row(at, base + (ids >> 16));
  struct ke_row* last = rules__row(at, base + third);
  if (!f) return 0;
  if (!none || !own || !second || !last) {
    filter__missing(f);
    return 1;
  }
  __u64 any = 0;
#pragma unroll
  for (int w = 0; w < KE_WORDS; w++) {
    __u64 d = none->words[w];
    __u64 a = second->words[w];
    __u64 b = last->words[w];
    any |= f->acc.words[w] &= (own->words[w] | ((a | b) & ~d)) & (a | ~d) & (b | ~d);
  }
  return any != 0;
}

/* What is excluded by any of the names: the rows of negated conditions, from index[base] on. */
__weak __noinline int filter__exclude(__u32 slot, __u32 at, __u32 base, __u32 ids, __u32 third) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_row* own = rules__row(at, base + (ids & 0xffff));
  struct ke_row* second = rules__row(at, base + (ids >> 16));
  struct ke_row* last = rules__row(at, base + third);
  if (!f) return 0;
  if (!own || !second || !last) {
    filter__missing(f);
    return 1;
  }
  __u64 any = 0;
#pragma unroll
  for (int w = 0; w < KE_WORDS; w++)
    any |= f->acc.words[w] &= own->words[w] & second->words[w] & last->words[w];
  return any != 0;
}

#define KE_BY_EXACT 0
#define KE_BY_PREFIX 1
#define KE_BY_SUFFIX 2

/* Both, for a dimension of the file: KE_BY_EXACT …. */
static __always_inline int filter__by_names(const struct ke_rule_config* cfg, __u32 class,
                                            __u32 how, __u32 slot, __u32 at, __u32 base, __u32 ids,
                                            __u32 third) {
  int any = filter__and_names(slot, at, base, ids, third);
  __u32 excluded = cfg->excluded[class & (KE_RC_MAX - 1)][how];
  return any && excluded ? filter__exclude(slot, at, excluded, ids, third) : any;
}

static __always_inline void filter__want(struct ke_filter* f, __u32 base, __u32 id) {
  if (!base) return;
  ((__u32*)f->want)[f->wanted & (KE_WANT_MAX - 1)] = base + id;
  f->wanted++;
}

/* Binary and parent's binary, as of the exec. */
static __always_inline void filter__images(struct ke_filter* f, const struct ke_rule_config* cfg,
                                           __u32 at, __u32 class) {
  const struct ke_path_ids* own = &f->proc.own[at & 1];
  const struct ke_path_ids* parent = &f->proc.parent[at & 1];
  const __u32* base = cfg->base[class & (KE_RC_MAX - 1)];
  if (f->proc.start_ns && f->proc.epoch[at & 1] != cfg->epoch) {
    f->undecided = 1;
    return;
  }
  filter__want(f, base[KE_DIM_OWN_EXACT], own->exact);
  filter__want(f, base[KE_DIM_OWN_PREFIX], own->prefix);
  filter__want(f, base[KE_DIM_OWN_SUFFIX], own->suffix);
  filter__want(f, base[KE_DIM_PARENT_EXACT], parent->exact);
  filter__want(f, base[KE_DIM_PARENT_PREFIX], parent->prefix);
  filter__want(f, base[KE_DIM_PARENT_SUFFIX], parent->suffix);
}

static __always_inline void filter__cgroup(struct ke_filter* f, const struct ke_rule_config* cfg,
                                           __u32 at, __u32 class) {
  __u32 base = cfg->base[class & (KE_RC_MAX - 1)][KE_DIM_CGROUP];
  if (!base) return;
  __u32* id = rules__lookup(ke_r_cgroups, at, &f->cgroup_id);
  if (id && *id)
    filter__want(f, base, *id);
  else
    f->undecided = 1;
}

/* Id of the value in the table of the number field at a place. */
static __always_inline __u32 number__id(__u32 at, __u32 place, __u32 value) {
  struct ke_number_key key = {.bits = 64, .bytes = {}};
  value = __builtin_bswap32(value);
  key.bytes[0] = place;
  __builtin_memcpy(&key.bytes[4], &value, sizeof(value));
  __u32* id = rules__lookup(ke_r_numbers, at, &key);
  return id ? *id : 0;
}

static __always_inline void filter__numbers(struct ke_filter* f, const struct ke_rule_config* cfg,
                                            __u32 at, __u32 class) {
  for (__u32 i = 0; i < KE_NUMBERS_MAX; i++) {
    if (i >= cfg->numbers_used) break;
    __u32 base = cfg->base[class & (KE_RC_MAX - 1)][KE_DIM_NUMBER + i];
    __u32 which = cfg->numbers[i];
    if (!base || which >= KE_NUM_MAX) continue;
    filter__want(f, base, number__id(at, i, f->numbers[which]));
  }
}

/* Bit tests, by groups: one row for all outcomes of a group. */
static __always_inline void filter__tests(struct ke_filter* f, const struct ke_rule_config* cfg,
                                          __u32 class) {
  __u32 base = cfg->test_base[class & (KE_RC_MAX - 1)];
  __u64 outcomes = 0;
  if (!base) return;
  for (__u32 t = 0; t < KE_TESTS_MAX; t++) {
    if (t >= cfg->tests_used) break;
    __u64 mask = cfg->tests[t].mask;
    __u64 have = f->words[cfg->tests[t].word & (KE_WORD_MAX - 1)] & mask;
    /* No branch: the verifier would take both ways of every test. */
    __u64 wrong = have ^ mask;         /* all: 0 when it holds */
    __u64 some = (have | -have) >> 63; /* any: 1 when it holds */
    __u64 all = ~((wrong | -wrong) >> 63) & 1;
    __u64 choose = -(__u64)(cfg->tests[t].all & 1);
    outcomes |= ((all & choose) | (some & ~choose)) << (t & 63);
  }
  for (__u32 g = 0; g < KE_TESTS_MAX / KE_TEST_GROUP; g++) {
    if (g * KE_TEST_GROUP >= cfg->tests_used) break;
    __u32 bits = outcomes >> (g * KE_TEST_GROUP) & ((1u << KE_TEST_GROUP) - 1);
    filter__want(f, base + (g << KE_TEST_GROUP), bits);
  }
}

/* Intersections of rows that were made before: few processes differ in what rules ask of them. Each
 * element of ke_filters has KE_MASK_SLOTS. */
struct ke_mask {
  __u32 epoch;
  __u32 class;
  __u64 want[KE_WANT_MAX / 2];
  struct ke_row row;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KE_MASK_SLOTS); /* times those of ke_filters */
  __type(key, __u32);
  __type(value, struct ke_mask);
} ke_masks SEC(".maps") __weak;

/* The filter's places into its mask_slot; is their intersection there? */
static __always_inline bool mask__find(struct ke_filter* f, struct ke_mask** mask, __u32 slot,
                                       __u32 epoch, __u32 class) {
  __u64 hash = class;
#pragma unroll
  for (int i = 0; i < KE_WANT_MAX / 2; i++) hash = hash * KE_HASH_A + f->want[i];
  f->mask_slot = slot * KE_MASK_SLOTS + ((hash ^ hash >> 32) & (KE_MASK_SLOTS - 1));
  __u32 place = f->mask_slot;
  struct ke_mask* known = *mask = bpf_map_lookup_elem(&ke_masks, &place);
  if (!known || known->epoch != epoch || known->class != class) return false;
  __u64 differ = 0;
#pragma unroll
  for (int i = 0; i < KE_WANT_MAX / 2; i++) differ |= f->want[i] ^ known->want[i];
  return !differ;
}

/* Intersects the rows of the filter's places in its acc. A function of its own: the verifier takes
 * it once, not once for each way that leads here. */
__weak __noinline int filter__intersect(__u32 slot, __u32 at) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  void* index = bpf_map_lookup_elem(&ke_r_index, &at);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &at);
  if (!f || !index || !rows) return 0;
  for (__u32 i = 0; i < KE_WANT_MAX; i++) {
    if (i >= f->wanted) break;
    struct ke_row* row = row__at(index, rows, ((__u32*)f->want)[i]);
    if (!row) {
      filter__missing(f);
      continue;
    }
#pragma unroll
    for (int w = 0; w < KE_WORDS; w++) f->acc.words[w] &= row->words[w];
  }
  return 0;
}

/* The clauses of a class that the process allows, into the filter's acc; 0 = none. The filter's
 * proc, numbers, words and cgroup_id are filled. */
__weak __noinline int filter__process(__u32 slot, __u32 at, __u32 class) {
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_rule_config* cfg = rules__config(at);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &at);
  if (!f) return 0;
  if (!cfg || !rows) {
    filter__missing(f);
    return 0;
  }
  f->undecided = 0;
  f->wanted = 0;
  __builtin_memset(f->want, 0, sizeof(f->want));
  filter__images(f, cfg, at, class);
  filter__cgroup(f, cfg, at, class);
  filter__numbers(f, cfg, at, class);
  filter__tests(f, cfg, class);
  struct ke_mask* mask = NULL;
  if (mask__find(f, &mask, slot, cfg->epoch, class)) {
    row__copy(&f->acc, &mask->row);
    return row__any(&f->acc);
  }
  __u32 all = cfg->class_row[class & (KE_RC_MAX - 1)];
  struct ke_row* row = bpf_map_lookup_elem(rows, &all);
  if (!row) {
    filter__missing(f);
    return 0;
  }
  bool undecided = f->undecided;
  row__copy(&f->acc, row);
  filter__intersect(slot, at);
  if (mask && f->undecided == undecided) {
    mask->class = class;
    mask->epoch = cfg->epoch;
    __builtin_memcpy(mask->want, f->want, sizeof(mask->want));
    row__copy(&mask->row, &f->acc);
  }
  return row__any(&f->acc);
}

/* Numbers and words of the filter from a task's credentials and namespaces. */
static __always_inline void filter__subject(struct ke_filter* f, const struct ke_creds* creds,
                                            const struct ke_namespaces* ns, __u32 loginuid,
                                            __u32 sessionid) {
  __builtin_memcpy(&f->numbers[KE_NUM_UID], &creds->uid, 8 * sizeof(__u32));
  f->numbers[KE_NUM_LOGINUID] = loginuid;
  f->numbers[KE_NUM_SESSIONID] = sessionid;
  __builtin_memcpy(&f->numbers[KE_NUM_NS_MNT], ns, 8 * sizeof(__u32));
  f->words[KE_WORD_CAP_INHERITABLE] = creds->cap_inheritable;
  f->words[KE_WORD_CAP_PERMITTED] = creds->cap_permitted;
  f->words[KE_WORD_CAP_EFFECTIVE] = creds->cap_effective;
  f->words[KE_WORD_CAP_BOUNDING] = creds->cap_bounding;
  f->words[KE_WORD_CAP_AMBIENT] = creds->cap_ambient;
  f->words[KE_WORD_IMAGE] = f->proc.flags;
}

/* Is there anything to remember of the process? */
static __always_inline bool proc__empty(const struct ke_proc* proc) {
  const __u64* own = (const __u64*)proc->own;
  const __u64* parent = (const __u64*)proc->parent;
  return !(own[0] | own[1] | parent[0] | parent[1] | proc->flags);
}

#endif
