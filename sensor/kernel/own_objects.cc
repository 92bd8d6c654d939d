// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/own_objects.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bpf/abi/maps.h"
#include "sensor/kernel/object.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

using Objects = std::set<std::pair<uint32_t, uint32_t>>;  // kind and id

// Of an array of maps, user space reads the ids.
void AddInnerMaps(int fd, Objects* objects) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return;
  if (info.type != BPF_MAP_TYPE_ARRAY_OF_MAPS) return;
  for (uint32_t key = 0; key < info.max_entries; ++key) {
    uint32_t id = 0;
    if (bpf_map_lookup_elem(fd, &key, &id) == 0) objects->emplace(KE_OBJECT_MAP, id);
  }
}

Objects OwnObjects() {
  Objects objects;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::stoi(entry.path().filename());
    if (const uint32_t id = FdInfoNumber(fd, "map_id:"); id != 0) {
      objects.emplace(KE_OBJECT_MAP, id);
      AddInnerMaps(fd, &objects);
    }
    if (const uint32_t id = FdInfoNumber(fd, "prog_id:"); id != 0) {
      objects.emplace(KE_OBJECT_PROGRAM, id);
    }
  }
  return objects;
}

}  // namespace

absl::Status TellOwnObjects(int own) {
  const Objects objects = OwnObjects();
  ke_object key{};
  std::vector<ke_object> gone;
  for (const ke_object* before = nullptr; bpf_map_get_next_key(own, before, &key) == 0;
       before = &key) {
    if (!objects.contains({key.kind, key.id})) gone.push_back(key);
  }
  for (const ke_object& object : gone) bpf_map_delete_elem(own, &object);
  for (const auto& [kind, id] : objects) {
    const ke_object object{.kind = kind, .id = id};
    constexpr uint32_t kThere = 1;
    if (bpf_map_update_elem(own, &object, &kThere, BPF_ANY) != 0) {
      return ErrnoError(errno, "tell the kernel of the sensor's own maps and programs");
    }
  }
  return absl::OkStatus();
}

}  // namespace kentry
