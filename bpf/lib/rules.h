/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of a compiled rule set (bpf/abi/rules.h). Each is an array of two maps, one an epoch:
 * user space fills the idle one, then moves the control's epoch. Templates of inner maps say sizes,
 * not types: 6.1 refuses an inner map without BTF under a template that has it.
 */
#ifndef KE_RULES_H
#define KE_RULES_H

#include "bpf/lib/output.h"

#define BPF_F_INNER_MAP_FLAG 0x1000 /* arrays of any length may stand in; 5.10 and later */

#define KE_RULE_TABLE(name, kind, flags, key_bytes, value_bytes) \
  struct name##_inner {                                          \
    __uint(type, kind);                                          \
    __uint(max_entries, 1);                                      \
    __uint(map_flags, flags);                                    \
    __uint(key_size, key_bytes);                                 \
    __uint(value_size, value_bytes);                             \
  };                                                             \
  struct {                                                       \
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                    \
    __uint(max_entries, 2);                                      \
    __type(key, __u32);                                          \
    __array(values, struct name##_inner);                        \
  } name SEC(".maps") __weak

KE_RULE_TABLE(ke_r_config, BPF_MAP_TYPE_ARRAY, 0, 4, sizeof(struct ke_rule_config));
KE_RULE_TABLE(ke_r_index, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP_FLAG, 4, 4);
KE_RULE_TABLE(ke_r_rows, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP_FLAG, 4, sizeof(struct ke_row));
/* String to id; a directory to its id (KE_DIM_FILE_DIR). */
KE_RULE_TABLE(ke_r_exact, BPF_MAP_TYPE_HASH, 0, sizeof(struct ke_string_key), 4);
KE_RULE_TABLE(ke_r_dirs, BPF_MAP_TYPE_HASH, 0, sizeof(struct ke_string_key), 4);
KE_RULE_TABLE(ke_r_prefix, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_prefix_key),
              4);
KE_RULE_TABLE(ke_r_suffix, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, KE_SUFFIX_KEY_BYTES, 4);
KE_RULE_TABLE(ke_r_hint, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_hint_key), 4);
KE_RULE_TABLE(ke_r_numbers, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_number_key),
              4);
KE_RULE_TABLE(ke_r_cgroups, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 8, 4);
KE_RULE_TABLE(ke_r_idents, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, sizeof(struct ke_ident_key),
              sizeof(struct ke_ident));

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ke_rule_control);
} ke_r_control SEC(".maps") __weak;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32); /* tgid */
  __type(value, struct ke_proc);
} ke_procs SEC(".maps") __weak;

#define KE_NAME_END 256 /* of ke_filter.name: the name ends here */

/* One evaluation at work. */
struct ke_filter {
  struct ke_row acc;   /* clauses that still hold */
  struct ke_proc proc; /* start_ns 0 = the process has no entry */
  __u32 numbers[KE_NUM_MAX + 2];
  __u64 words[KE_WORD_MAX];
  __u64 cgroup_id;
  __u64 hash_a, hash_b; /* of the string so far */
  struct ke_prefix_key prefix;
  struct ke_suffix_key suffix;
  struct ke_hint_key hint;
  __u8 name[2 * KE_NAME_END + 8]; /* last part of a path; the verifier wants room behind it */
  __u32 name_len;
  struct ke_path_ids ids;
  __u32 undecided; /* a value was not known: acc holds more than is true */
  __u32 wanted;    /* rows to intersect: places in the index */
  __u32 want[32];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* as ke_walks */
  __type(key, __u32);
  __type(value, struct ke_filter);
} ke_filters SEC(".maps") __weak;

/* Values of an epoch's table; NULL = none. */
#define rules__lookup(table, slot, key)                     \
  ({                                                        \
    __u32 _slot = (slot);                                   \
    void* _inner = bpf_map_lookup_elem(&(table), &_slot);   \
    _inner ? bpf_map_lookup_elem(_inner, (key)) : (void*)0; \
  })

static __always_inline struct ke_rule_control* rules__control(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&ke_r_control, &zero);
}

static __always_inline struct ke_rule_config* rules__config(__u32 slot) {
  __u32 zero = 0;
  return rules__lookup(ke_r_config, slot, &zero);
}

/* The row of an id, or NULL. */
static __always_inline struct ke_row* rules__row(__u32 slot, __u32 index) {
  __u32* number = rules__lookup(ke_r_index, slot, &index);
  if (!number) return NULL;
  __u32 row = *number;
  return rules__lookup(ke_r_rows, slot, &row);
}

static __always_inline bool row__any(const struct ke_row* row) {
  __u64 any = 0;
#pragma unroll
  for (int i = 0; i < KE_WORDS; i++) any |= row->words[i];
  return any != 0;
}

static __always_inline void row__and(struct ke_row* to, const struct ke_row* with) {
#pragma unroll
  for (int i = 0; i < KE_WORDS; i++) to->words[i] &= with->words[i];
}

static __always_inline bool row__meets(const struct ke_row* a, const struct ke_row* b) {
  __u64 any = 0;
#pragma unroll
  for (int i = 0; i < KE_WORDS; i++) any |= a->words[i] & b->words[i];
  return any != 0;
}

static __always_inline void row__copy(struct ke_row* to, const struct ke_row* from) {
#pragma unroll
  for (int i = 0; i < KE_WORDS; i++) to->words[i] = from->words[i];
}

#endif
