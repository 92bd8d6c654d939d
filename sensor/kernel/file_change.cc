// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/file_change.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/host.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr uint32_t kWhoSlots = 32;  // per CPU: changes are rare
constexpr uint32_t kDirSlots = 64;

// In the order of Way.
constexpr std::array<const char*, 2> kNames = {
    "BPF LSM (path_*, inode_setxattr, mmap_file, file_mprotect, sb_mount, sb_umount)",
    "fmod_ret on security_path_* and the like"};

// The folder that the hooks of one kind are pinned in.
std::string GroupOf(int kind, bool lsm) {
  return fmt::format("change_{}_{}", kind, lsm ? "lsm" : "modify");
}

int ParameterCount(const btf* types, const char* function) {
  const int id = btf__find_by_name_kind(types, function, BTF_KIND_FUNC);
  if (id < 0) return -1;
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(id));
  return btf_vlen(btf__type_by_id(types, type->type));
}

}  // namespace

FileChange::Shapes FileChange::ReadShapes() {
  const std::unique_ptr<btf, Destroy<&btf__free>> types(btf__load_vmlinux_btf());
  Shapes shapes;
  if (types == nullptr) return shapes;
  const auto count = [&types](const char* name) { return ParameterCount(types.get(), name); };
  shapes.readable = true;
  shapes.idmap_first = count("security_inode_setxattr") == 6;
  shapes.rename_flags = count("bpf_lsm_path_rename") == 5;
  shapes.plain_setattr = count("security_inode_setattr") == 2;
  shapes.file_truncate = count("security_file_truncate") >= 0;
  shapes.set_acl = count("security_inode_set_acl") >= 0;
  return shapes;
}

// Those that this kernel has.
std::vector<FileChange::Hook> FileChange::Hooks(ke_change* object) const {
  auto& p = object->progs;
  std::vector<Hook> hooks = {
      {KE_CHANGE_UNLINK, {p.unlink__lsm, p.unlink__modify}},
      {KE_CHANGE_RMDIR, {p.rmdir__lsm, p.rmdir__modify}},
      {KE_CHANGE_LINK, {p.link__lsm, p.link__modify}},
      {KE_CHANGE_SYMLINK, {p.symlink__lsm, p.symlink__modify}},
      {KE_CHANGE_MKDIR, {p.mkdir__lsm, p.mkdir__modify}},
      {KE_CHANGE_MKNOD, {p.mknod__lsm, p.mknod__modify}},
      {KE_CHANGE_CHMOD, {p.chmod__lsm, p.chmod__modify}},
      {KE_CHANGE_TRUNCATE, {p.truncate__lsm, p.truncate__modify}},
      {KE_CHANGE_MMAP_EXEC, {p.mmap__lsm, p.mmap__modify}},
      {KE_CHANGE_MMAP_EXEC, {p.mprotect__lsm, p.mprotect__modify}},
      {KE_CHANGE_MOUNT, {p.mount__lsm, p.mount__modify}},
      {KE_CHANGE_MOUNT, {p.move_mount__lsm, p.move_mount__modify}},
      {KE_CHANGE_UMOUNT, {p.umount__lsm, p.umount__modify}},
  };
  const auto add = [&hooks](int kind, bpf_program* lsm, bpf_program* modify) {
    hooks.push_back({kind, {lsm, modify}});
  };
  add(KE_CHANGE_RENAME, shapes_.rename_flags ? p.rename__lsm : p.rename_plain__lsm,
      p.rename__modify);
  if (shapes_.plain_setattr) {
    add(KE_CHANGE_CHOWN, p.setattr__lsm, p.setattr__modify);
  } else {
    add(KE_CHANGE_CHOWN, p.chown__lsm, p.chown__modify);
  }
  if (shapes_.file_truncate) add(KE_CHANGE_TRUNCATE, p.ftruncate__lsm, p.ftruncate__modify);
  if (shapes_.idmap_first) {
    add(KE_CHANGE_SETXATTR, p.setxattr__lsm, p.setxattr__modify);
  } else {
    add(KE_CHANGE_SETXATTR, p.setxattr_plain__lsm, p.setxattr_plain__modify);
  }
  if (shapes_.set_acl) add(KE_CHANGE_SETXATTR, p.set_acl__lsm, p.set_acl__modify);
  return hooks;
}

// What of an opened object depends on the machine and on the way.
void FileChange::SetSwitches(Way way, int cpus, ke_change* object) {
  const bool preempted = HooksMayBePreempted();
  const auto count = static_cast<uint32_t>(cpus);
  auto* rodata = object->rodata;
  // fmod_ret has a guard that skips a second run on a CPU, which would let a change through.
  denies_ = way == kLsm || !preempted;
  rodata->ke_cfg_may_deny = denies_ ? 1 : 0;
  rodata->ke_cfg_first_slot = 2 * count + 1;
  rodata->ke_cfg_who_slots = kWhoSlots;
  rodata->ke_cfg_dir_slots = kDirSlots;
  rodata->ke_cfg_hold_cpu = preempted ? 1 : 0;
  auto& maps = object->maps;
  bpf_map__set_max_entries(maps.ke_open_who, count * kWhoSlots);
  bpf_map__set_max_entries(maps.ke_open_dirs, count * kDirSlots);
  for (bpf_map* map : {maps.ke_open_states, maps.ke_change_calls, maps.ke_change_recs}) {
    bpf_map__set_max_entries(map, count);
  }
}

// The programs of the part's kind. "" or why this way can't be had.
std::string FileChange::Load(Way way, const bpf_object* base, int cpus, const Configure& configure,
                             Part* part) {
  if (way == kLsm && !BpfLsmIsActive()) return "bpf is not in /sys/kernel/security/lsm";
  if (!shapes_.readable) return "the kernel's types can't be read";
  part->object.reset(ke_change::open());
  ke_change* object = part->object.get();
  if (object == nullptr) return ErrnoText(errno);
  configure(object);
  SetSwitches(way, cpus, object);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object->obj) bpf_program__set_autoload(program, false);
  for (const Hook& hook : Hooks(object)) {
    if (hook.kind != part->kind) continue;
    bpf_program__set_autoload(hook.programs[way], true);
    part->programs.push_back(hook.programs[way]);
  }
  if (const auto others = objects(); !others.empty()) ShareMaps(others[0], object->obj);
  return LoadBeside(base, object->obj);
}

absl::Status FileChange::Add(int kind, const bpf_object* base, int cpus,
                             const Configure& configure) {
  std::string reasons;
  Part part;
  for (const Way way : {kLsm, kModify}) {
    if (chosen_ >= 0 && chosen_ != way) continue;
    part = Part{.kind = kind, .object = nullptr};
    refused_[way] = Load(way, base, cpus, configure, &part);
    if (refused_[way].empty()) {
      chosen_ = way;
      break;
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", kNames[way], refused_[way]);
  }
  if (chosen_ < 0 || !refused_[static_cast<size_t>(chosen_)].empty()) {
    return absl::FailedPreconditionError(
        fmt::format("changes of files can't be watched: {}", reasons));
  }
  for (bpf_program* program : part.programs) {
    ASSIGN_OR_RETURN(AttachedHook hook, AttachHook(program));
    part.hooks.push_back(std::move(hook));
  }
  if (pins_ != nullptr) {
    RETURN_IF_ERROR(pins_->PinHooks(GroupOf(kind, chosen_ == kLsm).c_str(), part.hooks));
  }
  parts_.push_back(std::move(part));
  return absl::OkStatus();
}

absl::Status FileChange::Want(const bpf_object* base, int cpus, uint32_t changes, bool deny,
                              const Configure& configure) {
  for (int kind = 0; kind < KE_CHANGE_MAX; ++kind) {
    const bool done = std::any_of(parts_.begin(), parts_.end(),
                                  [kind](const Part& part) { return part.kind == kind; });
    if ((changes >> kind & 1) == 0 || done) continue;
    if (!shapes_.readable) shapes_ = ReadShapes();
    RETURN_IF_ERROR(Add(kind, base, cpus, configure));
  }
  if (!deny || denies_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("this kernel can't deny changes of files: {}: {}; by fmod_ret: tasks can be "
                  "preempted in hooks here, and nothing but BPF LSM can keep them from it",
                  kNames[kLsm], refused_[kLsm]));
}

absl::Status FileChange::UsePins(const Pins* pins) {
  pins_ = pins;
  for (const Way way : {kModify, kLsm}) {
    for (int kind = 0; kind < KE_CHANGE_MAX; ++kind) {
      const std::string group = GroupOf(kind, way == kLsm);
      if (!pins->Has(group.c_str())) continue;
      Part part{.kind = kind, .object = nullptr};
      ASSIGN_OR_RETURN(part.hooks, pins->Hooks(group.c_str()));
      parts_.push_back(std::move(part));
      chosen_ = way;
      denies_ = way == kLsm || !HooksMayBePreempted();
    }
  }
  return absl::OkStatus();
}

uint32_t FileChange::attached() const {
  uint32_t kinds = 0;
  for (const Part& part : parts_) kinds |= 1u << part.kind;
  return kinds;
}

void FileChange::Detach() {
  for (Part& part : parts_) Release(&part.hooks);
}

std::vector<const bpf_object*> FileChange::objects() const {
  std::vector<const bpf_object*> objects;
  for (const Part& part : parts_) {
    if (part.object != nullptr) objects.push_back(part.object->obj);
  }
  return objects;
}

uint64_t FileChange::Missed(ke_type type) const {
  uint64_t missed = 0;
  for (const Part& part : parts_) {
    if (type == KE_FILE_UNLINK + part.kind) missed += RecursionMisses(part.hooks);
  }
  return missed;
}

std::vector<Backend> FileChange::backends() const {
  std::vector<Backend> rows;
  for (size_t i = 0; i < kNames.size(); ++i) {
    const bool chosen = chosen_ == static_cast<int>(i);
    Backend row{.feature = "file changes",
                .name = kNames[i],
                .available = refused_[i].empty(),
                .chosen = chosen,
                .reason = refused_[i]};
    if (row.reason.empty() && !chosen) {
      row.reason = chosen_ >= 0 ? "not needed: a better one is in use" : "no rule asks for it";
    }
    rows.push_back(std::move(row));
  }
  if (chosen_ == kModify && !denies_) rows.back().cost = "changes are watched, not denied";
  return rows;
}

}  // namespace kentry
