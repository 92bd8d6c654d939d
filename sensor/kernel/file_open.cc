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
  const char* cost;
};
constexpr std::array<Names, 3> kNames = {
    {{"BPF LSM file_open, path_mknod", ""},
     {"fmod_ret security_file_open, security_path_mknod", ""},
     {"fentry security_file_open", "opens are watched, deny can't be had"}}};

}  // namespace

// "" or why this way can't be had.
std::string FileOpen::Try(Way way, const bpf_object* base, int cpus,
                          const std::function<void(ke_open*)>& configure) {
  const bool preempted = HooksMayBePreempted();
  if (way == kLsm && !BpfLsmIsActive()) return "bpf is not in /sys/kernel/security/lsm";
  if (way == kModify && preempted) {
    return "tasks can be preempted in hooks here, and nothing but BPF LSM can keep them from it";
  }
  open_.reset(ke_open::open());
  if (open_ == nullptr) return ErrnoText(errno);
  configure(open_.get());
  const uint32_t who = SlotsPerCpu(kWhoSlots, cpus);
  const uint32_t dir = SlotsPerCpu(kDirSlots, cpus);
  const auto count = static_cast<uint32_t>(cpus);
  open_->rodata->ke_cfg_who_slots = who;
  open_->rodata->ke_cfg_dir_slots = dir;
  open_->rodata->ke_cfg_hold_cpu = way == kLsm && preempted ? 1 : 0;
  bpf_map__set_max_entries(open_->maps.ke_open_who, count * who);
  bpf_map__set_max_entries(open_->maps.ke_open_dirs, count * dir);
  bpf_map__set_max_entries(open_->maps.ke_open_states, count);
  bpf_map__set_max_entries(open_->maps.ke_open_recs, count);
  auto& progs = open_->progs;
  const std::array<std::array<bpf_program*, 2>, kWays> pairs = {
      {{progs.open__lsm, progs.create__lsm},
       {progs.open__modify, progs.create__modify},
       {progs.open__fentry, nullptr}}};
  for (size_t i = 0; i < pairs.size(); ++i) {
    for (bpf_program* program : pairs[i]) {
      if (program != nullptr) bpf_program__set_autoload(program, i == static_cast<size_t>(way));
    }
  }
  if (std::string why = LoadBeside(base, open_->obj); !why.empty()) return why;
  // The one that reports last.
  for (bpf_program* program : {progs.rename__fentry, progs.unlink__fentry, progs.rmdir__fentry,
                               pairs[way][1], pairs[way][0]}) {
    if (program == nullptr) continue;
    absl::StatusOr<Link> link = AttachProgram(program, bpf_program__name(program));
    if (!link.ok()) return std::string(link.status().message());
    links_.push_back(*std::move(link));
  }
  program_ = pairs[way][0];
  return "";
}

absl::Status FileOpen::Want(const bpf_object* base, int cpus,
                            const std::function<void(ke_open*)>& configure) {
  if (chosen_ >= 0) return absl::OkStatus();
  for (const Way way : {kLsm, kModify, kWatches}) {
    refused_[way] = Try(way, base, cpus, configure);
    if (refused_[way].empty()) {
      chosen_ = way;
      return absl::OkStatus();
    }
    links_.clear();
    open_.reset();
  }
  return absl::FailedPreconditionError(fmt::format("file.open: {}: {}; {}: {}; {}: {}",
                                                   kNames[0].name, refused_[0], kNames[1].name,
                                                   refused_[1], kNames[2].name, refused_[2]));
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
      row.reason = chosen_ < 0 ? "no rule asks for it" : "not needed: a better one is in use";
    }
    if (chosen) row.cost = kNames[i].cost;
    rows.push_back(std::move(row));
  }
  const bool none =
      std::all_of(rows.begin(), rows.end(), [](const Backend& row) { return !row.available; });
  if (none) rows.back().cost = "rules on file.open can't be had";
  return rows;
}

}  // namespace kentry
