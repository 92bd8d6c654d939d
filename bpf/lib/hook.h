/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What hooks that may refuse a call share. */
#ifndef KE_HOOK_H
#define KE_HOOK_H

#include "bpf/lib/act.h"

/* Of 6.11 and later. The per-CPU state is one run's: where a task can be preempted in a hook, and
 * BPF LSM programs have no guard against a second run (6.2 and later), the CPU is held. */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
const volatile __u32 ke_cfg_hold_cpu __weak = 0;

static __always_inline void hook__hold(void) {
  if (ke_cfg_hold_cpu) bpf_preempt_disable();
}

static __always_inline void hook__let_go(void) {
  if (ke_cfg_hold_cpu) bpf_preempt_enable();
}

/* What the hook returns: a constant on each way. 6.12 and later accept nothing of an LSM program
 * whose range they don't see, and the compiler would reckon it from the flag. */
static __always_inline int hook__refusal(bool refused) {
  if (!refused) return 0;
  int refusal = -KE_EPERM;
  asm volatile("" : "+r"(refusal));
  return refusal;
}

#define HELD(call)     \
  ({                   \
    hook__hold();      \
    int _ret = (call); \
    hook__let_go();    \
    _ret;              \
  })

/* A hook with the same arguments in both shapes: a BPF LSM program, and one on the function that
 * asks the modules. */
#define HOOK_PAIR(name, hook, call, args...)                                  \
  SEC("lsm/" #hook)                                                           \
  int BPF_PROG(name##__lsm, args, int ret) { return ret ? ret : HELD(call); } \
  SEC("fmod_ret/security_" #hook)                                             \
  int BPF_PROG(name##__modify, args, int ret) { return ret ? ret : (call); }

/* Has nobody read the rings for so long? */
static __always_inline bool reader__is_stalled(__u64 stall_ns) {
  __u32 zero = 0;
  struct ke_reader* reader = bpf_map_lookup_elem(&ke_reader, &zero);
  return !reader || (__s64)(bpf_ktime_get_boot_ns() - reader->alive_ns) > (__s64)stall_ns;
}

/* A strict rule covers the call, and there was no room for the record: is it refused? `may_deny`:
 * the hook can. */
__weak __noinline int strict__refuses(__u32 at, __u32 tgid, __u32 may_deny) {
  struct ke_rule_config* cfg = rules__config(at);
  struct ke_rule_control* control = rules__control();
  struct ke_cpu_stats* stats = stats__of(bpf_get_smp_processor_id());
  if (!cfg || !control || !stats) return 0;
  if (!(cfg->strict & KE_STRICT_ENFORCED) || control->paused || !may_deny || act__is_exempt(tgid)) {
    site__count(stats, KE_SITE_STRICT_WATCHED);
    return 0;
  }
  if (!(cfg->strict & KE_STRICT_STALLED) && reader__is_stalled(cfg->stall_ns)) {
    site__count(stats, KE_SITE_STRICT_STALLED);
    return 0;
  }
  site__count(stats, KE_SITE_STRICT_REFUSED);
  return 1;
}

#endif
