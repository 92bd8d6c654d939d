/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which cgroups there are. These records go to the priority rings: without them no later event can
 * be given to its container, so a flood of events must not push them out.
 */
#include "bpf/lib/path.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u8[sizeof(struct ke_cgroup) + KE_PATH_MAX]);
} ke_cg_scratch SEC(".maps");

static __always_inline int cgroup__report(struct cgroup* cgroup, const char* path, __u32 op) {
  __u32 zero = 0;
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  struct ke_cgroup* rec = bpf_map_lookup_elem(&ke_cg_scratch, &zero);
  if (!stats || !rec) return 0;
  if (cgroup->root->hierarchy_id != ke_cfg_cgroup_hier) {
    event__skip(stats, KE_CGROUP);
    return 0;
  }
  event__begin(stats, &rec->hdr, cpu, KE_CGROUP);
  rec->id = cgroup->kn->id;
  rec->op = op;
  rec->level = cgroup->level;
  rec->path.off = sizeof(*rec);
  long len = bpf_probe_read_kernel_str((char*)rec + sizeof(*rec), KE_PATH_MAX, path);
  if (len <= 0) {
    site__count(stats, KE_SITE_CGROUP_READ);
    len = 1;
  }
  rec->path.len = len - 1;
  __u32 size = sizeof(*rec) + (len - 1);
  if (size > sizeof(*rec) + KE_PATH_MAX) size = sizeof(*rec) + KE_PATH_MAX;
  event__send_prio(stats, rec, size);
  return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir__tp_btf, struct cgroup* cgroup, const char* path) {
  return cgroup__report(cgroup, path, KE_CGROUP_MKDIR);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_rmdir__tp_btf, struct cgroup* cgroup, const char* path) {
  return cgroup__report(cgroup, path, KE_CGROUP_RMDIR);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(cgroup_rename__tp_btf, struct cgroup* cgroup, const char* path) {
  return cgroup__report(cgroup, path, KE_CGROUP_RENAME);
}

/* A process's move. One thread's alone (v1, threaded v2) leaves the process where it was. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_attach__tp_btf, struct cgroup* to, const char* path, struct task_struct* task,
             bool threadgroup) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct ke_cpu_stats* stats = stats__of(cpu);
  if (!stats) return 0;
  if (to->root->hierarchy_id != ke_cfg_cgroup_hier || task->pid != task->tgid) {
    event__skip(stats, KE_CGROUP_MOVE);
    return 0;
  }
  struct ke_cgroup_move rec = {};
  event__begin(stats, &rec.hdr, cpu, KE_CGROUP_MOVE);
  rec.id = to->kn->id;
  rec.tgid = task->tgid;
  rec.start_ns = task->start_boottime;
  event__send_prio(stats, &rec, sizeof(rec));
  return 0;
}
