// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/file_open.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/host.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// Both caches together stay below a megabyte or two, whatever the number of CPUs.
uint32_t SlotsPerCpu(uint32_t all, int cpus) {
  return std::bit_floor(std::clamp(all / static_cast<uint32_t>(cpus), 32u, 1024u));
}
constexpr uint32_t kWhoSlots = 2048;
constexpr uint32_t kDirSlots = 2048;

struct Names {
  const char* name;
  const char* unused;
};
// In the order of Way.
constexpr std::array<Names, 3> kNames = {
    {{"BPF LSM file_open, path_mknod", "no rule denies"},
     {"fmod_ret security_file_open, security_path_mknod", "no rule denies"},
     {"fentry security_file_open", "no rule asks for it"}}};

// The folders that they are pinned in.
constexpr std::array<const char*, 3> kGroups = {"open_lsm", "open_modify", "open_watch"};

}  // namespace

// "" or why this way can't be had.
std::string FileOpen::Load(Way way, const bpf_object* base, int cpus, const Configure& configure,
                           Hook* hook) {
  const bool preempted = HooksMayBePreempted();
  if (way == kLsm && !BpfLsmIsActive()) return "bpf is not in /sys/kernel/security/lsm";
  if (way == kModify && preempted) {
    return "tasks can be preempted in hooks here, and nothing but BPF LSM can keep them from it";
  }
  hook->open.reset(ke_open::open());
  ke_open* open = hook->open.get();
  if (open == nullptr) return ErrnoText(errno);
  configure(open);
  const uint32_t who = SlotsPerCpu(kWhoSlots, cpus);
  const uint32_t dir = SlotsPerCpu(kDirSlots, cpus);
  const auto count = static_cast<uint32_t>(cpus);
  open->rodata->ke_cfg_first_slot = count + 1;
  open->rodata->ke_cfg_who_slots = who;
  open->rodata->ke_cfg_dir_slots = dir;
  open->rodata->ke_cfg_hold_cpu = way == kLsm && preempted ? 1 : 0;
  bpf_map__set_max_entries(open->maps.ke_open_who, count * who);
  bpf_map__set_max_entries(open->maps.ke_open_dirs, count * dir);
  bpf_map__set_max_entries(open->maps.ke_open_states, count);
  bpf_map__set_max_entries(open->maps.ke_open_recs, count);
  auto& progs = open->progs;
  const std::array<std::array<bpf_program*, 2>, kWays> pairs = {
      {{progs.open__lsm, progs.create__lsm},
       {progs.open__modify, progs.create__modify},
       {progs.open__fentry, nullptr}}};
  for (size_t i = 0; i < pairs.size(); ++i) {
    for (bpf_program* program : pairs[i]) {
      if (program != nullptr) bpf_program__set_autoload(program, i == static_cast<size_t>(way));
    }
  }
  if (std::string why = LoadBeside(base, open->obj); !why.empty()) return why;
  hook->way = way;
  // The one that reports last.
  for (bpf_program* program : {pairs[way][1], pairs[way][0]}) {
    if (program == nullptr) continue;
    absl::StatusOr<AttachedHook> attached = AttachHook(program);
    if (!attached.ok()) return std::string(attached.status().message());
    hook->hooks.push_back(*std::move(attached));
  }
  return "";
}

absl::Status FileOpen::Want(const bpf_object* base, int cpus, bool deny,
                            const Configure& configure) {
  if (denies() || (chosen_ >= 0 && !deny)) return absl::OkStatus();
  std::string reasons;
  for (const Way way : {kWatch, kLsm, kModify}) {
    if (deny == (way == kWatch)) continue;
    Hook hook;
    refused_[way] = Load(way, base, cpus, configure, &hook);
    if (refused_[way].empty() && pins_ != nullptr) {
      // Before it judges: nobody is left without.
      RETURN_IF_ERROR(pins_->PinHooks(kGroups[way], hook.hooks));
    }
    if (refused_[way].empty()) {
      old_ = std::move(now_);
      now_ = std::move(hook);
      chosen_ = way;
      return absl::OkStatus();
    }
    reasons +=
        fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", kNames[way].name, refused_[way]);
  }
  return absl::FailedPreconditionError(
      fmt::format("{}: {}", deny ? "this kernel can't deny opens" : "file.open", reasons));
}

void FileOpen::DropOld() {
  missed_before_ += old_.Missed();
  if (pins_ != nullptr && old_.way >= 0) (void)pins_->DropHooks(kGroups[old_.way]);
  old_ = Hook();
}

uint64_t FileOpen::Hook::Missed() const {
  uint64_t missed = 0;
  for (const AttachedHook& hook : hooks) {
    if (hook.program.starts_with("open__")) missed += RecursionMisses(hook.fd.get());
  }
  return missed;
}

absl::Status FileOpen::UsePins(const Pins* pins) {
  pins_ = pins;
  for (const Way way : {kWatch, kModify, kLsm}) {
    if (!pins->Has(kGroups[way])) continue;
    Hook hook{.way = way};
    ASSIGN_OR_RETURN(hook.hooks, pins->Hooks(kGroups[way]));
    // Two are there when a change from one to the other was cut short.
    old_ = std::move(now_);
    now_ = std::move(hook);
    chosen_ = way;
  }
  return absl::OkStatus();
}

std::vector<Backend> FileOpen::backends() const {
  std::vector<Backend> rows;
  for (size_t i = 0; i < kNames.size(); ++i) {
    const bool chosen = chosen_ == static_cast<int>(i);
    Backend row{.feature = "file.open",
                .name = kNames[i].name,
                .available = refused_[i].empty(),
                .chosen = chosen,
                .reason = refused_[i]};
    if (row.reason.empty() && !chosen) {
      row.reason =
          denies() && i == kWatch ? "not needed: one that denies is in use" : kNames[i].unused;
    }
    rows.push_back(std::move(row));
  }
  if (!refused_[kWatch].empty()) rows.back().cost = "rules on file.open can't be had";
  return rows;
}

}  // namespace kentry
