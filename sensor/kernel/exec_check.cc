// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/exec_check.h"

#include <array>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/host.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// In the order of Way.
constexpr std::array<const char*, 2> kNames = {"BPF LSM bprm_creds_from_file",
                                               "fmod_ret security_bprm_creds_from_file"};

// The folders that they are pinned in.
constexpr std::array<const char*, 2> kGroups = {"exec_check_lsm", "exec_check_modify"};

}  // namespace

std::string ExecCheck::Load(Way way, const bpf_object* base, int cpus, const Configure& configure) {
  const bool preempted = HooksMayBePreempted();
  if (way == kLsm && !BpfLsmIsActive()) return "bpf is not in /sys/kernel/security/lsm";
  if (way == kModify && preempted) {
    return "tasks can be preempted in hooks here, and nothing but BPF LSM can keep them from it";
  }
  check_.reset(ke_exec_check::open());
  if (check_ == nullptr) return ErrnoText(errno);
  configure(check_.get());
  check_->rodata->ke_cfg_hold_cpu = way == kLsm && preempted ? 1 : 0;
  auto& maps = check_->maps;
  const auto count = static_cast<uint32_t>(cpus);
  bpf_map__set_max_entries(maps.ke_scratch, count);
  bpf_map__set_max_entries(maps.ke_walks, count);
  bpf_map__set_max_entries(maps.ke_filters, count);
  bpf_map__set_max_entries(maps.ke_masks, KE_MASK_SLOTS * count);
  bpf_map__set_max_entries(maps.ke_images, KE_IMAGE_SLOTS * count);
  bpf_program__set_autoload(Program(way == kLsm ? kModify : kLsm), false);
  // An exec may be judged here while the hook that sees it done is at work on the same CPU.
  std::string why = LoadBeside(base, check_->obj,
                               {"ke_scratch", "ke_walks", "ke_filters", "ke_masks", "ke_images"});
  if (!why.empty()) return why;
  absl::StatusOr<AttachedHook> hook = AttachHook(Program(way));
  if (!hook.ok()) return std::string(hook.status().message());
  hooks_.push_back(*std::move(hook));
  if (pins_ == nullptr) return "";
  return std::string(pins_->PinHooks(kGroups[way], hooks_).message());
}

absl::Status ExecCheck::Want(const bpf_object* base, int cpus, bool asks_caps,
                             const Configure& configure) {
  std::string reasons;
  for (const Way way : {kLsm, kModify}) {
    if (chosen_ >= 0) break;
    refused_[way] = Load(way, base, cpus, configure);
    if (refused_[way].empty()) {
      chosen_ = way;
      break;
    }
    hooks_.clear();
    check_.reset();
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", kNames[way], refused_[way]);
  }
  if (chosen_ < 0) {
    return absl::FailedPreconditionError(
        fmt::format("this kernel can't deny execs (then: kill works): {}", reasons));
  }
  if (asks_caps && chosen_ == kModify) {
    return absl::FailedPreconditionError(fmt::format(
        "this kernel can't deny execs by process.cap_* or process.gained_file_caps (then: kill "
        "works): {} runs before they are known, and {}: {}",
        kNames[kModify], kNames[kLsm], refused_[kLsm]));
  }
  return absl::OkStatus();
}

std::vector<Backend> ExecCheck::backends() const {
  std::vector<Backend> rows;
  for (size_t i = 0; i < kNames.size(); ++i) {
    Backend row{.feature = "process.exec (deny)",
                .name = kNames[i],
                .available = refused_[i].empty(),
                .chosen = chosen_ == static_cast<int>(i),
                .reason = refused_[i]};
    if (row.reason.empty() && !row.chosen) {
      row.reason = chosen_ < 0 ? "no rule denies" : "not needed: a better one is in use";
    }
    if (row.chosen && i == kModify) row.cost = "rules can't deny by what file capabilities give";
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::Status ExecCheck::UsePins(const Pins* pins) {
  pins_ = pins;
  for (const Way way : {kLsm, kModify}) {
    if (chosen_ >= 0 || !pins->Has(kGroups[way])) continue;
    ASSIGN_OR_RETURN(hooks_, pins->Hooks(kGroups[way]));
    chosen_ = way;
  }
  return absl::OkStatus();
}

uint64_t ExecCheck::Missed() const { return RecursionMisses(hooks_); }

}  // namespace kentry
