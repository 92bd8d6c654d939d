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
KE_RULE_TABLE(ke_r_exact, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP_FLAG, 4,
              sizeof(struct ke_string_slot));
KE_RULE_TABLE(ke_r_dirs, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP_FLAG, 4,
              sizeof(struct ke_string_slot));
KE_RULE_TABLE(ke_r_prefix, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_prefix_key),
              4);
KE_RULE_TABLE(ke_r_suffix, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, KE_SUFFIX_KEY_BYTES, 4);
KE_RULE_TABLE(ke_r_hint, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_hint_key), 4);
KE_RULE_TABLE(ke_r_numbers, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(struct ke_number_key),
              4);
KE_RULE_TABLE(ke_r_addresses, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC,
              sizeof(struct ke_address_key), 4);
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

/* Moves when a process with that tgid gets another image or mark, or is another process: what a
 * cached mask depends on. Tgids share elements: a mask is then computed once too often. */
#define KE_GENS 4096
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KE_GENS);
  __type(key, __u32);
  __type(value, __u32);
} ke_proc_gens SEC(".maps") __weak;

#define KE_NAME_END 256 /* of ke_filter.name: the name ends here */
#define KE_WANT_MAX 32  /* rows of one intersection, a power of two */

/* A file as a process sees it, by what tells two apart while no rename and no mount comes between:
 * a dentry that was freed and came back has another name, parent or inode. */
struct ke_place {
  __u64 dentry, mnt, root_dentry, root_mnt;
  __u64 ino;
  __u64 parent, name_hash;
  __u64 seqs; /* 0 = it has changed while it was looked at */
};

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
  __u64 want[KE_WANT_MAX / 2];    /* rows to intersect: places in the index; unused ones are 0 */
  __u32 wanted;
  __u32 mask_slot; /* in ke_masks, of these places */
  __u32 name_len;
  struct ke_path_ids ids;
  struct ke_path_ids later;   /* those of ids that matter after the exec */
  struct ke_path_ids keep[2]; /* later, by slot of the epoch */
  struct ke_place image;      /* of an exec */
  __u32 had;                  /* the process had an entry before */
  __u32 marked;               /* marks of the process have changed */
  struct ke_marks marks;      /* of a process that had none */
  __u32 undecided;            /* a value was not known: acc holds more than is true */
  __u32 send;                 /* KE_SEND_*, of the record */
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

/* Is the current process, of that tgid, the sensor? The tgid alone may be another's by now: an exit
 * whose hook the kernel skipped is not forgotten. */
static __always_inline bool self__is(const struct ke_rule_control* control, __u32 tgid) {
  if (tgid != control->self) return false;
  struct task_struct* task = (void*)bpf_get_current_task();
  return BPF_CORE_READ(task, group_leader, start_boottime) == control->self_start_ns;
}

/* What the sensor does itself is counted: it shows that the hook fires. Returns 0. */
static __always_inline int own__skip(__u32 cpu, __u32 type) {
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (stats) event__skip(stats, type & (KE_TYPE_MAX - 1));
  return 0;
}

static __always_inline struct ke_rule_config* rules__config(__u32 slot) {
  __u32 zero = 0;
  return rules__lookup(ke_r_config, slot, &zero);
}

/* The row at a place of the index, or NULL. */
static __always_inline struct ke_row* row__at(void* index, void* rows, __u32 place) {
  __u32* number = bpf_map_lookup_elem(index, &place);
  if (!number) return NULL;
  __u32 row = *number;
  return bpf_map_lookup_elem(rows, &row);
}

static __always_inline struct ke_row* rules__row(__u32 slot, __u32 place) {
  void* index = bpf_map_lookup_elem(&ke_r_index, &slot);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &slot);
  return index && rows ? row__at(index, rows, place) : NULL;
}

static __always_inline __u32* proc__gen(__u32 tgid) {
  __u32 place = tgid & (KE_GENS - 1);
  return bpf_map_lookup_elem(&ke_proc_gens, &place);
}

static __always_inline void proc__changed(__u32 tgid) {
  __u32* gen = proc__gen(tgid);
  if (gen) __sync_fetch_and_add(gen, 1);
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
