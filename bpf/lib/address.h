/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses to ids, for classes that have any: shared by all of them. */
#ifndef KE_ADDRESS_H
#define KE_ADDRESS_H

#include "bpf/lib/rules.h"

#define KE_AF_INET 2
#define KE_AF_INET6 10

/* Id of the longest block that rules name and the address lies in; 0 = none, and whatever is of
 * another family. `bytes` are in network order and in BPF's own memory: 4 for KE_AF_INET, 16 for
 * KE_AF_INET6. An IPv4 address and the same one mapped into IPv6 have the same id. */
static __always_inline __u32 address__id(__u32 at, __u32 place, __u32 family, const __u8* bytes) {
  struct ke_address_key key = {.bits = KE_ADDRESS_HEAD_BITS + 128, .place = place};
  if (family == KE_AF_INET) {
    key.bytes[10] = key.bytes[11] = 0xff;
    __builtin_memcpy(&key.bytes[12], bytes, 4);
  } else if (family == KE_AF_INET6) {
    __builtin_memcpy(key.bytes, bytes, 16);
  } else {
    return 0;
  }
  __u32* id = rules__lookup(ke_r_addresses, at, &key);
  return id ? *id : 0;
}

#endif
