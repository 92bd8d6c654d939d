// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/deed_hook.h"

#include <array>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/host.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// What is read of a class: its name, that of its pins, and those of its hooks in the order of Way.
struct Names {
  const char* feature;
  const char* group;
  std::array<const char*, 2> hooks;
};
// From KE_RC_PTRACE on.
constexpr std::array<Names, 3> kNames = {{
    {"process.ptrace",
     "ptrace",
     {"BPF LSM ptrace_access_check, ptrace_traceme",
      "fmod_ret security_ptrace_access_check, security_ptrace_traceme"}},
    {"process.signal", "signal", {"BPF LSM task_kill", "fmod_ret security_task_kill"}},
    {"process.bpf",
     "bpf",
     {"BPF LSM bpf_map, bpf_prog", "fmod_ret security_bpf_map, security_bpf_prog"}},
}};

const Names& NamesOf(ke_rule_class cls) { return kNames[static_cast<size_t>(cls - KE_RC_PTRACE)]; }

}  // namespace

// The folder that they are pinned in.
std::string DeedHook::Group(Way way) const {
  return fmt::format("{}_{}", NamesOf(class_).group, way == kLsm ? "lsm" : "modify");
}

std::vector<bpf_program*> DeedHook::Programs(Way way) const {
  auto& p = object_->progs;
  const bool lsm = way == kLsm;
  if (class_ == KE_RC_SIGNAL) return {lsm ? p.signal__lsm : p.signal__modify};
  if (class_ == KE_RC_BPF) {
    return {lsm ? p.bpf_map__lsm : p.bpf_map__modify, lsm ? p.bpf_prog__lsm : p.bpf_prog__modify};
  }
  return {lsm ? p.ptrace__lsm : p.ptrace__modify, lsm ? p.traceme__lsm : p.traceme__modify};
}

std::string DeedHook::Load(Way way, const bpf_object* base, int cpus, const Configure& configure) {
  if (way == kLsm && !BpfLsmIsActive()) return "bpf is not in /sys/kernel/security/lsm";
  object_.reset(ke_deed_hooks::open());
  if (object_ == nullptr) return ErrnoText(errno);
  configure(object_.get());
  const bool preempted = HooksMayBePreempted();
  // fmod_ret has a guard that skips a second run on a CPU, which would let it through.
  denies_ = way == kLsm || !preempted;
  object_->rodata->ke_cfg_may_deny = denies_ ? 1 : 0;
  object_->rodata->ke_cfg_hold_cpu = preempted ? 1 : 0;
  const auto count = static_cast<uint32_t>(cpus);
  auto& maps = object_->maps;
  bpf_map__set_max_entries(maps.ke_deeds, count);
  bpf_map__set_max_entries(maps.ke_filters, count);
  bpf_map__set_max_entries(maps.ke_masks, KE_MASK_SLOTS * count);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_->obj) bpf_program__set_autoload(program, false);
  for (bpf_program* mine : Programs(way)) bpf_program__set_autoload(mine, true);
  std::string why = LoadBeside(base, object_->obj, {"ke_filters", "ke_masks"});
  if (!why.empty()) return why;
  for (bpf_program* mine : Programs(way)) {
    absl::StatusOr<AttachedHook> hook = AttachHook(mine);
    if (!hook.ok()) return std::string(hook.status().message());
    hooks_.push_back(*std::move(hook));
  }
  if (pins_ == nullptr) return "";
  return std::string(pins_->PinHooks(Group(way).c_str(), hooks_).message());
}

absl::Status DeedHook::Want(const bpf_object* base, int cpus, bool deny,
                            const Configure& configure) {
  const Names& names = NamesOf(class_);
  std::string reasons;
  for (const Way way : {kLsm, kModify}) {
    if (chosen_ >= 0) break;
    refused_[way] = Load(way, base, cpus, configure);
    if (refused_[way].empty()) {
      chosen_ = way;
      break;
    }
    hooks_.clear();
    object_.reset();
    reasons +=
        fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", names.hooks[way], refused_[way]);
  }
  if (chosen_ < 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} can't be watched: {}", names.feature, reasons));
  }
  if (!deny || denies_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("this kernel can't deny {}: {}: {}; by fmod_ret: tasks can be preempted in hooks "
                  "here, and nothing but BPF LSM can keep them from it",
                  names.feature, names.hooks[kLsm], refused_[kLsm]));
}

absl::Status DeedHook::UsePins(const Pins* pins) {
  pins_ = pins;
  for (const Way way : {kLsm, kModify}) {
    const std::string group = Group(way);
    if (chosen_ >= 0 || !pins->Has(group.c_str())) continue;
    ASSIGN_OR_RETURN(hooks_, pins->Hooks(group.c_str()));
    chosen_ = way;
    denies_ = way == kLsm || !HooksMayBePreempted();
  }
  return absl::OkStatus();
}

std::vector<Backend> DeedHook::backends() const {
  const Names& names = NamesOf(class_);
  std::vector<Backend> rows;
  for (size_t i = 0; i < names.hooks.size(); ++i) {
    Backend row{.feature = names.feature,
                .name = names.hooks[i],
                .available = refused_[i].empty(),
                .chosen = chosen_ == static_cast<int>(i),
                .reason = refused_[i]};
    if (row.reason.empty() && !row.chosen) {
      row.reason = chosen_ < 0 ? "no rule asks for it" : "not needed: a better one is in use";
    }
    if (row.chosen && !denies_) row.cost = "it is watched, not denied";
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace kentry
