/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the differential test hands to its BPF program and gets back: both sides read it. */
#ifndef KENTRY_TESTS_VM_BPF_TRY_H_
#define KENTRY_TESTS_VM_BPF_TRY_H_

#include "bpf/abi/rules.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define KE_TRY_RECORDS 64 /* judged in one run */

#define KE_TRY_TGID 1 /* of the process that events mark */

#define KE_TRY_STALE 1u /* the process's ids belong to another epoch */
#define KE_TRY_CUT 2u   /* the file's directory could not be read whole */

/* One record. Strings begin at the start of their arrays. */
struct ke_try_in {
  __u64 words[KE_WORD_MAX];
  __u64 cgroup_id;
  __u64 ino;     /* of the file, as ke_r_idents may know it; 0 = nothing does */
  __u64 dirs[2]; /* the same of its directory, and of the one above */
  __u32 numbers[KE_NUM_MAX];
  __u32 cls;    /* enum ke_rule_class */
  __u32 access; /* KE_FILE_READ … */
  __u32 flags;  /* KE_F_IMAGE bits */
  __u32 how;    /* KE_TRY_* */
  __u32 binary_len;
  __u32 binary_base; /* length of the last part */
  __u32 parent_len;
  __u32 parent_base;
  __u32 dir_len;  /* of `path`, without the slash behind it */
  __u32 name_off; /* in `path` */
  __u32 name_len;
  __u32 walk_len; /* of `path` as the walker spells it: the root is empty */
  __u8 binary[KE_PATH_MAX];
  __u8 parent[KE_PATH_MAX];
  __u8 path[KE_PATH_MAX + 8]; /* of the file */
};

struct ke_try_out {
  struct ke_row clauses;
  struct ke_path_ids own;
  struct ke_path_ids parent;
  __u32 any;
  __u32 undecided;
  __u64 marks; /* that the event set: KE_WORD_MARKS and KE_WORD_MARKED of a process without any */
  __u64 marked;
  __u32 own_told; /* the ids could be told: the path was not too long */
  __u32 parent_told;
  __u32 alias; /* what a report would say */
  __u32 alias_prefix;
};

/* An address to look up in the tables of `cls`. */
struct ke_try_address {
  __u32 cls;
  __u32 place;
  __u32 family;
  __u32 id; /* out: what the trie says */
  __u8 bytes[16];
  struct ke_row row; /* out: the clauses that it allows; all zeros when the class doesn't ask */
};

#pragma GCC diagnostic pop
#endif
