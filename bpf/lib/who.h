/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state of an open under judgement, and the clauses that its process allows, cached a CPU.
 */
#ifndef KE_WHO_H
#define KE_WHO_H

#include "bpf/lib/act.h"
#include "bpf/lib/current.h"
#include "bpf/lib/procs.h"

#define FMODE_READ_BIT 0x1
#define FMODE_WRITE_BIT 0x2
#define FMODE_EXEC_BIT 0x20
#define FMODE_CREATED_BIT 0x100000
#define FMODE_BACKING_BIT 0x2000000
#define FMODE_NOACCOUNT_BIT 0x20000000
#define O_TRUNC_BIT 01000
#define O_APPEND_BIT 02000
#define O_TMPFILE_BIT 020000000

/* The rule class that a state is judged by: a constant, but where an object judges several. */
#ifndef KE_FILE_CLASS
#define KE_FILE_CLASS(st) KE_RC_OPEN
#endif
#define file__base(cfg, st) ((cfg)->base[KE_FILE_CLASS(st)])

/* What a process's mask depends on, compared on use: it is stale when any of it differs. Contents,
 * not pointers alone: a freed one comes back. What no condition asks for is 0. */
struct ke_subject {
  __u64 cred;
  __u64 creds;   /* its ids and capabilities, mixed */
  __u64 session; /* login's uid, session */
  __u64 namespaces;
  __u64 cgroup_id;
};

/* The clauses that a process allows: one slot of its CPU's, by tgid. */
struct ke_who_slot {
  __u64 stamp; /* of ke_rule_control */
  __u32 tgid;
  __u32 gen; /* of ke_proc_gens: another image since, or another process */
  __u64 start_ns;
  struct ke_subject subject;
  __u64 mask_hash; /* of the row; 0 = no clause */
  __u64 undecided;
  struct ke_row row;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs times ke_cfg_who_slots */
  __type(key, __u32);
  __type(value, struct ke_who_slot);
} ke_open_who SEC(".maps");

/* A directory as a process sees it, and the clauses that the process allows. */
struct ke_dir {
  struct ke_place at;
  __u64 mask_hash;
  __u64 stamp;
};

#define KE_DIR_NONE 1u    /* no clause of the mask can hold in it */
#define KE_DIR_HINTED 2u  /* only with a name that ends as a rule wants it */
#define KE_DIR_PARTIAL 4u /* some ask for a prefix that ends inside a name */
#define KE_DIR_UNSURE 8u  /* the path could not be read whole */
#define KE_DIR_ALIAS 16u  /* the rules know it by another name: look at the inodes in it */
#define KE_DIR_MOVED 32u  /* renames or mounts changed under the walker: its path as far as read */

#define KE_DIR_TEXT 192 /* longer paths of directories are not kept */

struct ke_dir_slot {
  struct ke_dir dir;
  __u64 hash_a, hash_b; /* of its path */
  struct ke_row row;    /* clauses of the process that its path, unless PARTIAL, allows */
  struct ke_row plain;  /* of those: what a name allows whose end no rule names */
  __u32 prefix;         /* id of its path with a slash behind it */
  __u32 alias_prefix;   /* of the nearest directory above that the rules know by another name */
  __u32 dir_id;
  __u32 flags;
  __u32 walk;     /* KE_WALK_* of its path */
  __u32 text_len; /* of it, without a slash behind; KE_DIR_TEXT + 1 = it is not kept */
  __u8 text[KE_DIR_TEXT];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs times ke_cfg_dir_slots */
  __type(key, __u32);
  __type(value, struct ke_dir_slot);
} ke_open_dirs SEC(".maps");

/* One open under judgement: addresses as numbers, for the global functions. */
struct ke_open_state {
  __u64 start_ns;
  struct ke_subject subject;
  struct ke_dir dir;
  __u64 file_dentry, file_mnt; /* of the name: above the mounts that cover it */
  __u64 name;
  __u32 name_len;
  __u32 who_index;
  __u32 dir_index;
  __u32 alias;                    /* exact id of another name of the file */
  __u32 name_prefix, name_suffix; /* that name's other ids */
  __u32 access;
  __u64 stamp;
  __u32 tgid;
  __u32 tid;
  __u32 gen;
  __u32 hint;     /* id of what the name ends with, KE_HINT_UNKNOWN = not looked up */
  __u32 named;    /* the filter holds the file's name */
  __u32 walked;   /* the walker holds the file's path */
  __u32 composed; /* … made of the directory's and the name */
  __u32 name_seq; /* of the file's dentry, before dir.at.seqs was read: moves when it is renamed */
  __u32 walk;     /* KE_WALK_* of it */
  __u32 alias_prefix;
  __u32 covered;         /* the file is mounted on the name that it is opened by */
  __u32 at;              /* slot of the epoch */
  __u32 undecided;       /* of the process */
  __u32 moved;           /* judged by a path that changed meanwhile */
  __u32 verdict;         /* KE_VERDICT_* */
  __u32 class;           /* KE_FILE_CLASS, where that isn't a constant */
  struct ke_creds creds; /* of the process, for its mask */
  struct ke_namespaces ns;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_open_state);
} ke_open_states SEC(".maps");

static __always_inline __u64 namespaces__mix(struct nsproxy* ns, const struct cred* cred) {
  if (!ns) return 1;
  __u64 mix = BPF_CORE_READ(ns, mnt_ns, ns.inum);
  mix = mix * 31 + BPF_CORE_READ(ns, net_ns, ns.inum);
  mix = mix * 31 + BPF_CORE_READ(ns, uts_ns, ns.inum);
  mix = mix * 31 + BPF_CORE_READ(ns, ipc_ns, ns.inum);
  mix = mix * 31 + BPF_CORE_READ(ns, cgroup_ns, ns.inum);
  mix = mix * 31 + BPF_CORE_READ(ns, time_ns, ns.inum);
  return mix * 31 + BPF_CORE_READ(cred, user_ns, ns.inum);
}

/* All that conditions may ask of credentials. */
static __always_inline __u64 cred__mix(const struct cred* cred) {
  __u64 mix = cred->uid.val;
  mix = mix * KE_HASH_A + cred->gid.val;
  mix = mix * KE_HASH_A + cred->suid.val;
  mix = mix * KE_HASH_A + cred->sgid.val;
  mix = mix * KE_HASH_A + cred->euid.val;
  mix = mix * KE_HASH_A + cred->egid.val;
  mix = mix * KE_HASH_A + cred->fsuid.val;
  mix = mix * KE_HASH_A + cred->fsgid.val;
  mix = mix * KE_HASH_A + ke_load64(cred->cap_inheritable);
  mix = mix * KE_HASH_A + ke_load64(cred->cap_permitted);
  mix = mix * KE_HASH_A + ke_load64(cred->cap_effective);
  mix = mix * KE_HASH_A + ke_load64(cred->cap_bset);
  return mix * KE_HASH_A + ke_load64(cred->cap_ambient);
}

static __always_inline __u64 untyped__session(struct task_struct* task) {
  if (!bpf_core_field_exists(task->loginuid)) return 0;
  return (__u64)BPF_CORE_READ(task, loginuid.val) << 32 | BPF_CORE_READ(task, sessionid);
}

/* What conditions ask of the current process: `asks` has KE_STAMP_ASKS bits. */
static __always_inline void subject__fill(struct ke_subject* to, const struct cred* cred,
                                          __u64 asks) {
  struct task_struct* task = (void*)bpf_get_current_task();
  __builtin_memset(to, 0, sizeof(*to));
  if (asks & KE_STAMP_CGROUP) to->cgroup_id = current__cgroup_id();
  if (asks & KE_STAMP_CREDS) {
    to->cred = (__u64)cred;
    to->creds = cred__mix(cred);
  }
  if (asks & KE_STAMP_SESSION) to->session = untyped__session(task);
  if (asks & KE_STAMP_NAMESPACES)
    to->namespaces = namespaces__mix(BPF_CORE_READ(task, nsproxy), cred);
}

/* Jumps, not arithmetic: the verifier lets pointers be compared, not reckoned with. */
static __always_inline bool subject__same(const struct ke_subject* a, const struct ke_subject* b) {
  return a->cgroup_id == b->cgroup_id && a->cred == b->cred && a->creds == b->creds &&
         a->session == b->session && a->namespaces == b->namespaces;
}

static __always_inline bool dir__same(const struct ke_dir* a, const struct ke_dir* b) {
  return a->mask_hash == b->mask_hash && a->stamp == b->stamp && place__same(&a->at, &b->at);
}

/* Where the current task's state stands: ke_filters, ke_walks of the object's hooks. */
static __always_inline __u32 open__slot(__u32 cpu) { return ke_cfg_first_slot + cpu; }

/* The cached mask doesn't fit: the current process's, anew. */
__weak __noinline int who__refresh(__u32 cpu) {
  __u32 slot = open__slot(cpu);
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!st || !f) return 0;
  __u32 index = st->who_index;
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &index);
  if (!who) return 0;
  struct ke_creds* creds = &st->creds;
  struct ke_namespaces* ns = &st->ns;
  __u32 loginuid = ~0u, sessionid = ~0u;
  struct task_struct* task = (void*)bpf_get_current_task();
  __u64 start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
  proc__load(f, st->tgid, start_ns);
  if (st->stamp & (KE_STAMP_CREDS | KE_STAMP_SESSION | KE_STAMP_NAMESPACES))
    current__read(creds, ns, &loginuid, &sessionid);
  filter__subject(f, creds, ns, loginuid, sessionid);
  f->cgroup_id = st->subject.cgroup_id;
  if (st->stamp & KE_STAMP_MARKS) marks__load(slot, st->tgid, start_ns);
  int any = filter__process(slot, st->at, KE_FILE_CLASS(st));
  __u64 hash = 0;
  if (any) {
#pragma unroll
    for (int w = 0; w < KE_WORDS; w++) hash = (hash ^ f->acc.words[w]) * KE_HASH_A + w + 1;
    hash |= 1;
    row__copy(&who->row, &f->acc);
  }
  who->mask_hash = hash;
  who->undecided = f->undecided;
  who->start_ns = start_ns;
  who->tgid = st->tgid;
  who->gen = st->gen;
  __builtin_memcpy(&who->subject, &st->subject, sizeof(who->subject));
  /* What is not known yet may be at the next open. */
  who->stamp = f->undecided ? 0 : st->stamp;
  return any;
}

#endif
