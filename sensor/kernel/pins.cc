// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/pins.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr char kNew[] = "/sys/fs/bpf/kentry/new";
constexpr char kAside[] = "aside";  // a group that isn't complete

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("make {}", path));
}

absl::Status PinIdentityTo(const std::string& folder, const PinIdentity& identity) {
  const Fd map(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "ke_pin", 4, sizeof(identity), 1, /*opts=*/nullptr));
  const uint32_t zero = 0;
  if (!map.valid() || bpf_map_update_elem(map.get(), &zero, &identity, BPF_ANY) != 0 ||
      bpf_obj_pin(map.get(), (folder + "/identity").c_str()) != 0) {
    return ErrnoError(errno, fmt::format("pin {}/identity", folder));
  }
  return absl::OkStatus();
}

// Not the object's own read-only data.
bool IsShared(const bpf_map* map) {
  const std::string_view name = bpf_map__name(map);
  return name.starts_with("ke_") && name.find('.') == std::string_view::npos;
}

Fd ProgramOf(const bpf_link* link) {
  bpf_link_info info{};
  uint32_t len = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len) != 0) return Fd();
  return Fd(bpf_prog_get_fd_by_id(info.prog_id));
}

}  // namespace

absl::StatusOr<Pins> Pins::Open() {
  struct statfs system {};
  if (statfs(kPinFileSystem, &system) != 0 || system.f_type != BPF_FS_MAGIC) {
    return absl::FailedPreconditionError(
        fmt::format("nothing can be pinned: no BPF file system on {0}; mount one with \"mount -t "
                    "bpf bpf {0}\", or start without --pin",
                    kPinFileSystem));
  }
  RETURN_IF_ERROR(MakeFolder(kPinRoot));
  RETURN_IF_ERROR(RemoveIncompletePins());
  return Pins();
}

absl::Status Pins::Choose(const PinIdentity& mine) {
  for (const uint32_t number : GenerationNumbers()) {
    const std::string folder = GenerationFolder(number);
    const auto identity = ReadPinIdentity(folder);
    if (!identity.ok() || std::memcmp(&*identity, &mine, sizeof(mine)) != 0 || adopted_) {
      others_.push_back(folder);
      continue;
    }
    folder_ = folder;
    adopted_ = true;
  }
  if (adopted_) {
    // A group that died half-way is attached as long as it is pinned.
    return RemovePins(fmt::format("{}/{}", folder_, kAside));
  }
  folder_ = kNew;
  for (const char* below : {"", "/maps", "/rules"}) RETURN_IF_ERROR(MakeFolder(folder_ + below));
  return PinIdentityTo(folder_, mine);
}

absl::Status Pins::Publish() {
  if (folder_ != kNew) return absl::OkStatus();
  const std::vector<uint32_t> numbers = GenerationNumbers();
  const std::string folder = GenerationFolder(numbers.empty() ? 1 : numbers.back() + 1);
  if (rename(kNew, folder.c_str()) != 0) return ErrnoError(errno, fmt::format("name {}", folder));
  folder_ = folder;
  return absl::OkStatus();
}

absl::Status Pins::PinMap(std::string_view name, int fd) const {
  const std::string path = fmt::format("{}/maps/{}", folder_, name);
  if (bpf_obj_pin(fd, path.c_str()) == 0) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("pin {}", path));
}

absl::StatusOr<Fd> Pins::Map(std::string_view name) const {
  return OpenPinned(fmt::format("{}/maps/{}", folder_, name));
}

absl::Status Pins::PinMaps(const bpf_object* object) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!IsShared(map)) continue;
    RETURN_IF_ERROR(PinMap(bpf_map__name(map), bpf_map__fd(map)));
  }
  return absl::OkStatus();
}

absl::Status Pins::ReuseMaps(bpf_object* object) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!IsShared(map)) continue;
    ASSIGN_OR_RETURN(const Fd fd, Map(bpf_map__name(map)));
    if (const int err = bpf_map__reuse_fd(map, fd.get()); err != 0) {
      return ErrnoError(-err, fmt::format("use the pinned map {}", bpf_map__name(map)));
    }
  }
  return absl::OkStatus();
}

absl::Status Pins::PinHooks(const char* group, std::span<const AttachedHook> hooks) const {
  const std::string aside = fmt::format("{}/{}", folder_, kAside);
  RETURN_IF_ERROR(RemovePins(aside));
  RETURN_IF_ERROR(MakeFolder(aside));
  for (const AttachedHook& hook : hooks) {
    const std::string path = fmt::format("{}/{}", aside, hook.program);
    if (bpf_obj_pin(bpf_link__fd(hook.link.get()), path.c_str()) != 0) {
      return ErrnoError(errno, fmt::format("pin the hook {}", hook.program));
    }
  }
  const std::string path = fmt::format("{}/{}", folder_, group);
  if (rename(aside.c_str(), path.c_str()) != 0) return ErrnoError(errno, "name " + path);
  return absl::OkStatus();
}

bool Pins::Has(const char* group) const {
  return adopted_ && access(fmt::format("{}/{}", folder_, group).c_str(), F_OK) == 0;
}

absl::StatusOr<std::vector<AttachedHook>> Pins::Hooks(const char* group) const {
  std::vector<AttachedHook> hooks;
  const std::string folder = fmt::format("{}/{}", folder_, group);
  for (const std::string& name : FolderEntries(folder)) {
    const std::string path = fmt::format("{}/{}", folder, name);
    AttachedHook hook{.program = name, .link = Link(bpf_link__open(path.c_str())), .fd = Fd()};
    if (hook.link == nullptr) return ErrnoError(errno, fmt::format("open {}", path));
    hook.fd = ProgramOf(hook.link.get());
    hooks.push_back(std::move(hook));
  }
  return hooks;
}

absl::Status Pins::DropHooks(const char* group) const {
  return RemovePins(fmt::format("{}/{}", folder_, group));
}

absl::Status Pins::KeepRules(uint32_t epoch, std::string_view text) const {
  ASSIGN_OR_RETURN(const Fd map, MakeTextMap(text));
  DropRules(epoch);
  const std::string path = fmt::format("{}/rules/{}", folder_, epoch);
  if (bpf_obj_pin(map.get(), path.c_str()) == 0) return absl::OkStatus();
  return ErrnoError(errno, fmt::format("pin {}", path));
}

void Pins::DropRules(uint32_t epoch) const {
  (void)unlink(fmt::format("{}/rules/{}", folder_, epoch).c_str());
}

std::map<uint32_t, std::string> Pins::Rules() const { return ReadPinnedRules(folder_); }

}  // namespace kentry
