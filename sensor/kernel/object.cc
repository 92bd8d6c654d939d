// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/object.h"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "fmt/format.h"
#include "sensor/kernel/libbpf_log.h"
#include "sensor/util/status.h"

namespace kentry {

void Fingerprint::Add(const void* bytes, size_t size) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  for (size_t i = 0; i < size; ++i) value_ = (value_ ^ at[i]) * 0x100000001b3;
}

absl::StatusOr<Fd> InnerMap(int outer, uint32_t key) {
  uint32_t id = 0;
  if (bpf_map_lookup_elem(outer, &key, &id) != 0) return ErrnoError(errno, "look for a map");
  Fd fd(bpf_map_get_fd_by_id(id));
  if (!fd.valid()) return ErrnoError(errno, fmt::format("open map {}", id));
  return fd;
}

void LoadNothingBut(std::initializer_list<const bpf_program*> programs, bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const bool wanted = std::find(programs.begin(), programs.end(), program) != programs.end();
    bpf_program__set_autoload(program, wanted);
  }
}

std::string ErrnoText(int err) { return std::strerror(err < 0 ? -err : err); }

uint32_t FdInfoNumber(int fd, std::string_view key) {
  std::ifstream file(fmt::format("/proc/self/fdinfo/{}", fd));
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t digits = std::min(line.size(), line.find_first_not_of(" \t", key.size()));
    uint32_t number = 0;
    std::from_chars(line.data() + digits, line.data() + line.size(), number);
    return number;
  }
  return 0;
}

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

absl::StatusOr<AttachedHook> AttachHook(bpf_program* program) {
  AttachedHook hook{.program = bpf_program__name(program), .link = nullptr, .fd = Fd()};
  ASSIGN_OR_RETURN(hook.link, AttachProgram(program, hook.program));
  hook.fd = ProgramFd(program);
  return hook;
}

Fd ProgramFd(const bpf_program* program) {
  return Fd(fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0));
}

void Release(std::vector<AttachedHook>* hooks) {
  for (AttachedHook& hook : *hooks) hook.link.reset();
}

uint64_t RecursionMisses(int program) {
  bpf_prog_info info{};
  uint32_t len = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &len) != 0) return 0;
  return info.recursion_misses;
}

uint64_t RecursionMisses(std::span<const AttachedHook> hooks) {
  uint64_t misses = 0;
  for (const AttachedHook& hook : hooks) misses += RecursionMisses(hook.fd.get());
  return misses;
}

}  // namespace kentry
