/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bytes that cross from the kernel side to user space. C11 and C++20; fixed-width members,
 * native byte order, append only: a new field goes to the end of a struct and raises
 * KE_RECORD_VERSION, a changed meaning is a new record type.
 */
#ifndef KE_ABI_EVENT_H
#define KE_ABI_EVENT_H

#ifndef __bpf__ /* BPF sources include vmlinux.h first */
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define KE_STATIC_ASSERT static_assert
#else
#define KE_STATIC_ASSERT _Static_assert
#endif
#define KE_OFFSETOF(type, member) __builtin_offsetof(type, member)

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#ifndef KE_RECORD_VERSION /* the build that tests upgrade to has another one */
#define KE_RECORD_VERSION 4
#endif

/* Record types. A type that comes through a ring is also the class whose counters it moves. */
enum ke_type {
  KE_INVALID = 0,
  KE_EXEC = 1,        /* struct ke_process */
  KE_FORK = 2,        /* struct ke_fork */
  KE_EXIT = 3,        /* struct ke_exit */
  KE_EXEC_FAILED = 4, /* struct ke_exec_failed */
  KE_CGROUP = 5,      /* struct ke_cgroup */
  KE_CGROUP_MOVE = 6, /* struct ke_cgroup_move */
  KE_EXISTING = 7,    /* struct ke_process, read by the task iterator, never through a ring */
  KE_FILE_OPEN = 8,   /* struct ke_file_open */
  /* struct ke_file_change; in the order of enum ke_change_kind */
  KE_FILE_UNLINK = 9,
  KE_FILE_RMDIR = 10,
  KE_FILE_RENAME = 11,
  KE_FILE_LINK = 12,
  KE_FILE_SYMLINK = 13,
  KE_FILE_MKDIR = 14,
  KE_FILE_MKNOD = 15,
  KE_FILE_CHMOD = 16,
  KE_FILE_CHOWN = 17,
  KE_FILE_TRUNCATED = 18,
  KE_FILE_SETXATTR = 19,
  KE_FILE_MMAP_EXEC = 20,
  KE_FILE_MOUNT = 21,
  KE_FILE_UMOUNT = 22,
  /* struct ke_deed */
  KE_PTRACE = 23,
  KE_SIGNAL = 24,
  KE_BPF = 25,
  KE_EXEC_DENIED = 26, /* struct ke_process: the image that was not started */
  KE_TYPE_MAX = 32,    /* bound of the counter tables, not a type */
};

/* Bytes inside the same record: `off` counts from the record's first byte. */
struct ke_span {
  __u32 off;
  __u32 len;
};
KE_STATIC_ASSERT(sizeof(struct ke_span) == 8, "ke_span is wire format");

struct ke_hdr {
  __u16 type;    /* enum ke_type */
  __u16 version; /* KE_RECORD_VERSION */
  __u32 size;    /* whole record, header included */
  __u32 cpu;
  __u32 epoch;    /* rule set that judged it; 0 = none */
  __u64 seq;      /* per (cpu, type), from 1, taken before ring space is asked for */
  __u64 ktime_ns; /* CLOCK_BOOTTIME */
};
KE_STATIC_ASSERT(sizeof(struct ke_hdr) == 32, "ke_hdr is wire format");

struct ke_creds {
  __u32 uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
  __u64 cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
  __u32 securebits;
  __u32 pad;
};
KE_STATIC_ASSERT(sizeof(struct ke_creds) == 80, "ke_creds is wire format");

/* Inode numbers of the namespaces' nsfs files, as in /proc/PID/ns. 0 = could not be read. */
struct ke_namespaces {
  __u32 mnt, pid, net, uts, ipc, user, cgroup, time;
};
KE_STATIC_ASSERT(sizeof(struct ke_namespaces) == 32, "ke_namespaces is wire format");

/* Flags of struct ke_process, about the image that was executed. */
#define KE_F_MEMFD (1u << 0)         /* the file lives in a memfd */
#define KE_F_DELETED (1u << 1)       /* no name left at exec */
#define KE_F_OVERLAY_UPPER (1u << 2) /* overlayfs: the file stands on the upper layer */
#define KE_F_SETUID (1u << 3)        /* this exec changed the effective uid */
#define KE_F_SETGID (1u << 4)        /* this exec changed the effective gid */
#define KE_F_FILE_CAPS (1u << 5)     /* this exec gained capabilities from the file */
#define KE_F_NO_NEW_PRIVS (1u << 6)
#define KE_F_SCRIPT (1u << 7) /* binary is the interpreter of `script` */
#define KE_F_ARGS_CUT (1u << 8)
#define KE_F_ENV_CUT (1u << 9)
#define KE_F_BINARY_CUT (1u << 10) /* path longer or deeper than the walker goes */
#define KE_F_CWD_CUT (1u << 11)
#define KE_F_BINARY_UNSTABLE (1u << 12) /* renames or mounts changed under the walker, thrice */
#define KE_F_CWD_UNSTABLE (1u << 13)
#define KE_F_CWD_DELETED (1u << 14)
#define KE_F_BINARY_UNREACHABLE (1u << 15) /* not below the process's root */
#define KE_F_CWD_UNREACHABLE (1u << 16)
#define KE_F_ARGS_FAILED (1u << 17) /* argument pages could not be read */
#define KE_F_ENV_FAILED (1u << 18)
#define KE_F_THREAD_EXEC (1u << 19) /* exec by a thread that was not the leader */
#define KE_F_KTHREAD (1u << 20)     /* a kernel thread (only KE_EXISTING) */
#define KE_F_ZOMBIE (1u << 21)      /* dead already when the iterator saw it */
#define KE_F_CHAIN (1u << 22)       /* `interps` is the kernel's list, not derived from argv */
#define KE_F_SCRIPT_CUT (1u << 23)
#define KE_F_UNDECIDED (1u << 24)    /* the filter lacked a value: user space has to judge */
#define KE_F_CAPS_UNKNOWN (1u << 25) /* capabilities are the old ones (only KE_EXEC_DENIED) */

/* What Kentry did at the hook: verdict of ke_process and ke_file_open. 0 = it only watched. */
#define KE_VERDICT_DENIED (1u << 0)       /* the hook refused the call, with EPERM */
#define KE_VERDICT_SIGNALED (1u << 1)     /* KE_VERDICT_SIGNAL was sent to the process */
#define KE_VERDICT_WOULD_DENY (1u << 2)   /* a rule in monitor mode says so: nothing was done */
#define KE_VERDICT_WOULD_SIGNAL (1u << 3) /* … KE_VERDICT_WOULD */
#define KE_VERDICT_EXEMPT (1u << 4)       /* a rule says so, and the process is exempt */
#define KE_VERDICT_UNDECIDED (1u << 5)    /* a rule may say so; the kernel lacked a value */
#define KE_VERDICT_FAILED (1u << 6)       /* the signal could not be sent: KE_VERDICT_ERRNO */
#define KE_VERDICT_SIGNAL(verdict) ((verdict) >> 8 & 0x7f)
#define KE_VERDICT_WOULD(verdict) ((verdict) >> 16 & 0x7f)
#define KE_VERDICT_ERRNO(verdict) ((verdict) >> 24 & 0xff)

#define KE_ARGS_MAX (24 * 1024)
#define KE_ENV_MAX (4 * 1024)
#define KE_PATH_MAX 4096
#define KE_TTY_MAX 16
#define KE_COMM_MAX 16

/* One process image: what an exec made, or what the iterator found. */
struct ke_process {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 tid;      /* before the exec: the thread that called it */
  __u64 start_ns; /* CLOCK_BOOTTIME; with tgid the identity of the process */
  __u32 parent_tgid;
  __u32 ns_tgid; /* pid inside its own pid namespace */
  __u64 parent_start_ns;
  struct ke_creds creds;
  struct ke_namespaces ns;
  __u64 cgroup_id;
  __u32 loginuid; /* 4294967295 = not set */
  __u32 sessionid;
  __u64 exe_ino;
  __u32 exe_dev; /* major << 20 | minor, the superblock's */
  __u32 exe_mode;
  __u32 flags; /* KE_F_* */
  __u32 argc;
  __u64 args_len; /* bytes in the process, whether or not all are here */
  __u64 env_len;
  char comm[KE_COMM_MAX];
  char tty[KE_TTY_MAX]; /* empty = none */
  struct ke_span binary;
  struct ke_span cwd;
  struct ke_span script;  /* what was asked to be executed, when that was a script */
  struct ke_span interps; /* NUL-separated interpreters, first asked for first */
  struct ke_span args;    /* NUL-separated */
  struct ke_span env;     /* NUL-separated, whole environment up to KE_ENV_MAX */
  struct ke_span clauses; /* __u64 words: clauses of hdr.epoch that hold; none = nothing held */
  __u32 verdict;          /* KE_VERDICT_* */
  __u32 pad;
};
KE_STATIC_ASSERT(sizeof(struct ke_process) == 328, "ke_process is wire format");

#define KE_FORK_SHARES_MM (1u << 0) /* CLONE_VM without CLONE_THREAD: vfork, posix_spawn */

struct ke_fork {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 ns_tgid;
  __u64 start_ns;
  __u32 parent_tgid; /* real_parent: differs from the creator with CLONE_PARENT */
  __u32 creator_tgid;
  __u64 parent_start_ns;
  __u64 creator_start_ns;
  __u32 creator_tid;
  __u32 flags; /* KE_FORK_* */
  struct ke_creds creds;
  struct ke_namespaces ns;
  __u64 cgroup_id;
};
KE_STATIC_ASSERT(sizeof(struct ke_fork) == 200, "ke_fork is wire format");

#define KE_EXIT_CORE_DUMP (1u << 0)
#define KE_EXIT_LEADER_UNTIMED (1u << 1) /* the leader had gone before; when is not known */
#define KE_EXIT_CPU_PARTIAL (1u << 2) /* a thread was still being released: its time is missing */

struct ke_exit {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 tid; /* the thread that went last */
  __u64 start_ns;
  __u32 status;         /* as wait(2) gives it */
  __u32 flags;          /* KE_EXIT_* */
  __u64 leader_exit_ns; /* CLOCK_BOOTTIME; 0 = the leader was the last thread */
  __u64 cpu_ns;         /* scheduler's runtime sum of all threads */
  __u64 utime_ns;       /* sampled by the tick */
  __u64 stime_ns;
  __u64 max_rss_kb;
  __u64 cgroup_id;
  char comm[KE_COMM_MAX];
};
KE_STATIC_ASSERT(sizeof(struct ke_exit) == 120, "ke_exit is wire format");

#define KE_FAILED_PATH_MAX 1024
#define KE_FAILED_PATH_CUT (1u << 0)
#define KE_FAILED_PATH_UNREAD (1u << 1)

struct ke_exec_failed {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 tid;
  __u64 start_ns;
  __s32 error;    /* errno, positive */
  __u32 flags;    /* KE_FAILED_* */
  __u32 path_len; /* without NUL */
  __u32 pad;
  char path[KE_FAILED_PATH_MAX]; /* as the caller passed it */
};
KE_STATIC_ASSERT(sizeof(struct ke_exec_failed) == 1088, "ke_exec_failed is wire format");

#define KE_FILE_READ (1u << 0)
#define KE_FILE_WRITE (1u << 1)
#define KE_FILE_CREATED (1u << 2)  /* this open made the file */
#define KE_FILE_TRUNCATE (1u << 3) /* O_TRUNC */
#define KE_FILE_APPEND (1u << 4)   /* O_APPEND */
#define KE_FILE_EXEC (1u << 5)     /* opened by exec, or by the kernel to load it */
#define KE_FILE_TMPFILE (1u << 6)  /* O_TMPFILE: it has no name yet */

/* Flags of struct ke_file_open, about its path. */
#define KE_FILE_PATH_CUT (1u << 0)
#define KE_FILE_PATH_UNSTABLE (1u << 1)
#define KE_FILE_PATH_UNREACHABLE (1u << 2)
#define KE_FILE_DELETED (1u << 3)
#define KE_FILE_MEMFD (1u << 4)
#define KE_FILE_OVERLAY_UPPER (1u << 5)
#define KE_FILE_UNDECIDED (1u << 6) /* the filter lacked a value: user space has to judge */

struct ke_file_open {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 tid;
  __u64 start_ns;
  struct ke_creds creds; /* as of the open */
  struct ke_namespaces ns;
  __u64 cgroup_id;
  __u64 ino;
  __u32 dev; /* major << 20 | minor, the superblock's */
  __u32 mode;
  __u32 uid;
  __u32 gid;
  __u32 nlink;
  __u32 access;       /* KE_FILE_READ … */
  __u32 flags;        /* KE_FILE_PATH_CUT … */
  __u32 alias;        /* id of the exact path that the rules know this inode by; 0 = none */
  __u32 alias_prefix; /* the same for the nearest directory above it that they know */
  __u32 verdict;      /* KE_VERDICT_* */
  struct ke_span path;
  struct ke_span clauses; /* as in ke_process */
};
KE_STATIC_ASSERT(sizeof(struct ke_file_open) == 232, "ke_file_open is wire format");

/* What a change does. The types of the records follow each other in the same order. */
enum ke_change_kind {
  KE_CHANGE_UNLINK = 0,
  KE_CHANGE_RMDIR = 1,
  KE_CHANGE_RENAME = 2,
  KE_CHANGE_LINK = 3,
  KE_CHANGE_SYMLINK = 4,
  KE_CHANGE_MKDIR = 5,
  KE_CHANGE_MKNOD = 6,
  KE_CHANGE_CHMOD = 7,
  KE_CHANGE_CHOWN = 8,
  KE_CHANGE_TRUNCATE = 9,
  KE_CHANGE_SETXATTR = 10,
  KE_CHANGE_MMAP_EXEC = 11,
  KE_CHANGE_MOUNT = 12,
  KE_CHANGE_UMOUNT = 13,
  KE_CHANGE_MAX = 16, /* bound, not a change */
};

/* Low bits of ke_file_change.file.access: what conditions may ask of a change of its kind. The kind
 * itself stands above them. */
#define KE_CHANGE_SETS_SETUID 1u      /* chmod: a bit that the mode had not */
#define KE_CHANGE_SETS_SETGID 2u      /* chmod */
#define KE_CHANGE_MAKES_EXECUTABLE 4u /* chmod: for anybody who could not */
#define KE_CHANGE_REPLACES 1u         /* rename: the new name is there */
#define KE_CHANGE_EXCHANGES 2u        /* rename: RENAME_EXCHANGE */
#define KE_CHANGE_DEVICE 1u           /* mknod: a character or block device */
#define KE_CHANGE_CAPABILITIES 1u     /* setxattr: security.capability */
#define KE_CHANGE_MEMFD 1u            /* mmap_exec: of a memfd */
#define KE_CHANGE_WRITABLE 2u         /* mmap_exec: at once */
#define KE_CHANGE_ANONYMOUS 4u        /* mmap_exec: of no file */
#define KE_CHANGE_SHIFT 3
#define KE_CHANGE_ACCESS(change, bits) ((__u32)(change) << KE_CHANGE_SHIFT | (bits))

#define KE_CHANGE_BY_MPROTECT 1u /* mmap_exec: of pages that were mapped before */

struct ke_file_change {
  struct ke_file_open file; /* path, inode … as before the change; access = KE_CHANGE_ACCESS() */
  struct ke_span to;        /* rename, link: the new name's path */
  struct ke_span text;      /* symlink: where it leads; setxattr: the attribute's name */
  __u32 new_mode;           /* mkdir, mknod, chmod */
  __u32 new_uid;            /* chown; ~0 = it stays */
  __u32 new_gid;
  __u32 rdev;     /* mknod: major << 20 | minor */
  __u32 to_flags; /* KE_FILE_PATH_*, of `to` */
  __u32 how;      /* KE_CHANGE_BY_* */
};
KE_STATIC_ASSERT(sizeof(struct ke_file_change) == 272, "ke_file_change is wire format");

/* Who does it: how struct ke_file_open and struct ke_deed begin. */
struct ke_actor {
  struct ke_hdr hdr;
  __u32 tgid;
  __u32 tid;
  __u64 start_ns;
  struct ke_creds creds; /* as of the event */
  struct ke_namespaces ns;
  __u64 cgroup_id;
};
KE_STATIC_ASSERT(sizeof(struct ke_actor) == KE_OFFSETOF(struct ke_file_open, ino),
                 "ke_file_open begins like ke_actor");

/* ke_deed.access: what conditions may ask of a deed and its target. */
#define KE_DEED_ATTACH (1u << 0)  /* ptrace: to control the target or its memory, not to look */
#define KE_DEED_TRACEME (1u << 1) /* ptrace: the caller offers itself to the target */
#define KE_DEED_SENSOR (1u << 2)  /* the target is the sensor; bpf: the object is the sensor's */
#define KE_DEED_SAME_CONTAINER (1u << 3) /* same mount and pid namespace */
#define KE_DEED_CHILD (1u << 4)          /* the target is a child of who does it */
#define KE_DEED_BPF_WRITE (1u << 0)      /* bpf: it can be changed through the descriptor */
#define KE_DEED_BPF_PROGRAM (1u << 1)    /* bpf: a program, not a map */
#define KE_DEED_ACCESS_MAX 32            /* bound of all bits together */

#define KE_DEED_UNDECIDED 1u /* ke_deed.flags: the filter lacked a value */

/* What one process does to another; of KE_BPF the target is no process but a map or program. */
struct ke_deed {
  struct ke_actor by;
  __u64 target_start_ns; /* with target_tgid the identity of the target */
  __u64 target_cgroup_id;
  __u32 target_tgid;
  __u32 target_tid; /* the thread that was named; bpf: the object's id */
  __u32 target_uid; /* real, as others see it */
  __u32 access;     /* KE_DEED_ATTACH … */
  __u32 mode;       /* ptrace: PTRACE_MODE_* of the kernel's linux/ptrace.h; 0 = TRACEME */
  __u32 signal;     /* signal: its number, 0 = only whether it could be sent */
  __u32 flags;      /* KE_DEED_UNDECIDED */
  __u32 verdict;    /* KE_VERDICT_* */
  char target_comm[KE_COMM_MAX];
  struct ke_span clauses; /* as in ke_process */
};
KE_STATIC_ASSERT(sizeof(struct ke_deed) == 240, "ke_deed is wire format");

enum ke_cgroup_op {
  KE_CGROUP_MKDIR = 1,
  KE_CGROUP_RMDIR = 2,
  KE_CGROUP_RENAME = 3,
};

struct ke_cgroup {
  struct ke_hdr hdr;
  __u64 id; /* kernfs node id = inode number of the directory */
  __u32 op; /* enum ke_cgroup_op */
  __u32 level;
  struct ke_span path;
};
KE_STATIC_ASSERT(sizeof(struct ke_cgroup) == 56, "ke_cgroup is wire format");

struct ke_cgroup_move {
  struct ke_hdr hdr;
  __u64 id; /* where it is now */
  __u64 start_ns;
  __u32 tgid;
  __u32 pad;
};
KE_STATIC_ASSERT(sizeof(struct ke_cgroup_move) == 56, "ke_cgroup_move is wire format");

#pragma GCC diagnostic pop
#endif
