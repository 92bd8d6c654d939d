/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values of the maps that both sides touch. Same rules as event.h. */
#ifndef KE_ABI_MAPS_H
#define KE_ABI_MAPS_H

#include "bpf/abi/event.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Per (CPU, class). attempted = filtered + seq, and seq = delivered + lost: in the kernel's
 * counters always, in the reader's once it has drained the rings. */
struct ke_counts {
  __u64 attempted; /* hook ran */
  __u64 filtered;  /* hook ran and no record was wanted */
  __u64 seq;       /* last sequence number given */
  __u64 lost;      /* sequence number given, no ring space */
};
KE_STATIC_ASSERT(sizeof(struct ke_counts) == 32, "ke_counts is mapped by user space");

/* Where a helper failed or a bound was met: one counter a site. */
enum ke_site {
  KE_SITE_RING = 0,          /* no ring for this CPU */
  KE_SITE_LEADER_INSERT = 1, /* table of dead leaders full */
  KE_SITE_LEADER_MISSING = 2,
  KE_SITE_ARGS_READ = 3,
  KE_SITE_ENV_READ = 4,
  KE_SITE_PATH_READ = 5,
  KE_SITE_PATH_DEEP = 6,
  KE_SITE_PATH_UNSTABLE = 7,
  KE_SITE_SCRIPT_READ = 8,
  KE_SITE_CGROUP_READ = 9,
  KE_SITE_FAILED_PATH_READ = 10,
  KE_SITE_CHAIN_FULL = 11,
  KE_SITE_ITER_WRITE = 12,
  KE_SITE_PROC_INSERT = 13,     /* table of processes that rules know: full */
  KE_SITE_RULES_UNDECIDED = 14, /* judged by user space: a value was cut or not known */
  KE_SITE_NAME_READ = 15,
  KE_SITE_RULES_MISSING = 16, /* an epoch's table was not there */
  KE_SITE_IDENT_DROPPED = 17, /* a file that rules know was renamed or removed: no failure */
  /* What a strict rule covers had no room in the rings. */
  KE_SITE_STRICT_REFUSED = 18, /* the call was refused for it */
  KE_SITE_STRICT_STALLED = 19, /* it went on: nobody reads, and the rule set wants it so */
  KE_SITE_STRICT_WATCHED = 20, /* it went on: monitor mode, paused, or the process is exempt */
  KE_SITE_MAX = 24,
};

/* One element a CPU of map ke_stats, mapped read-only by user space. */
struct ke_cpu_stats {
  struct ke_counts classes[KE_TYPE_MAX];
  __u64 sites[KE_SITE_MAX];
  __u64 pad[8]; /* no two CPUs in one cache line */
};
KE_STATIC_ASSERT(sizeof(struct ke_cpu_stats) == 1280, "ke_cpu_stats is mapped by user space");

/* What the reader waits for; it writes it before it sleeps, the first producer that wakes it
 * writes KE_READER_RUNNING. */
enum ke_reader_state {
  KE_READER_RUNNING = 0, /* no wake-up wanted */
  KE_READER_POLLING = 1, /* wake for a cgroup's record, or as a ring fills */
  KE_READER_IDLE = 2,    /* wake for any record */
};

struct ke_reader {
  __u32 state; /* enum ke_reader_state */
  __u32 pad;
  __u64 wakeups;  /* by producers */
  __u64 alive_ns; /* CLOCK_BOOTTIME of the last sign that somebody reads; 0 = nobody has yet */
};
KE_STATIC_ASSERT(sizeof(struct ke_reader) == 24, "ke_reader is mapped by user space");

/* Key of a map or program of the sensor's. */
struct ke_object {
  __u32 kind; /* KE_OBJECT_MAP, KE_OBJECT_PROGRAM */
  __u32 id;
};
#define KE_OBJECT_MAP 0u
#define KE_OBJECT_PROGRAM 1u
#define KE_OBJECTS_MAX 1024

#pragma GCC diagnostic pop
#endif
