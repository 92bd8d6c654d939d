// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/object.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "sensor/kernel/libbpf_log.h"
#include "sensor/util/status.h"

namespace kentry {

std::string ErrnoText(int err) { return std::strerror(err < 0 ? -err : err); }

void ShareMaps(const bpf_object* base, bpf_object* object,
               std::initializer_list<std::string_view> own) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (!name.starts_with("ke_") || name.find('.') != std::string_view::npos) continue;
    if (std::find(own.begin(), own.end(), name) != own.end()) continue;
    const bpf_map* shared = bpf_object__find_map_by_name(base, bpf_map__name(map));
    if (shared != nullptr) bpf_map__reuse_fd(map, bpf_map__fd(shared));
  }
}

std::string LoadBeside(const bpf_object* base, bpf_object* object,
                       std::initializer_list<std::string_view> own) {
  LibbpfLog log;
  ShareMaps(base, object, own);
  const int err = bpf_object__load(object);
  if (err == 0) return "";
  return fmt::format("{} ({})", ErrnoText(err), log.Reason());
}

absl::StatusOr<Link> AttachProgram(bpf_program* program, std::string_view what) {
  LibbpfLog log;
  Link link(bpf_program__attach(program));
  if (link == nullptr) {
    const int err = errno;
    return ErrnoError(err, fmt::format("attach {}: {}", what, log.Reason()));
  }
  return link;
}

uint64_t RecursionMisses(const bpf_program* program) {
  bpf_prog_info info{};
  uint32_t len = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) != 0) return 0;
  return info.recursion_misses;
}

}  // namespace kentry
