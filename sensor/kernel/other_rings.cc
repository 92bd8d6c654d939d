// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/other_rings.h"

#include <bpf/bpf.h>

#include <array>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

absl::StatusOr<bpf_map_info> InfoOf(int map) {
  bpf_map_info info{};
  uint32_t len = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &len) != 0) return ErrnoError(errno, "look at a map");
  return info;
}

// The map, if its elements are of that size.
Fd MapOfSize(const std::string& path, uint32_t bytes) {
  absl::StatusOr<Fd> map = OpenPinned(path);
  if (!map.ok()) return Fd();
  const auto info = InfoOf(map->get());
  return info.ok() && info->value_size == bytes ? *std::move(map) : Fd();
}

}  // namespace

OtherRings::~OtherRings() = default;

absl::Status OtherRings::OpenRings(const std::string& folder, const char* name) {
  ASSIGN_OR_RETURN(const Fd outer, OpenPinned(fmt::format("{}/maps/{}", folder, name)));
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    ASSIGN_OR_RETURN(Fd ring, InnerMap(outer.get(), cpu));
    ASSIGN_OR_RETURN(const bpf_map_info info, InfoOf(ring.get()));
    sizes_.push_back(info.max_entries);
    fds_.push_back(std::move(ring));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OtherRings>> OtherRings::Open(const std::string& folder) {
  ASSIGN_OR_RETURN(const PinIdentity identity, ReadPinIdentity(folder));
  if (identity.abi != kPinAbi) {
    return absl::FailedPreconditionError(fmt::format("{} is of another layout", folder));
  }
  std::unique_ptr<OtherRings> other(new OtherRings());
  other->rules_ = ReadPinnedRules(folder);
  other->version_ = identity.version;
  other->readable_ = identity.record_version == KE_RECORD_VERSION;
  other->cpus_ = identity.cpus;
  RETURN_IF_ERROR(other->OpenRings(folder, "ke_rings_bulk"));
  RETURN_IF_ERROR(other->OpenRings(folder, "ke_rings_prio"));
  other->stats_ = MapOfSize(folder + "/maps/ke_stats", sizeof(ke_cpu_stats));
  other->notes_ = MapOfSize(folder + "/maps/ke_notes", sizeof(ReaderNote) * KE_TYPE_MAX);
  std::vector<int> fds;
  for (const Fd& fd : other->fds_) fds.push_back(fd.get());
  // Nobody waits on them: the wake-up word is nobody's.
  ASSIGN_OR_RETURN(other->rings_, RingReader::Create(fds, other->sizes_, &other->shared_));
  return other;
}

uint64_t OtherRings::UntoldLosses() const {
  if (!stats_.valid() || !notes_.valid()) return 0;
  uint64_t untold = 0;
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    ke_cpu_stats stats;
    std::array<ReaderNote, KE_TYPE_MAX> notes;
    if (bpf_map_lookup_elem(stats_.get(), &cpu, &stats) != 0 ||
        bpf_map_lookup_elem(notes_.get(), &cpu, notes.data()) != 0) {
      continue;
    }
    for (size_t type = 0; type < notes.size(); ++type) {
      const uint64_t lost = stats.classes[type].lost;
      if (lost > notes[type].lost) untold += lost - notes[type].lost;
    }
  }
  return untold;
}

}  // namespace kentry
