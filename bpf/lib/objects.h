/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps and programs that are the sensor's: user space tells their ids. */
#ifndef KE_OBJECTS_H
#define KE_OBJECTS_H

#include "bpf/abi/maps.h"
#include "bpf/lib/kernel.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, KE_OBJECTS_MAX);
  __type(key, struct ke_object);
  __type(value, __u32);
} ke_own_objects SEC(".maps");

static __always_inline bool object__is_own(__u32 kind, __u32 id) {
  struct ke_object key = {.kind = kind, .id = id};
  return bpf_map_lookup_elem(&ke_own_objects, &key) != NULL;
}

#endif
