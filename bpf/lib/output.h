/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting and sending. Every hook begins with event__begin or event__skip, so that
 *   attempted = filtered + seq   and   seq = delivered + lost
 * hold for each (CPU, class). The class counters are plain increments: each class has one hook, or
 * hooks under one lock (cgroup_mutex), and the kernel runs a program once at a time on a CPU.
 * Up to 6.12 tracepoints disable preemption. Where they don't (7.x), a task that preempts a hook
 * and comes to the same hook is skipped, and counted by the kernel as a miss. bpf_preempt_disable
 * makes that worse, measured: bpf_preempt_enable reschedules before the hook has ended.
 */
#ifndef KE_OUTPUT_H
#define KE_OUTPUT_H

#include "bpf/lib/maps.h"

static __always_inline struct ke_cpu_stats* stats__of(__u32 cpu) {
  return bpf_map_lookup_elem(&ke_stats, &cpu);
}

/* Hooks share these. */
static __always_inline void site__count(struct ke_cpu_stats* stats, __u32 site) {
  __sync_fetch_and_add(&stats->sites[site], 1);
}

/* The hook ran and wants no record. */
static __always_inline void event__skip(struct ke_cpu_stats* stats, __u32 type) {
  stats->classes[type].attempted++;
  stats->classes[type].filtered++;
}

/* The hook ran and wants a record: gives it its number. */
static __always_inline void event__begin(struct ke_cpu_stats* stats, struct ke_hdr* hdr, __u32 cpu,
                                         __u32 type) {
  hdr->type = type;
  hdr->version = KE_RECORD_VERSION;
  hdr->cpu = cpu;
  hdr->epoch = 0;
  hdr->ktime_ns = bpf_ktime_get_boot_ns();
  stats->classes[type].attempted++;
  hdr->seq = ++stats->classes[type].seq;
}

/* How a record is sent. */
#define KE_SEND_URGENT 1u  /* by the priority ring; by the other one when that has no room */
#define KE_SEND_SPARING 2u /* … and a quarter of it is left for what is strict */
#define KE_SEND_STRICT 4u  /* what it tells of is not to happen without it */
#define KE_SEND_WAKE 8u    /* the reader is not to sleep on */

/* Is that part of the ring, in quarters, in use? */
static __always_inline bool ring__is_full(void* ring, __u32 quarters) {
  return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >=
         bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4 * quarters;
}

/* Waking the reader is nine tenths of an event's price: only when it sleeps and must not. Urgent
 * records too wait for its next look, which comes before their time to be handed on; their ring
 * gives way to the other one, and may fill further. */
static __always_inline __u64 reader__wake_flags(void* ring, __u32 how, bool look) {
  __u32 zero = 0;
  struct ke_reader* reader = bpf_map_lookup_elem(&ke_reader, &zero);
  if (!reader || reader->state == KE_READER_RUNNING) return BPF_RB_NO_WAKEUP;
  __u32 quarters = how & KE_SEND_URGENT ? 3 : 1;
  if (reader->state != KE_READER_IDLE && !(how & KE_SEND_WAKE) &&
      (!look || !ring__is_full(ring, quarters)))
    return BPF_RB_NO_WAKEUP;
  reader->state = KE_READER_RUNNING;
  __sync_fetch_and_add(&reader->wakeups, 1);
  return BPF_RB_FORCE_WAKEUP;
}

/* Into the CPU's ring of these; false = it has no room. */
static __always_inline bool ring__send(struct ke_cpu_stats* stats, void* rings, void* rec,
                                       __u32 size, __u32 how) {
  const struct ke_hdr* hdr = rec;
  __u32 cpu = hdr->cpu;
  void* ring = bpf_map_lookup_elem(rings, &cpu);
  if (!ring) {
    site__count(stats, KE_SITE_RING);
    return false;
  }
  if (how & KE_SEND_SPARING && ring__is_full(ring, 3)) return false;
  /* Small records need not each look how full the ring is. */
  bool look = size > 1024 || !(hdr->seq & 7);
  return !bpf_ringbuf_output(ring, rec, size, reader__wake_flags(ring, how, look));
}

/* Sends the record; false = there is no room for it, and it is counted as lost. */
static __always_inline bool event__send(struct ke_cpu_stats* stats, void* rec, __u32 size,
                                        __u32 how) {
  struct ke_hdr* hdr = rec;
  hdr->size = size;
  if (how & KE_SEND_URGENT && ring__send(stats, &ke_rings_prio, rec, size, how)) return true;
  if (ring__send(stats, &ke_rings_bulk, rec, size, how & KE_SEND_WAKE)) return true;
  stats->classes[hdr->type & (KE_TYPE_MAX - 1)].lost++;
  return false;
}

#define event__send_bulk(stats, rec, size) event__send(stats, rec, size, 0)
#define event__send_prio(stats, rec, size) \
  event__send(stats, rec, size, KE_SEND_URGENT | KE_SEND_WAKE)

#endif
