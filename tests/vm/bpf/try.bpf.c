/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The filter over records that user space made up: run by BPF_PROG_TEST_RUN, attached nowhere. What
 * hooks read from the kernel comes from a map; from there on it is their code. An open is judged as
 * open__fentry judges one that its caches don't know.
 */
#include "bpf/lib/open.h" /* has the kernel's types: first */

#include "bpf/lib/address.h"
#include "tests/vm/bpf/try.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, KE_TRY_RECORDS);
  __type(key, __u32);
  __type(value, struct ke_try_in);
} ke_try_in SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, KE_TRY_RECORDS);
  __type(key, __u32);
  __type(value, struct ke_try_out);
} ke_try_out SEC(".maps");

/* As much of a file's directory and the one above as the filter reads, at the kernel's places. */
struct ke_try_dirs {
  __u8 super_block[64];
  __u8 inode[2][256];
  __u8 dentry[2][256];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ke_try_dirs);
} ke_try_dirs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, KE_TRY_RECORDS);
  __type(key, __u32);
  __type(value, struct ke_try_address);
} ke_try_addrs SEC(".maps");

/* Records of ke_try_in or ke_try_addrs to judge. */
__u32 ke_try_count = 0;

/* The walker as path__walk leaves it. */
static __always_inline void try__walk(struct ke_walk* walk, const __u8* text, __u32 text_len,
                                      __u32 base) {
  __u64 len = ke_bound(text_len, KE_PATH_MAX);
  __u64 off = ke_bound(KE_PATH_MAX - len, KE_PATH_MAX);
  bpf_probe_read_kernel(&walk->path[off], len, text);
  walk->off = off;
  walk->base = base;
}

/* The filter's process, as an exec and later events see it. */
__weak __noinline int try__subject(__u32 i) {
  __u32 slot = open__slot(0);
  struct ke_try_in* in = bpf_map_lookup_elem(&ke_try_in, &i);
  struct ke_try_out* out = bpf_map_lookup_elem(&ke_try_out, &i);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  struct ke_rule_control* control = rules__control();
  if (!in || !out || !f || !walk || !control) return 0;
  __u32 epoch = KE_STAMP_EPOCH(control->stamp);
  __u32 at = epoch & 1;
  __builtin_memset(&f->proc, 0, sizeof(f->proc));
  try__walk(walk, in->parent, in->parent_len, in->parent_base);
  out->parent_told = string__ids(slot, at);
  out->parent = f->ids;
  f->proc.parent[at] = f->later; /* what the parent's entry has of it */
  try__walk(walk, in->binary, in->binary_len, in->binary_base);
  out->own_told = string__ids(slot, at);
  out->own = f->ids;
  f->proc.own[at] = in->cls == KE_RC_OPEN ? f->later : f->ids;
  bool told = out->own_told && out->parent_told && !(in->how & KE_TRY_STALE);
  f->proc.epoch[at] = told ? epoch : 0;
  f->proc.flags = in->flags & KE_F_IMAGE;
  /* A process of which there is nothing to remember has no entry, unless nobody knows. */
  f->proc.start_ns = !proc__empty(&f->proc) || !told;
  __builtin_memcpy(f->numbers, in->numbers, sizeof(in->numbers));
  __builtin_memcpy(f->words, in->words, sizeof(in->words));
  f->cgroup_id = in->cgroup_id;
  return 1;
}

/* The directories by their inodes, all of device 0. */
static __always_inline void try__dirs(struct ke_open_state* st, const struct ke_try_in* in) {
  __u32 zero = 0;
  struct ke_try_dirs* dirs = bpf_map_lookup_elem(&ke_try_dirs, &zero);
  if (!dirs) return;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    __u8* inode = dirs->inode[i];
    __u8* dentry = dirs->dentry[i];
    *(__u64*)(inode + bpf_core_field_offset(struct inode, i_sb)) = (__u64)dirs->super_block;
    *(__u64*)(inode + bpf_core_field_offset(struct inode, i_ino)) = in->dirs[i];
    *(__u64*)(dentry + bpf_core_field_offset(struct dentry, d_inode)) = (__u64)inode;
    *(__u64*)(dentry + bpf_core_field_offset(struct dentry, d_parent)) = (__u64)dirs->dentry[1];
  }
  st->dir.at.dentry = (__u64)dirs->dentry[0];
}

/* What open__fentry does before it judges, its caches cold; the file has other links. Returns
 * whether it judges: not here, for the stack of all calls is short. */
__weak __noinline int try__open(__u32 i) {
  __u32 cpu = 0;
  __u32 slot = open__slot(cpu);
  struct ke_try_in* in = bpf_map_lookup_elem(&ke_try_in, &i);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_walk* walk = bpf_map_lookup_elem(&ke_walks, &slot);
  struct ke_rule_control* control = rules__control();
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  struct ke_who_slot* who = bpf_map_lookup_elem(&ke_open_who, &cpu);
  struct ke_dir_slot* dir = bpf_map_lookup_elem(&ke_open_dirs, &cpu);
  if (!in || !f || !walk || !control || !st || !who || !dir) return 0;
  __builtin_memset(st, 0, sizeof(*st));
  st->stamp = control->stamp;
  st->at = KE_STAMP_EPOCH(control->stamp) & 1;
  if (!filter__process(slot, st->at, KE_RC_OPEN)) return 0;
  row__copy(&who->row, &f->acc);
  st->undecided = f->undecided;
  struct ke_rule_config* cfg = rules__config(st->at);
  st->name = (__u64)&in->path[ke_bound(in->name_off, KE_PATH_MAX)];
  st->name_len = in->name_len;
  try__walk(walk, in->path, in->dir_len, 0);
  try__dirs(st, in);
  dir__judge(cpu);
  dir__ends(cpu);
  if (in->how & KE_TRY_CUT) dir->flags = KE_DIR_UNSURE;
  struct ke_ident_key key = {.ino = in->ino};
  struct ke_ident* ident = rules__lookup(ke_r_idents, st->at, &key);
  st->alias = ident ? ident->exact : 0;
  st->name_prefix = ident ? ident->exact_prefix : 0;
  st->name_suffix = ident ? ident->exact_suffix : 0;
  if (!st->alias &&
      (dir->flags & KE_DIR_NONE || (dir->flags & KE_DIR_HINTED && cfg && !open__hint(st, f, cfg))))
    return 0;
  try__walk(walk, in->path, in->walk_len, in->name_len);
  st->hint = KE_HINT_UNKNOWN;
  st->walked = 1;
  st->walk = in->how & KE_TRY_CUT ? KE_WALK_CUT : KE_WALK_DONE;
  st->access = in->access;
  return 1;
}

__weak __noinline int try__record(__u32 i) {
  __u32 slot = open__slot(0);
  struct ke_try_in* in = bpf_map_lookup_elem(&ke_try_in, &i);
  struct ke_try_out* out = bpf_map_lookup_elem(&ke_try_out, &i);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &slot);
  struct ke_rule_control* control = rules__control();
  __u32 cpu = 0;
  struct ke_open_state* st = bpf_map_lookup_elem(&ke_open_states, &cpu);
  if (!in || !out || !f || !control || !st || !try__subject(i)) return 0;
  __u32 at = KE_STAMP_EPOCH(control->stamp) & 1;
  __u32 class = in->cls;
  out->any = class == KE_RC_OPEN ? try__open(i) : filter__process(slot, at, class);
  if (class == KE_RC_OPEN && out->any) out->any = open__judge(cpu);
  if (out->any == KE_BY_PATH) out->any = open__by_path(cpu);
  out->undecided = f->undecided;
  out->alias = st->alias;
  out->alias_prefix = st->alias_prefix;
  row__copy(&out->clauses, &f->acc);
  __u32 tgid = KE_TRY_TGID;
  bpf_map_delete_elem(&ke_marks, &tgid);
  if (out->any) marks__set(slot, at, class, tgid, 1);
  marks__load(slot, tgid, 1);
  out->marks = f->words[KE_WORD_MARKS] & ~KE_MARK_ALWAYS;
  out->marked = f->words[KE_WORD_MARKED];
  return 1;
}

/* A classifier that looks at no packet: of the types that can be run like this, 5.10 complains
 * about raw tracepoints, whose maps it wants preallocated. */
SEC("tc")
int try__run(struct __sk_buff* skb) {
  __u32 count = ke_try_count;
  __u32 done = 0;
  for (__u32 i = 0; i < KE_TRY_RECORDS; i++) {
    if (i >= count) break;
    done += try__record(i);
  }
  return done;
}

__weak __noinline int try__address(__u32 i) {
  struct ke_try_address* try = bpf_map_lookup_elem(&ke_try_addrs, &i);
  struct ke_rule_control* control = rules__control();
  if (!try || !control) return 0;
  __u32 at = KE_STAMP_EPOCH(control->stamp) & 1;
  struct ke_rule_config* cfg = rules__config(at);
  if (!cfg) return 0;
  try->id = address__id(at, try->place, try->family, try->bytes);
  __u32 dim = KE_DIM_ADDRESS + (try->place & (KE_ADDRESS_PLACES - 1));
  __u32 base = cfg->base[try->cls & (KE_RC_MAX - 1)][dim];
  struct ke_row* row = base ? rules__row(at, base + try->id) : NULL;
  if (row) row__copy(&try->row, row);
  return 1;
}

SEC("tc")
int try__addresses(struct __sk_buff* skb) {
  __u32 count = ke_try_count;
  __u32 done = 0;
  for (__u32 i = 0; i < KE_TRY_RECORDS; i++) {
    if (i >= count) break;
    done += try__address(i);
  }
  return done;
}
