// SPDX-License-Identifier: Apache-2.0
// What Kernel tells of itself: backends, programs, what was skipped, memory.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "fmt/format.h"
#include "sensor/kernel/kernel_impl.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, KE_SITE_MAX> kSiteNames = {
    "ring_lookup",      "leader_table_full",  "leader_unknown",
    "args_read",        "env_read",           "path_read",
    "path_too_deep",    "path_unstable",      "script_read",
    "cgroup_path_read", "failed_path_read",   "chain_overflow",
    "iterator_write",   "process_table_full", "rules_undecided",
    "name_read",        "rules_missing",      "file_identity_dropped",
    "strict_refused",   "strict_stalled",     "strict_watched",
};

}  // namespace

std::string_view SiteName(int site) {
  const std::string_view name = kSiteNames[static_cast<size_t>(site)];
  return name.empty() ? "reserved" : name;
}

std::vector<Backend> Kernel::Impl::Backends() const {
  std::vector<Backend> all = backends_;
  all.insert(all.end(), failed_exec_.backends().begin(), failed_exec_.backends().end());
  for (Backend& row : file_open_.backends()) all.push_back(std::move(row));
  for (Backend& row : file_change_.backends()) all.push_back(std::move(row));
  for (Backend& row : exec_check_.backends()) all.push_back(std::move(row));
  for (const DeedHook& hook : deeds_) {
    for (Backend& row : hook.backends()) all.push_back(std::move(row));
  }
  return all;
}

uint32_t Kernel::Impl::AskedHooks() const {
  uint32_t types = file_change_.attached() << KE_FILE_UNLINK;
  if (file_open_.attached()) types |= 1u << KE_FILE_OPEN;
  for (size_t i = 0; i < deeds_.size(); ++i) {
    if (deeds_[i].attached()) types |= 1u << (KE_PTRACE + i);
  }
  return types;
}

std::vector<const bpf_object*> Kernel::Impl::Objects() const {
  std::vector<const bpf_object*> objects = {base_->obj};
  if (script_ != nullptr) objects.push_back(script_->obj);
  if (failed_exec_.object() != nullptr) objects.push_back(failed_exec_.object());
  if (file_open_.object() != nullptr) objects.push_back(file_open_.object());
  for (const bpf_object* object : file_change_.objects()) objects.push_back(object);
  if (names_ != nullptr) objects.push_back(names_->obj);
  if (exec_check_.object() != nullptr) objects.push_back(exec_check_.object());
  for (const DeedHook& hook : deeds_) {
    if (hook.object() != nullptr) objects.push_back(hook.object());
  }
  return objects;
}

std::vector<ProgramInfo> Kernel::Impl::Programs() const {
  std::vector<ProgramInfo> programs;
  const auto add = [&programs](const std::string& name, int fd) {
    bpf_prog_info info{};
    uint32_t len = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &len) != 0) return;
    for (const ProgramInfo& known : programs) {
      if (known.id == info.id) return;
    }
    programs.push_back({.name = name,
                        .id = info.id,
                        .verified_insns = info.verified_insns,
                        .recursion_misses = info.recursion_misses});
  };
  for (const bpf_object* object : Objects()) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object)
        add(bpf_program__name(program), bpf_program__fd(program));
  }
  // Those that were adopted are in no object.
  for (const auto* hooks : {&hooks_, &script_hooks_, &failed_exec_.hooks(), &file_open_.hooks()}) {
    for (const AttachedHook& hook : *hooks) add(hook.program, hook.fd.get());
  }
  return programs;
}

uint64_t Kernel::Impl::MissedBy(std::initializer_list<std::string_view> programs) const {
  uint64_t missed = 0;
  for (const AttachedHook& hook : hooks_) {
    if (std::find(programs.begin(), programs.end(), hook.program) != programs.end()) {
      missed += RecursionMisses(hook.fd.get());
    }
  }
  return missed;
}

uint64_t Kernel::Impl::Missed(ke_type type) const {
  switch (type) {
    case KE_EXEC:
      return MissedBy({"exec__tp_btf"});
    case KE_FORK:
      return MissedBy({"fork__tp_btf"});
    case KE_EXIT:
      return MissedBy({"exit__tp_btf"});
    case KE_CGROUP:
      return MissedBy({"cgroup_mkdir__tp_btf", "cgroup_rmdir__tp_btf", "cgroup_rename__tp_btf"});
    case KE_CGROUP_MOVE:
      return MissedBy({"cgroup_attach__tp_btf"});
    case KE_EXEC_FAILED:
      return RecursionMisses(failed_exec_.hooks());
    case KE_FILE_OPEN:
      return file_open_.Missed();
    case KE_EXEC_DENIED:
      return exec_check_.Missed();
    case KE_PTRACE:
    case KE_SIGNAL:
    case KE_BPF:
      return deeds_[static_cast<size_t>(type - KE_PTRACE)].Missed();
    case KE_INVALID:
    case KE_EXISTING:
    case KE_TYPE_MAX:
      return 0;
    default:
      return file_change_.Missed(type);
  }
}

KernelMemory Kernel::Impl::Memory() const {
  KernelMemory memory;
  memory.ring_bytes = (uint64_t{sizes_.bulk} + sizes_.prio) * static_cast<uint64_t>(cpus_);
  std::set<uint32_t> seen;  // maps are shared between objects
  for (const bpf_object* object : Objects()) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      bpf_map_info info{};
      uint32_t len = sizeof(info);
      if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len) != 0) continue;
      if (!seen.insert(info.id).second) continue;
      const std::string path = fmt::format("/proc/self/fdinfo/{}", bpf_map__fd(map));
      FILE* file = std::fopen(path.c_str(), "re");
      if (file == nullptr) continue;
      char line[128];
      unsigned long long bytes = 0;
      while (std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::sscanf(line, "memlock: %llu", &bytes) == 1) memory.map_bytes += bytes;
      }
      std::fclose(file);
    }
  }
  return memory;
}

}  // namespace kentry
