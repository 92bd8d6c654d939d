// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/file_open.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// Both caches together stay below a megabyte or two, whatever the number of CPUs.
uint32_t SlotsPerCpu(uint32_t all, int cpus) {
  return std::bit_floor(std::clamp(all / static_cast<uint32_t>(cpus), 32u, 1024u));
}
constexpr uint32_t kWhoSlots = 2048;
constexpr uint32_t kDirSlots = 2048;

}  // namespace

absl::Status FileOpen::Want(const bpf_object* base, int cpus,
                            const std::function<void(ke_open*)>& configure) {
  if (!links_.empty()) return absl::OkStatus();
  open_.reset(ke_open::open());
  if (open_ == nullptr) return ErrnoError(errno, "open the BPF object of file.open");
  configure(open_.get());
  const uint32_t who = SlotsPerCpu(kWhoSlots, cpus);
  const uint32_t dir = SlotsPerCpu(kDirSlots, cpus);
  const auto count = static_cast<uint32_t>(cpus);
  open_->rodata->ke_cfg_who_slots = who;
  open_->rodata->ke_cfg_dir_slots = dir;
  bpf_map__set_max_entries(open_->maps.ke_open_who, count * who);
  bpf_map__set_max_entries(open_->maps.ke_open_dirs, count * dir);
  bpf_map__set_max_entries(open_->maps.ke_open_states, count);
  bpf_map__set_max_entries(open_->maps.ke_open_recs, count);
  refused_ = LoadBeside(base, open_->obj);
  if (!refused_.empty()) {
    open_.reset();
    return absl::FailedPreconditionError(
        fmt::format("file.open by fentry on security_file_open: {}", refused_));
  }
  // The one that reports last.
  for (bpf_program* program : {open_->progs.rename__fentry, open_->progs.unlink__fentry,
                               open_->progs.rmdir__fentry, open_->progs.open__fentry}) {
    absl::StatusOr<Link> link = AttachProgram(program, bpf_program__name(program));
    if (!link.ok()) {
      refused_ = std::string(link.status().message());
      links_.clear();
      open_.reset();
      return link.status();
    }
    links_.push_back(*std::move(link));
  }
  return absl::OkStatus();
}

Backend FileOpen::backend() const {
  Backend row{.feature = "file.open",
              .name = "fentry security_file_open",
              .available = refused_.empty(),
              .chosen = !links_.empty()};
  row.reason = !refused_.empty() ? refused_ : !links_.empty() ? "" : "no rule asks for it";
  if (!refused_.empty()) row.cost = "rules on file.open can't be had";
  return row;
}

}  // namespace kentry
