/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judging what one process does to another: it looks into it, takes control of it, or sends it a
 * signal; and who gets hold of maps and programs. Rare beside opens, so nothing is cached but
 * intersections of rows.
 */
#ifndef KE_DEED_H
#define KE_DEED_H

#include "bpf/lib/current.h"
#include "bpf/lib/hook.h"
#include "bpf/lib/procs.h"

struct ke_deed_state {
  struct ke_deed rec;
  struct ke_row clauses; /* the record's end */
  __u64 stamp;           /* of ke_rule_control */
  __u64 target;          /* address of its task_struct; 0 = it is no process */
  __u32 at;              /* slot of the epoch */
  __u32 class;           /* enum ke_rule_class */
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* CPUs */
  __type(key, __u32);
  __type(value, struct ke_deed_state);
} ke_deeds SEC(".maps");

const volatile __u32 ke_cfg_may_deny = 0;

/* The records of the classes follow each other in the same order. */
static __always_inline __u32 deed__type(__u32 class) {
  return (KE_PTRACE + class - KE_RC_PTRACE) & (KE_TYPE_MAX - 1);
}

/* Prepares this CPU's state; 0 = no rule in force is on the class, or it is the sensor's own deed.
 */
__weak __noinline int deed__prepare(__u32 cpu, __u32 class) {
  struct ke_rule_control* control = rules__control();
  __u64 id = bpf_get_current_pid_tgid();
  __u32 tgid = id >> 32;
  if (!control) return 0;
  if (self__is(control, tgid)) return own__skip(cpu, deed__type(class));
  __u64 stamp = control->stamp;
  __u32 at = KE_STAMP_EPOCH(stamp) & 1;
  struct ke_rule_config* cfg = rules__config(at);
  if (!KE_STAMP_EPOCH(stamp) || !cfg || !(cfg->classes >> (class & 31) & 1)) return 0;
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  if (!st) return 0;
  struct task_struct* task = (void*)bpf_get_current_task();
  __builtin_memset(&st->rec, 0, sizeof(st->rec));
  st->rec.by.tgid = tgid;
  st->rec.by.tid = id;
  st->rec.by.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
  st->rec.by.hdr.epoch = KE_STAMP_EPOCH(stamp);
  st->stamp = stamp;
  st->at = at;
  st->class = class;
  return 1;
}

/* The same; the caller fills in what is done. NULL = nothing is to be judged. */
static __always_inline struct ke_deed_state* deed__begin(__u32 cpu, __u32 class,
                                                         struct task_struct* target) {
  if (!deed__prepare(cpu, class)) return NULL;
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  if (st) st->target = (__u64)target;
  return st;
}

/* Processes of one container share both; one whose first thread has gone has neither. */
static __always_inline bool target__is_beside(struct task_struct* target) {
  struct task_struct* task = (void*)bpf_get_current_task();
  return BPF_CORE_READ(target, nsproxy, mnt_ns) == BPF_CORE_READ(task, nsproxy, mnt_ns) &&
         untyped__pid_ns(target) == untyped__pid_ns(task);
}

/* Who the target is. */
__weak __noinline int deed__target(__u32 cpu) {
  struct ke_rule_control* control = rules__control();
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  if (!st || !control) return 0;
  struct ke_deed* rec = &st->rec;
  struct task_struct* target = (void*)st->target;
  if (!target) return 1;
  struct task_struct* leader = BPF_CORE_READ(target, group_leader);
  rec->target_tgid = BPF_CORE_READ(target, tgid);
  rec->target_tid = BPF_CORE_READ(target, pid);
  rec->target_start_ns = BPF_CORE_READ(leader, start_boottime);
  rec->target_uid = BPF_CORE_READ(target, real_cred, uid.val);
  if (control->self == rec->target_tgid && control->self_start_ns == rec->target_start_ns)
    rec->access |= KE_DEED_SENSOR;
  if (target__is_beside(target)) rec->access |= KE_DEED_SAME_CONTAINER;
  if ((__u32)BPF_CORE_READ(leader, real_parent, tgid) == rec->by.tgid) rec->access |= KE_DEED_CHILD;
  return 1;
}

/* Can a clause hold, by what is done to whom? Most deeds end here, before much is read of the
 * process. */
__weak __noinline int deed__may_hold(__u32 cpu) {
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  if (!st || !f) return 0;
  __u32 at = st->at;
  __u32 class = st->class & (KE_RC_MAX - 1);
  struct ke_rule_config* cfg = rules__config(at);
  void* rows = bpf_map_lookup_elem(&ke_r_rows, &at);
  if (!cfg || !rows) return 1;
  __u32 all = cfg->class_row[class];
  struct ke_row* row = bpf_map_lookup_elem(rows, &all);
  if (!row) return 1;
  row__copy(&f->acc, row);
  f->numbers[KE_NUM_SIGNAL] = st->rec.signal;
  f->numbers[KE_NUM_TARGET_UID] = st->rec.target_uid;
  __u32 base = cfg->base[class][KE_DIM_FILE_ACCESS];
  if (base && !filter__and(cpu, at, base + (st->rec.access & (KE_DEED_ACCESS_MAX - 1)))) return 0;
  for (__u32 i = 0; i < KE_NUMBERS_MAX; i++) {
    if (i >= cfg->numbers_used) break;
    base = cfg->base[class][KE_DIM_NUMBER + i];
    __u32 which = cfg->numbers[i];
    if (!base || which < KE_NUM_SIGNAL || which >= KE_NUM_MAX) continue;
    if (!filter__and(cpu, at, base + number__id(at, i, f->numbers[which]))) return 0;
  }
  return 1;
}

/* The clauses that hold, into the filter's acc; 0 = none. */
__weak __noinline int deed__judge(__u32 cpu) {
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  if (!st || !f || !deed__may_hold(cpu)) return 0;
  __u32 at = st->at;
  __u32 class = st->class & (KE_RC_MAX - 1);
  struct ke_rule_config* cfg = rules__config(at);
  struct ke_deed* rec = &st->rec;
  __u32 base = cfg ? cfg->base[class][KE_DIM_FILE_ACCESS] : 0;
  __u32 loginuid, sessionid;
  current__read(&rec->by.creds, &rec->by.ns, &loginuid, &sessionid);
  rec->by.cgroup_id = current__cgroup_id();
  proc__load(f, rec->by.tgid, rec->by.start_ns);
  filter__subject(f, &rec->by.creds, &rec->by.ns, loginuid, sessionid);
  f->cgroup_id = rec->by.cgroup_id;
  if (st->stamp & KE_STAMP_MARKS) marks__load(cpu, rec->by.tgid, rec->by.start_ns);
  if (!filter__process(cpu, at, class)) return 0;
  return base ? filter__and(cpu, at, base + (rec->access & (KE_DEED_ACCESS_MAX - 1))) : 1;
}

/* Decides and acts by the filter's acc. */
__weak __noinline int deed__act(__u32 cpu) {
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !f || !stats) return 0;
  struct ke_deed* rec = &st->rec;
  f->send = KE_SEND_URGENT;
  __u32 verdict = act__decide(cpu, st->at, st->class);
  if (verdict) verdict = act__perform(verdict, rec->by.tgid, !f->undecided, ke_cfg_may_deny);
  rec->verdict = verdict;
  if (f->undecided) {
    rec->flags |= KE_DEED_UNDECIDED;
    site__count(stats, KE_SITE_RULES_UNDECIDED);
  }
  if (st->stamp & KE_STAMP_MARKED)
    marks__set(cpu, st->at, st->class, rec->by.tgid, rec->by.start_ns);
  return 1;
}

/* The record, as judged, on its way; 0 = there was no room for it. */
__weak __noinline int deed__report(__u32 cpu) {
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !f || !stats) return 0;
  struct ke_deed* rec = &st->rec;
  struct task_struct* target = (void*)st->target;
  __u32 epoch = rec->by.hdr.epoch;
  event__begin(stats, &rec->by.hdr, cpu, deed__type(st->class));
  rec->by.hdr.epoch = epoch;
  if (target) {
    rec->target_cgroup_id = untyped__cgroup_id(target);
    bpf_core_read(rec->target_comm, sizeof(rec->target_comm), &target->comm);
  }
  row__copy(&st->clauses, &f->acc);
  rec->clauses.off = KE_OFFSETOF(struct ke_deed_state, clauses);
  rec->clauses.len = sizeof(st->clauses);
  return event__send(stats, rec, KE_OFFSETOF(struct ke_deed_state, stamp), f->send);
}

/* Judges what the hook has handed over; 1 = it is refused. */
__weak __noinline int deed__run(__u32 cpu) {
  struct ke_deed_state* st = bpf_map_lookup_elem(&ke_deeds, &cpu);
  struct ke_filter* f = bpf_map_lookup_elem(&ke_filters, &cpu);
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!st || !f || !stats) return 0;
  if (!deed__target(cpu) || !deed__judge(cpu)) {
    event__skip(stats, deed__type(st->class));
    return 0;
  }
  deed__act(cpu);
  int sent = deed__report(cpu);
  if (st->rec.verdict & KE_VERDICT_DENIED) return 1;
  if (sent || !(f->send & KE_SEND_STRICT)) return 0;
  return strict__refuses(st->at, st->rec.by.tgid, ke_cfg_may_deny);
}

#endif
