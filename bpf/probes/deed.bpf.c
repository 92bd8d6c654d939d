/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one process does to another, or to maps and programs, before it happens: hooks of the
 * security modules, each as a BPF LSM program and as what changes the return value of the function
 * that asks the modules. The kernel itself lets a process do all of it to its own threads, and asks
 * nobody.
 */
#include "bpf/lib/deed.h"
#include "bpf/lib/objects.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* linux/ptrace.h. NOAUDIT: somebody asks what he would be shown (/proc/PID/stat): a refusal hides a
 * number, and ps asks it of every process. */
#define PTRACE_MODE_ATTACH_BIT 0x02
#define PTRACE_MODE_NOAUDIT_BIT 0x04
/* linux/fs.h. */
#define FMODE_WRITE_BIT 2
/* linux/sched/signal.h: values of `info` that are no pointers, for signals of the kernel's own. */
#define SEND_SIG_LAST_SPECIAL 1

static __always_inline int ptrace__access(struct task_struct* target, __u32 mode) {
  __u32 cpu = bpf_get_smp_processor_id();
  if (mode & PTRACE_MODE_NOAUDIT_BIT) return 0;
  struct ke_deed_state* st = deed__begin(cpu, KE_RC_PTRACE, target);
  if (!st) return 0;
  st->rec.mode = mode;
  if (mode & PTRACE_MODE_ATTACH_BIT) st->rec.access = KE_DEED_ATTACH;
  return hook__refusal(deed__run(cpu));
}

/* PTRACE_TRACEME: the current process wants to be traced by its parent. */
static __always_inline int ptrace__offer(struct task_struct* parent) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_deed_state* st = deed__begin(cpu, KE_RC_PTRACE, parent);
  if (!st) return 0;
  st->rec.access = KE_DEED_ATTACH | KE_DEED_TRACEME;
  return hook__refusal(deed__run(cpu));
}

/*
 * The hook's arguments: target, info, signal, credentials. Only check_kill_permission gives an info
 * and no credentials; what gives credentials (the completion of a USB request) comes from an
 * interrupt, perhaps of a run of this program, whose state it must not touch. Both may be null,
 * which newer kernels don't believe of a hook's argument: they are read as numbers.
 */
static __always_inline int signal__send(unsigned long long* ctx) {
  __u64 info = 0, cred = 0;
  bpf_probe_read_kernel(&info, sizeof(info), &ctx[1]);
  bpf_probe_read_kernel(&cred, sizeof(cred), &ctx[3]);
  if (info <= SEND_SIG_LAST_SPECIAL || cred) return 0;
  struct task_struct* target = (void*)ctx[0];
  __u32 cpu = bpf_get_smp_processor_id();
  if ((__u32)target->tgid == bpf_get_current_pid_tgid() >> 32) return 0;
  struct ke_deed_state* st = deed__begin(cpu, KE_RC_SIGNAL, target);
  if (!st) return 0;
  st->rec.signal = (__u32)ctx[2];
  return hook__refusal(deed__run(cpu));
}

static __always_inline struct ke_deed_state* bpf__get(__u32 cpu, __u32 kind, __u32 id) {
  struct ke_deed_state* st = deed__begin(cpu, KE_RC_BPF, NULL);
  if (!st) return NULL;
  st->rec.target_tid = id;
  if (object__is_own(kind, id)) st->rec.access = KE_DEED_SENSOR;
  return st;
}

static __always_inline int bpf__get_map(struct bpf_map* map, __u32 mode) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_deed_state* st = bpf__get(cpu, KE_OBJECT_MAP, map->id);
  if (!st) return 0;
  if (mode & FMODE_WRITE_BIT) st->rec.access |= KE_DEED_BPF_WRITE;
  bpf_core_read(st->rec.target_comm, sizeof(st->rec.target_comm), &map->name);
  return hook__refusal(deed__run(cpu));
}

/* A program whose descriptor somebody has can have its functions replaced (BPF_PROG_TYPE_EXT). */
static __always_inline int bpf__get_program(struct bpf_prog* prog) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_deed_state* st = bpf__get(cpu, KE_OBJECT_PROGRAM, BPF_CORE_READ(prog, aux, id));
  if (!st) return 0;
  st->rec.access |= KE_DEED_BPF_PROGRAM | KE_DEED_BPF_WRITE;
  bpf_core_read(st->rec.target_comm, sizeof(st->rec.target_comm), &prog->aux->name);
  return hook__refusal(deed__run(cpu));
}

HOOK_PAIR(bpf_map, bpf_map, bpf__get_map(map, mode), struct bpf_map* map, unsigned int mode)
HOOK_PAIR(bpf_prog, bpf_prog, bpf__get_program(prog), struct bpf_prog* prog)
HOOK_PAIR(ptrace, ptrace_access_check, ptrace__access(target, mode), struct task_struct* target,
          unsigned int mode)
HOOK_PAIR(traceme, ptrace_traceme, ptrace__offer(parent), struct task_struct* parent)

SEC("lsm/task_kill")
int signal__lsm(unsigned long long* ctx) {
  int ret = ctx[4];
  return ret ? ret : HELD(signal__send(ctx));
}

SEC("fmod_ret/security_task_kill")
int signal__modify(unsigned long long* ctx) {
  int ret = ctx[4];
  return ret ? ret : signal__send(ctx);
}
