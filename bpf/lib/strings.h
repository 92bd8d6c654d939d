/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Strings to ids. The hash takes words of eight bytes from the string's end, the first one padded
 * with zeros in front: the walker's strings end at a fixed place. A path is hashed as its directory
 * and its last part, so that a directory's hash can be kept. User space
 * computes the same: rules/compile/string_key.cc.
 */
#ifndef KE_STRINGS_H
#define KE_STRINGS_H

#include "bpf/lib/image.h"
#include "bpf/lib/rules.h"

#define KE_HASH_A 0x9e3779b97f4a7c15ull
#define KE_HASH_B 0xc2b2ae3d27d4eb4full

static __always_inline void hash__word(struct ke_filter* f, __u64 word) {
  __u64 a = (f->hash_a ^ word) * KE_HASH_A;
  __u64 b = (f->hash_b + word) * KE_HASH_B;
  f->hash_a = a ^ (a >> 29);
  f->hash_b = b ^ (b >> 32);
}

static __always_inline void hash__begin(struct ke_filter* f, const struct ke_rule_config* cfg) {
  f->hash_a = cfg->seed[0];
  f->hash_b = cfg->seed[1];
}

/* The `len` bytes before buf[end], then the length. `buf` has `max` bytes, a power of two, and
 * eight more. */
static __always_inline void hash__bytes(struct ke_filter* f, const __u8* buf, __u64 end, __u64 len,
                                        __u64 max, __u64 most) {
  __u64 full = len / 8;
  __u64 at;
  for (__u64 i = 0; i < most / 8; i++) {
    if (i >= full) break;
    at = (end - 8 - i * 8) & (max - 1);
    asm volatile("" : "+r"(at));
    hash__word(f, *(const volatile __u64*)&buf[at]);
  }
  if (len & 7) {
    at = (end - 8 - full * 8) & (max - 1);
    asm volatile("" : "+r"(at));
    hash__word(f, *(const volatile __u64*)&buf[at] & ~0ull << (64 - (len & 7) * 8));
  }
  hash__word(f, len);
}

/* Continues the hash over path[end - len, end) of the walker. 0 = it is too long for that. */
__weak __noinline int hash__walk(__u32 slot, __u32 end, __u32 len) {
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  if (!walk || !f || len > KE_EXACT_BYTES) return 0;
  hash__bytes(f, walk->path, end, len, KE_PATH_MAX, KE_EXACT_BYTES);
  return 1;
}

/* Value of the string that was hashed; 0 = none. The kernel's own hash tables cost four times as
 * much. */
static __always_inline __u32 string__value(struct ke_filter* f, void* table, __u32 mask) {
  if (!table) return 0;
#pragma unroll
  for (__u32 i = 0; i < KE_STRING_PROBES; i++) {
    __u32 place = ((__u32)f->hash_a + i) & mask;
    struct ke_string_slot* slot = bpf_map_lookup_elem(table, &place);
    if (!slot || !slot->value) return 0;
    if (slot->key.a == f->hash_a && slot->key.b == f->hash_b) return slot->value;
  }
  return 0;
}

/* Value of the longest prefix of the walker's string that rules name, with `slash` behind it. */
static __always_inline __u32 prefix__value(struct ke_filter* f, struct ke_walk* walk,
                                           __u32 epoch_slot, bool slash) {
  __u64 off = ke_bound(walk->off, KE_PATH_MAX);
  __u64 len = ke_bound(KE_PATH_MAX - off, KE_PREFIX_BYTES - 1);
  bpf_probe_read_kernel(f->prefix.bytes, len, &walk->path[off]);
  if (slash) {
    f->prefix.bytes[len] = '/';
    len++;
  }
  f->prefix.bits = len * 8;
  __u32* id = rules__lookup(ke_r_prefix, epoch_slot, &f->prefix);
  return id ? *id : 0;
}

/* Value of the longest suffix of the walker's string that rules name. */
static __always_inline __u32 suffix__value(struct ke_filter* f, struct ke_walk* walk,
                                           __u32 epoch_slot) {
  __u64 len = KE_PATH_MAX - ke_bound(walk->off, KE_PATH_MAX);
#pragma unroll
  for (int i = 0; i < KE_SUFFIX_BYTES / 8; i++) {
    __u64 word = *(const volatile __u64*)&walk->path[KE_PATH_MAX - 8 - i * 8];
    f->suffix.words[i] = __builtin_bswap64(word);
  }
  f->suffix.bits = (len > KE_SUFFIX_BYTES ? KE_SUFFIX_BYTES : len) * 8;
  __u32* id = rules__lookup(ke_r_suffix, epoch_slot, &f->suffix.bits);
  return id ? *id : 0;
}

#define KE_LATER(value) (KE_ID(value) & -((value) >> 16 & 1))

/* Ids of the walker's string into the filter's `ids` and `later`. 0 = they can't be told. */
__weak __noinline int string__ids(__u32 slot, __u32 epoch_slot) {
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_rule_config* cfg = rules__config(epoch_slot);
  if (!walk || !f || !cfg) return 0;
  __u32 asks = cfg->image_asks;
  __u32 off = walk->off;
  __u32 base = walk->base;
  __u32 exact = 0, prefix = 0, suffix = 0;
  f->ids = f->later = (struct ke_path_ids){};
  if (asks & KE_ASK_EXACT && off + base < KE_PATH_MAX) {
    __u32 dir_end = KE_PATH_MAX - 1 - base;
    if (off == KE_PATH_MAX - 1) base = 1; /* the root's own name is a slash */
    hash__begin(f, cfg);
    /* A longer path is none that the tables have. */
    if (hash__walk(slot, dir_end, dir_end - off) && hash__walk(slot, KE_PATH_MAX, base))
      exact = string__value(f, bpf_map_lookup_elem(&ke_r_exact, &epoch_slot), cfg->exact_mask);
  }
  if (asks & KE_ASK_PREFIX) prefix = prefix__value(f, walk, epoch_slot, false);
  if (asks & KE_ASK_SUFFIX) suffix = suffix__value(f, walk, epoch_slot);
  f->ids = (struct ke_path_ids){.exact = exact, .prefix = prefix, .suffix = suffix};
  f->later = (struct ke_path_ids){
      .exact = KE_LATER(exact), .prefix = KE_LATER(prefix), .suffix = KE_LATER(suffix)};
  return 1;
}

#endif
