/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a compiled rule set looks like to the kernel. A rule is one or more clauses, each a
 * conjunction; a clause is one bit of its event class. A dimension is a comparison on a field: a
 * table from a value to a small id, and one row of clause bits for each id. The rows of all
 * dimensions, intersected, say which clauses hold: the cost is the number of dimensions, not of
 * rules. One complete set of these tables is an epoch; two fit into the maps (slot = epoch & 1).
 */
#ifndef KE_ABI_RULES_H
#define KE_ABI_RULES_H

#include "bpf/abi/event.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define KE_WORDS 16
#define KE_CLAUSES (KE_WORDS * 64) /* of one class */

struct ke_row {
  __u64 words[KE_WORDS];
};

/* Classes that the kernel filters. */
enum ke_rule_class {
  KE_RC_EXEC = 0,
  KE_RC_OPEN = 1,
  KE_RC_CHANGE = 2,    /* all of enum ke_change_kind */
  KE_RC_CHANGE_TO = 3, /* the same clauses, as conditions on the new name: no class of its own */
  KE_RC_PTRACE = 4,
  KE_RC_SIGNAL = 5,
  KE_RC_BPF = 6,
  KE_RC_MAX = 8,
};

#define KE_MASK_SLOTS 16     /* intersections that are kept for each user of the filter */
#define KE_IMAGE_SLOTS 64    /* executed files whose ids each CPU keeps */
#define KE_NUMBERS_MAX 8     /* number fields that one epoch can compare */
#define KE_TESTS_MAX 64      /* bit tests of one epoch */
#define KE_MARK_TESTS_MAX 32 /* of them of marks */
#define KE_MARKS_MAX 63      /* marks of one epoch */
#define KE_TEST_GROUP 4      /* of them share a row for each of their outcomes together */

/* Dimensions. The id 0 of each stands for "none of the values that the rules name". */
enum ke_dim {
  KE_DIM_OWN_EXACT = 0, /* process.binary */
  KE_DIM_OWN_PREFIX = 1,
  KE_DIM_OWN_SUFFIX = 2,
  KE_DIM_PARENT_EXACT = 3, /* parent.binary */
  KE_DIM_PARENT_PREFIX = 4,
  KE_DIM_PARENT_SUFFIX = 5,
  KE_DIM_CGROUP = 6,        /* container.* ; id 0 = not known yet: all ones */
  KE_DIM_NUMBER = 7,        /* … KE_NUMBERS_MAX of them */
  KE_DIM_FILE_EXACT = 15,   /* file.path, or its inode */
  KE_DIM_FILE_PREFIX = 16,  /* file.path */
  KE_DIM_FILE_SUFFIX = 17,  /* file.path */
  KE_DIM_FILE_DIR = 18,     /* by directory: clauses an exact path or a prefix in it may satisfy */
  KE_DIM_FILE_PARTIAL = 19, /* by directory: clauses with a prefix that ends inside a name in it */
  KE_DIM_FILE_HINT = 20,    /* last eight bytes: clauses whose suffix may hold */
  KE_DIM_FILE_ACCESS = 21,  /* by KE_FILE_READ … bits, KE_CHANGE_ACCESS(), KE_DEED_* bits */
  KE_DIM_ADDRESS = 22,      /* … one for each ke_address_place */
  KE_DIM_MAX = 24,
};

/* Which address of a class with addresses. */
enum ke_address_place {
  KE_ADDRESS_REMOTE = 0,
  KE_ADDRESS_LOCAL = 1,
  KE_ADDRESS_PLACES = 2,
};

/* Number fields (ke_rule_config.numbers): of the process, and of what it does to another. */
enum ke_number {
  KE_NUM_UID = 0,
  KE_NUM_GID = 1,
  KE_NUM_SUID = 2,
  KE_NUM_SGID = 3,
  KE_NUM_EUID = 4,
  KE_NUM_EGID = 5,
  KE_NUM_FSUID = 6,
  KE_NUM_FSGID = 7,
  KE_NUM_LOGINUID = 8,
  KE_NUM_SESSIONID = 9,
  KE_NUM_NS_MNT = 10,
  KE_NUM_NS_PID = 11,
  KE_NUM_NS_NET = 12,
  KE_NUM_NS_UTS = 13,
  KE_NUM_NS_IPC = 14,
  KE_NUM_NS_USER = 15,
  KE_NUM_NS_CGROUP = 16,
  KE_NUM_NS_TIME = 17,
  KE_NUM_SIGNAL = 18,     /* only KE_RC_SIGNAL */
  KE_NUM_TARGET_UID = 19, /* only KE_RC_PTRACE, KE_RC_SIGNAL */
  KE_NUM_MAX = 20,
};

/* Words that bit tests look at. */
enum ke_word {
  KE_WORD_CAP_INHERITABLE = 0,
  KE_WORD_CAP_PERMITTED = 1,
  KE_WORD_CAP_EFFECTIVE = 2,
  KE_WORD_CAP_BOUNDING = 3,
  KE_WORD_CAP_AMBIENT = 4,
  KE_WORD_IMAGE = 5,  /* ke_process.flags, as of the exec */
  KE_WORD_MARKS = 6,  /* that the process may carry, and KE_MARK_ALWAYS */
  KE_WORD_MARKED = 7, /* that it carries for certain */
  KE_WORD_MAX = 8,
};

struct ke_test {
  __u64 mask;
  __u32 word; /* enum ke_word */
  __u32 all;  /* 1 = all bits of the mask, 0 = any */
};

/* A bit of KE_WORD_MARKS that is always set: stands for a mark of which the kernel doesn't know. */
#define KE_MARK_ALWAYS (1ull << 63)

/* A mark that a rule sets. */
struct ke_mark {
  __u16 bit;        /* place in ke_marks.until, and bit of the words */
  __u16 certain;    /* 0 = it is never more than a maybe */
  __u32 lifetime_s; /* the longest that a rule gives it; 0 = as long as the process lives */
};

#define KE_SIGNALS_MAX 4 /* different signals that the rules of one epoch send */

/* What a match makes the kernel do: numbers of rows of the class's clauses; 0 = none. */
struct ke_acts {
  __u32 any;   /* whose rules kill, signal or deny */
  __u32 quiet; /* of those: that are only to say what they would do. Not shared with another use:
                * user space changes it while the epoch is in force */
  __u32 deny;
  __u32 signals[KE_SIGNALS_MAX]; /* that send ke_rule_config.signals[i] */
  __u32 urgent; /* whose records go by the priority ring; 0 = all of the class, and none strict */
  __u32 strict; /* whose rules are strict: nothing that they cover is to happen without a record */
  __u32 pad;
};

/* ke_rule_config.strict */
#define KE_STRICT_ANY 1u      /* some rule is strict */
#define KE_STRICT_ENFORCED 2u /* what can't be recorded is refused, else only counted */
#define KE_STRICT_STALLED 4u  /* … also while nobody reads the rings */

#define KE_ASK_EXACT (1u << 0)
#define KE_ASK_PREFIX (1u << 1)
#define KE_ASK_SUFFIX (1u << 2)
#define KE_ASK_PARENT (1u << 3)

/* Values of the string tables: an id, and whether conditions on later events of a process with such
 * a binary, or of its children, ask for it. */
#define KE_ID_LATER (1u << 16)
#define KE_ID(value) ((value)&0xffff)

/* Bits by the last two bytes of a path: with a bit unset no suffix that rules name can hold. */
#define KE_ENDS_BITS 1024
#define KE_ENDS_BIT(before_last, last) \
  ((((__u32)(before_last) | (__u32)(last) << 8) * 0x9e37u >> 6) & (KE_ENDS_BITS - 1))

/* Rows of a class and dimension: index[base + id] is the number of the row; 0 = no clause of the
 * class asks for this dimension. */
struct ke_rule_config {
  __u32 epoch;
  __u32 classes; /* bit per ke_rule_class that has clauses */
  __u64 seed[2]; /* of the string hash */
  __u32 base[KE_RC_MAX][KE_DIM_MAX];
  __u32 test_base[KE_RC_MAX]; /* index[base + 16 * group + outcomes of the group's tests] */
  __u32 class_row[KE_RC_MAX]; /* row: all clauses of the class */
  /* By exact, prefix, suffix: index[excluded + id] is the row of what negated conditions on the
   * file leave; 0 = no clause has both kinds, so that the dimension's own rows say it. */
  __u32 excluded[KE_RC_MAX][4];    /* the last one is not used */
  __u32 suffix_row[KE_RC_MAX];     /* row: file clauses that ask for a suffix */
  __u32 suffix_negated[KE_RC_MAX]; /* 1 = one of them asks for its absence */
  __u32 tests_used;
  __u32 numbers_used;
  __u32 numbers[KE_NUMBERS_MAX]; /* enum ke_number */
  __u32 image_asks;              /* KE_ASK_*: what is asked of the binaries' paths */
  __u32 marks_used;
  __u32 exact_mask; /* places of ke_r_exact less one */
  __u32 dirs_mask;
  struct ke_test tests[KE_TESTS_MAX];
  __u64 ends[KE_ENDS_BITS / 64]; /* KE_ENDS_BIT of the files' suffixes */
  /* index[mark_base + 2 * i]: row of the clauses that set mark i; the next one: of those that set
   * it for certain. 0 = none of the class sets any. */
  __u32 mark_base[KE_RC_MAX];
  __u32 mark_any[KE_RC_MAX]; /* row: clauses that set a mark */
  struct ke_mark marks[KE_MARKS_MAX];
  __u32 signals[KE_SIGNALS_MAX]; /* SIGKILL first; 0 = no more */
  __u32 changes;                 /* 1 << enum ke_change_kind: that some rule is on */
  __u32 strict;                  /* KE_STRICT_* */
  struct ke_acts acts[KE_RC_MAX];
  __u64 stall_ns; /* a reader that gave no sign for so long reads no more */
};
KE_STATIC_ASSERT(sizeof(struct ke_rule_config) == 3176, "ke_rule_config is read by both sides");

/* Key of a whole string: a seeded hash of directory part and last part. Not cryptographic. */
struct ke_string_key {
  __u64 a;
  __u64 b;
};

/* A table of whole strings is an array of these, a power of two of them: a string stands at place
 * `key.a`, or in one of the next, and the first that is empty ends the search. */
struct ke_string_slot {
  struct ke_string_key key;
  __u32 value; /* 0 = empty */
  __u32 pad;
};
#define KE_STRING_PROBES 6

#define KE_EXACT_BYTES 2048 /* a comparison with a longer one is made by user space */
#define KE_PREFIX_BYTES 252 /* longer prefixes are decided up to here */
#define KE_SUFFIX_BYTES 64
#define KE_HINT_BYTES 8

struct ke_prefix_key {
  __u32 bits;
  __u8 bytes[KE_PREFIX_BYTES];
};
/* The key begins at `bits`; `pad` puts the bytes at a multiple of eight. */
struct ke_suffix_key {
  __u32 pad;
  __u32 bits;
  __u64 words[KE_SUFFIX_BYTES / 8]; /* last byte first */
};
#define KE_SUFFIX_KEY_BYTES (4 + KE_SUFFIX_BYTES)
struct ke_hint_key {
  __u32 bits;
  __u8 bytes[KE_HINT_BYTES]; /* last byte first */
};
struct ke_number_key {
  __u32 bits;
  __u8 bytes[8]; /* place in ke_rule_config.numbers, three zeros, the value in big endian */
};
/* IPv4 is ::ffff:a.b.c.d: a block of either family is a prefix of the same 128 bits. */
#define KE_ADDRESS_HEAD_BITS 32
struct ke_address_key {
  __u32 bits; /* KE_ADDRESS_HEAD_BITS and those of the address */
  __u8 place; /* enum ke_address_place */
  __u8 pad[3];
  __u8 bytes[16];
};
KE_STATIC_ASSERT(sizeof(struct ke_address_key) == 24, "ke_address_key is a key for both sides");
struct ke_ident_key {
  __u64 ino;
  __u32 dev;
  __u32 pad;
};

/* Ids of one path in the string tables. */
struct ke_path_ids {
  __u16 exact;
  __u16 prefix;
  __u16 suffix;
  __u16 pad;
};

/* What the rules know an inode by. */
struct ke_ident {
  __u16 exact;        /* id of an exact path */
  __u16 exact_prefix; /* that path's other ids */
  __u16 exact_suffix;
  __u16 dir;    /* KE_DIM_FILE_DIR id, for a directory */
  __u16 prefix; /* id of the directory's path with a slash behind it; it is no path's end */
  __u16 pad;
};

/* Tells a file from what stood at its inode number before, and from what it was before somebody
 * wrote to it. */
struct ke_file_version {
  __s64 ctime_s; /* CLOCK_REALTIME */
  __u32 ctime_ns;
  __u32 generation;
};

/* What the iterator of the sensor's own descriptors says of one. */
struct ke_file_ident {
  struct ke_hdr hdr; /* type KE_EXISTING */
  struct ke_ident_key key;
  __u32 fd;
  __u32 pad;
  struct ke_file_version version;
};

#define KE_TRUSTED_MAX 64
#define KE_TRUSTED_PATH 256

/* A program that rules don't act on, by its inode (ke_ident_key). */
struct ke_trusted {
  struct ke_file_version version;
  __u32 mnt_ns; /* inode number of the namespace that it has to run in */
  __u32 pad;
  char path[KE_TRUSTED_PATH]; /* for people */
};
KE_STATIC_ASSERT(sizeof(struct ke_trusted) == 280, "ke_trusted is an element of a map");

/* A living process's ids for the epoch that is being prepared, computed by user space from what it
 * knows of the image. */
struct ke_pending {
  __u64 start_ns;
  __u64 exe_ino; /* of the image that the ids are of */
  __u32 exe_dev;
  __u32 flags;
  struct ke_path_ids own;
  struct ke_path_ids parent;
};

/* What of a process was decided at its exec, per slot. A process has an entry only when something
 * of it isn't 0: most don't. */
struct ke_proc {
  __u64 start_ns; /* CLOCK_BOOTTIME */
  struct ke_path_ids own[2];
  struct ke_path_ids parent[2];
  __u32 epoch[2]; /* that the ids of the slot belong to; another one = undecided */
  __u32 flags;    /* KE_F_IMAGE bits of ke_process.flags */
  __u32 pad;
};
KE_STATIC_ASSERT(sizeof(struct ke_proc) == 56, "at most 128 bytes a process");

#define KE_MARK_SURE 0x80000000u    /* in ke_marks.until: for certain */
#define KE_MARK_FOREVER 0x7fffffffu /* as long as the process lives */

/* Marks of a process that has any, the same in all epochs. */
struct ke_marks {
  __u64 start_ns;
  __u32 until[KE_MARKS_MAX + 1]; /* CLOCK_BOOTTIME in seconds; 0 = it was never set */
};
KE_STATIC_ASSERT(sizeof(struct ke_marks) == 264, "ke_marks is an element of a map");

/* Flags of an image that conditions on later events may test. */
#define KE_F_IMAGE (KE_F_MEMFD | KE_F_DELETED | KE_F_OVERLAY_UPPER | KE_F_BINARY_UNREACHABLE)

/* The switch: written by user space. `stamp` is one word, so that an event sees one epoch and what
 * belongs to it: epoch in the upper half (0 = no rules), then 24 bits that change with whatever
 * else makes cached masks stale, then KE_STAMP_* flags. */
struct ke_rule_control {
  __u64 stamp;
  __u32 next; /* epoch being prepared: exec and fork write its ids too; the present one = none is */
  __u32 may_deny; /* which hook judges opens: 1 = the one that can refuse them, 0 = that watches */
  __u32 used;     /* the highest epoch that was ever prepared: a number is used once */
  __u32 paused;   /* 1 = the hooks only say what they would do */
  /* The sensor itself: what it opens to do its work is no event. The hook on exits forgets it. */
  __u64 self_start_ns; /* CLOCK_BOOTTIME */
  __u32 self;          /* tgid; 0 = nobody */
  __u32 pad;
};
KE_STATIC_ASSERT(sizeof(struct ke_rule_control) == 40, "ke_rule_control is mapped by user space");

#define KE_STAMP_IDENTS 1u     /* inodes of files are known: look for other names */
#define KE_STAMP_NAMESPACES 2u /* a condition of a class that caches masks asks for a namespace */
#define KE_STAMP_CREDS 4u      /* … for ids or capabilities */
#define KE_STAMP_SESSION 8u    /* … for the login's uid or session */
#define KE_STAMP_CGROUP 16u    /* … for the container */
#define KE_STAMP_MARKS 32u     /* … for a mark */
#define KE_STAMP_MARKED 64u    /* a rule sets marks, or one before did: processes may carry some */
#define KE_STAMP_ASKS (KE_STAMP_NAMESPACES | KE_STAMP_CREDS | KE_STAMP_SESSION | KE_STAMP_CGROUP)
#define KE_STAMP_EPOCH(stamp) ((__u32)((stamp) >> 32))

#pragma GCC diagnostic pop
#endif
