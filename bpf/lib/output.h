/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting and sending. Every hook begins with event__begin or event__skip, so that
 *   attempted = filtered + seq   and   seq = delivered + lost
 * hold for each (CPU, class). The counters are plain increments: the hooks that include this file
 * can't nest on a CPU within a class, nor be preempted.
 */
#ifndef KE_OUTPUT_H
#define KE_OUTPUT_H

#include "bpf/lib/maps.h"

static __always_inline struct ke_cpu_stats* stats__this_cpu(void) {
  __u32 cpu = bpf_get_smp_processor_id();
  return bpf_map_lookup_elem(&ke_stats, &cpu);
}

static __always_inline void site__count(struct ke_cpu_stats* stats, __u32 site) {
  stats->sites[site]++;
}

/* The hook ran and wants no record. */
static __always_inline void event__skip(struct ke_cpu_stats* stats, __u32 type) {
  stats->classes[type].attempted++;
  stats->classes[type].filtered++;
}

/* The hook ran and wants a record: gives it its number. */
static __always_inline void event__begin(struct ke_cpu_stats* stats, struct ke_hdr* hdr,
                                         __u32 type) {
  hdr->type = type;
  hdr->version = KE_RECORD_VERSION;
  hdr->cpu = bpf_get_smp_processor_id();
  hdr->epoch = 0;
  hdr->ktime_ns = bpf_ktime_get_boot_ns();
  stats->classes[type].attempted++;
  hdr->seq = ++stats->classes[type].seq;
}

/* Waking the reader is nine tenths of an event's price: only when it sleeps and must not. */
static __always_inline __u64 reader__wake_flags(void* ring, bool priority) {
  __u32 zero = 0;
  struct ke_reader* reader = bpf_map_lookup_elem(&ke_reader, &zero);
  if (!reader || reader->state == KE_READER_RUNNING) return BPF_RB_NO_WAKEUP;
  if (reader->state != KE_READER_IDLE && !priority &&
      bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < ke_cfg_wake_bytes)
    return BPF_RB_NO_WAKEUP;
  reader->state = KE_READER_RUNNING;
  __sync_fetch_and_add(&reader->wakeups, 1);
  return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void event__send(struct ke_cpu_stats* stats, void* rings, void* rec,
                                        __u32 size, bool priority) {
  struct ke_hdr* hdr = rec;
  __u32 cpu = bpf_get_smp_processor_id();
  __u32 type = hdr->type & (KE_TYPE_MAX - 1);
  void* ring = bpf_map_lookup_elem(rings, &cpu);
  if (!ring) {
    site__count(stats, KE_SITE_RING);
    stats->classes[type].lost++;
    return;
  }
  hdr->size = size;
  if (bpf_ringbuf_output(ring, rec, size, reader__wake_flags(ring, priority)))
    stats->classes[type].lost++;
}

#define event__send_bulk(stats, rec, size) event__send(stats, &ke_rings_bulk, rec, size, false)
#define event__send_prio(stats, rec, size) event__send(stats, &ke_rings_prio, rec, size, true)

#endif
