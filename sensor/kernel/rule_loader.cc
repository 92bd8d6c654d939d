// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/rule_loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string_view>

#include "fmt/format.h"
#include "sensor/kernel/object.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr uint32_t kInnerMapFlag = 0x1000;  // BPF_F_INNER_MAP, 5.10
constexpr uint32_t kNoPrealloc = 1;         // BPF_F_NO_PREALLOC
constexpr uint32_t kVersionMask = 0xffffff;

struct TableShape {
  const char* name;
  bpf_map_type type;
  uint32_t flags;
  uint32_t key;
  uint32_t value;
};

// As bpf/lib/rules.h declares them.
constexpr std::array<TableShape, 12> kShapes = {{
    {"ke_r_config", BPF_MAP_TYPE_ARRAY, 0, 4, sizeof(ke_rule_config)},
    {"ke_r_index", BPF_MAP_TYPE_ARRAY, kInnerMapFlag, 4, 4},
    {"ke_r_rows", BPF_MAP_TYPE_ARRAY, kInnerMapFlag, 4, sizeof(ke_row)},
    {"ke_r_exact", BPF_MAP_TYPE_ARRAY, kInnerMapFlag, 4, sizeof(ke_string_slot)},
    {"ke_r_dirs", BPF_MAP_TYPE_ARRAY, kInnerMapFlag, 4, sizeof(ke_string_slot)},
    {"ke_r_prefix", BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc, sizeof(ke_prefix_key), 4},
    {"ke_r_suffix", BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc, KE_SUFFIX_KEY_BYTES, 4},
    {"ke_r_hint", BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc, sizeof(ke_hint_key), 4},
    {"ke_r_numbers", BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc, sizeof(ke_number_key), 4},
    {"ke_r_addresses", BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc, sizeof(ke_address_key), 4},
    {"ke_r_cgroups", BPF_MAP_TYPE_HASH, kNoPrealloc, 8, 4},
    {"ke_r_idents", BPF_MAP_TYPE_HASH, kNoPrealloc, sizeof(ke_ident_key), sizeof(ke_ident)},
}};
static_assert(sizeof(SuffixKey) == KE_SUFFIX_KEY_BYTES);

const TableShape& ShapeOf(std::string_view name) {
  return *std::find_if(kShapes.begin(), kShapes.end(),
                       [name](const TableShape& shape) { return shape.name == name; });
}

absl::StatusOr<Fd> MakeTable(const char* name, size_t entries) {
  const TableShape& shape = ShapeOf(name);
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = shape.flags;
  Fd fd(bpf_map_create(shape.type, name, shape.key, shape.value,
                       static_cast<uint32_t>(std::max<size_t>(entries, 1)), &options));
  if (!fd.valid()) return ErrnoError(errno, fmt::format("make {} of {} entries", name, entries));
  return fd;
}

template <typename Key, typename Value>
absl::Status Put(const Fd& map, const Key& key, const Value& value) {
  if (bpf_map_update_elem(map.get(), &key, &value, BPF_ANY) == 0) return absl::OkStatus();
  return ErrnoError(errno, "fill a table of the rules");
}

template <typename Entries>
absl::StatusOr<Fd> MakeFilled(const char* name, const Entries& entries) {
  ASSIGN_OR_RETURN(Fd fd, MakeTable(name, entries.size()));
  for (const auto& [key, value] : entries) RETURN_IF_ERROR(Put(fd, key, value));
  return fd;
}

template <typename T>
absl::StatusOr<Fd> MakeArray(const char* name, const std::vector<T>& values) {
  ASSIGN_OR_RETURN(Fd fd, MakeTable(name, values.size()));
  for (uint32_t i = 0; i < values.size(); ++i) RETURN_IF_ERROR(Put(fd, i, values[i]));
  return fd;
}

}  // namespace

RuleLoader::~RuleLoader() {
  if (control_ != nullptr) munmap(control_, static_cast<size_t>(getpagesize()));
}

absl::Status RuleLoader::Attach(const bpf_object* object) {
  object_ = object;
  void* at = mmap(nullptr, static_cast<size_t>(getpagesize()), PROT_READ | PROT_WRITE, MAP_SHARED,
                  Outer("ke_r_control"), 0);
  if (at == MAP_FAILED) return ErrnoError(errno, "map the rules' switch");
  control_ = static_cast<ke_rule_control*>(at);
  return Resume();
}

// Goes on where another process ended, maybe in the middle of Prepare or Commit: the stamp says
// what is in force.
absl::Status RuleLoader::Resume() {
  const uint64_t stamp = std::atomic_ref(control_->stamp).load(std::memory_order_acquire);
  epoch_ = next_ = KE_STAMP_EPOCH(stamp);
  used_ = std::max({epoch_, control_->next, control_->used});
  if (used_ == 0) return absl::OkStatus();
  version_ = static_cast<uint32_t>(stamp >> 8) & kVersionMask;
  flags_ = static_cast<uint8_t>(stamp);
  std::atomic_ref(control_->next).store(epoch_, std::memory_order_release);
  Slot& slot = slots_[epoch_ & 1];
  const uint32_t at = epoch_ & 1;
  const uint32_t other = at ^ 1;
  for (const TableShape& shape : kShapes) {
    if (epoch_ == 0) break;
    ASSIGN_OR_RETURN(Fd inner, InnerMap(Outer(shape.name), at));
    slot.inner.emplace_back(Outer(shape.name), std::move(inner));
  }
  // As in Commit: nobody reads the other slot after it.
  RETURN_IF_ERROR(Install(at, slot));
  for (const TableShape& shape : kShapes) (void)bpf_map_delete_elem(Outer(shape.name), &other);
  if (epoch_ != 0) Touch();
  return absl::OkStatus();
}

// For the other slot than the one in force. A number that was prepared and given up is not taken
// again: what execs and forks wrote for it would be taken for true.
uint32_t RuleLoader::UnusedEpoch() const {
  const uint32_t next = used_ + 1;
  return (next & 1) == (epoch_ & 1) ? next + 1 : next;
}

void RuleLoader::ComeAfter(const ke_rule_control& other) {
  used_ = std::max({used_, KE_STAMP_EPOCH(other.stamp), other.next, other.used});
  if (other.paused != 0) SetPaused(true);
}

int RuleLoader::Outer(const char* name) const {
  return bpf_object__find_map_fd_by_name(object_, name);
}

int RuleLoader::Inner(const char* name) {
  const int outer = Outer(name);
  for (const auto& [fd, inner] : slots_[next_ & 1].inner) {
    if (fd == outer) return inner.get();
  }
  return -1;
}

absl::Status RuleLoader::Fill(uint32_t epoch, Slot* slot, const RuleTables& tables) {
  const auto keep = [&](const char* name, absl::StatusOr<Fd> made) {
    if (!made.ok()) return made.status();
    slot->inner.emplace_back(Outer(name), *std::move(made));
    return absl::OkStatus();
  };
  ke_rule_config config = tables.config;
  config.epoch = epoch;
  RETURN_IF_ERROR(keep("ke_r_config", MakeArray("ke_r_config", std::vector{config})));
  RETURN_IF_ERROR(keep("ke_r_index", MakeArray("ke_r_index", tables.index)));
  RETURN_IF_ERROR(keep("ke_r_rows", MakeArray("ke_r_rows", tables.rows)));
  RETURN_IF_ERROR(keep("ke_r_exact", MakeArray("ke_r_exact", tables.exact)));
  RETURN_IF_ERROR(keep("ke_r_dirs", MakeArray("ke_r_dirs", tables.dirs)));
  RETURN_IF_ERROR(keep("ke_r_prefix", MakeFilled("ke_r_prefix", tables.prefix)));
  RETURN_IF_ERROR(keep("ke_r_suffix", MakeFilled("ke_r_suffix", tables.suffix)));
  RETURN_IF_ERROR(keep("ke_r_hint", MakeFilled("ke_r_hint", tables.hint)));
  RETURN_IF_ERROR(keep("ke_r_numbers", MakeFilled("ke_r_numbers", tables.numbers)));
  RETURN_IF_ERROR(keep("ke_r_addresses", MakeFilled("ke_r_addresses", tables.addresses)));
  RETURN_IF_ERROR(keep("ke_r_cgroups", MakeTable("ke_r_cgroups", kCgroupsMax)));
  return keep("ke_r_idents", MakeTable("ke_r_idents", kIdentsMax));
}

absl::Status RuleLoader::Install(uint32_t at, const Slot& slot) {
  for (const auto& [outer, inner] : slot.inner) {
    const int fd = inner.get();
    if (bpf_map_update_elem(outer, &at, &fd, BPF_ANY) != 0) {
      return ErrnoError(errno, "put a table of the rules into its place");
    }
  }
  return absl::OkStatus();
}

absl::Status RuleLoader::Prepare(const RuleTables& tables) {
  Slot slot;
  const uint32_t next = UnusedEpoch();
  RETURN_IF_ERROR(Fill(next, &slot, tables));
  used_ = next;
  std::atomic_ref(control_->used).store(used_, std::memory_order_release);
  RETURN_IF_ERROR(Install(next & 1, slot));
  slots_[next & 1] = std::move(slot);
  next_ = next;
  // Marks outlive the rules that set them: whoever carries one hands it on.
  next_flags_ = static_cast<uint8_t>(tables.stamp_flags | (flags_ & KE_STAMP_MARKED));
  std::atomic_ref(control_->next).store(next_, std::memory_order_release);
  return absl::OkStatus();
}

void RuleLoader::Stamp() {
  const uint64_t stamp = uint64_t{epoch_} << 32 | uint64_t{version_ & kVersionMask} << 8 | flags_;
  std::atomic_ref(control_->stamp).store(stamp, std::memory_order_release);
}

absl::Status RuleLoader::Commit() {
  const uint32_t old = epoch_;
  epoch_ = next_;
  flags_ = next_flags_;
  ++version_;
  Stamp();
  // A change of a map of maps waits until every program that runs now has ended (since 4.14,
  // maybe_wait_bpf_programs): after it nobody reads the old epoch.
  Slot& idle = slots_[old & 1];
  RETURN_IF_ERROR(Install(epoch_ & 1, slots_[epoch_ & 1]));
  const uint32_t at = old & 1;
  for (const auto& [outer, inner] : idle.inner) (void)bpf_map_delete_elem(outer, &at);
  idle.inner.clear();
  return absl::OkStatus();
}

void RuleLoader::Abandon() {
  const uint32_t at = next_ & 1;
  std::atomic_ref(control_->next).store(epoch_, std::memory_order_release);
  for (const auto& [outer, inner] : slots_[at].inner) (void)bpf_map_delete_elem(outer, &at);
  slots_[at].inner.clear();
  next_ = epoch_;
}

absl::Status RuleLoader::SetCgroup(uint64_t id, uint32_t value, std::span<const RowUpdate> rows) {
  const int index = Inner("ke_r_index");
  const int row_map = Inner("ke_r_rows");
  for (const RowUpdate& write : rows) {
    if (bpf_map_update_elem(row_map, &write.number, &write.row, BPF_ANY) != 0 ||
        bpf_map_update_elem(index, &write.index, &write.number, BPF_ANY) != 0) {
      return ErrnoError(errno, "write a row for a cgroup");
    }
  }
  if (bpf_map_update_elem(Inner("ke_r_cgroups"), &id, &value, BPF_ANY) != 0) {
    return ErrnoError(errno, "tell the kernel of a cgroup");
  }
  return absl::OkStatus();
}

absl::Status RuleLoader::ForgetCgroup(uint64_t id) {
  if (bpf_map_delete_elem(Inner("ke_r_cgroups"), &id) != 0 && errno != ENOENT) {
    return ErrnoError(errno, "make the kernel forget a cgroup");
  }
  return absl::OkStatus();
}

absl::Status RuleLoader::SetIdent(const ke_ident_key& key, const ke_ident& ident) {
  if (bpf_map_update_elem(Inner("ke_r_idents"), &key, &ident, BPF_ANY) != 0) {
    return ErrnoError(errno, "tell the kernel of a file");
  }
  uint8_t& flags = next_ != epoch_ ? next_flags_ : flags_;
  if ((flags & KE_STAMP_IDENTS) == 0) {
    flags |= KE_STAMP_IDENTS;
    if (next_ == epoch_) Stamp();
  }
  return absl::OkStatus();
}

absl::Status RuleLoader::ForgetIdent(const ke_ident_key& key) {
  if (bpf_map_delete_elem(Inner("ke_r_idents"), &key) != 0 && errno != ENOENT) {
    return ErrnoError(errno, "make the kernel forget a file");
  }
  return absl::OkStatus();
}

absl::Status RuleLoader::SetRow(uint32_t number, const ke_row& row) {
  if (bpf_map_update_elem(Inner("ke_r_rows"), &number, &row, BPF_ANY) != 0) {
    return ErrnoError(errno, "replace a row of the rules");
  }
  return absl::OkStatus();
}

void RuleLoader::Touch() {
  ++version_;
  Stamp();
}

void RuleLoader::LetOpensBeDenied() {
  std::atomic_ref(control_->may_deny).store(1, std::memory_order_release);
}

void RuleLoader::SetSelf(uint32_t tgid, uint64_t start_ns) {
  std::atomic_ref(control_->self_start_ns).store(start_ns, std::memory_order_release);
  std::atomic_ref(control_->self).store(tgid, std::memory_order_release);
}

void RuleLoader::SetPaused(bool paused) {
  std::atomic_ref(control_->paused).store(paused ? 1 : 0, std::memory_order_release);
}

}  // namespace kentry
