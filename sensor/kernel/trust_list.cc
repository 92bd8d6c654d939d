// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/trust_list.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/functional/function_ref.h"
#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

void ForEach(int map, absl::FunctionRef<void(const ke_ident_key&, const ke_trusted&)> sink) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &size) != 0 || info.key_size != sizeof(ke_ident_key) ||
      info.value_size != sizeof(ke_trusted)) {
    return;
  }
  ke_ident_key key{};
  ke_trusted trusted{};
  const ke_ident_key* before = nullptr;
  for (int i = 0; i <= KE_TRUSTED_MAX && bpf_map_get_next_key(map, before, &key) == 0; ++i) {
    if (key.ino != 0 && bpf_map_lookup_elem(map, &key, &trusted) == 0) sink(key, trusted);
    before = &key;
  }
}

// The hooks look for programs only when there is a mark of inode 0.
absl::Status Mark(int map) {
  const ke_ident_key key{};
  if (!TrustedPaths(map).empty()) {
    const ke_trusted mark{};
    if (bpf_map_update_elem(map, &key, &mark, BPF_ANY) != 0) return ErrnoError(errno, "trust");
  } else {
    (void)bpf_map_delete_elem(map, &key);
  }
  return absl::OkStatus();
}

std::string_view PathOf(const ke_trusted& trusted) {
  return {trusted.path, strnlen(trusted.path, sizeof(trusted.path))};
}

}  // namespace

absl::Status TrustList::Add(std::string_view path, const ke_file_ident& file) {
  ke_trusted trusted{.version = file.version};
  if (path.size() >= sizeof(trusted.path)) {
    return absl::InvalidArgumentError(
        fmt::format("{} is {} bytes long; a trusted program's path may have {}", path, path.size(),
                    sizeof(trusted.path) - 1));
  }
  path.copy(trusted.path, path.size());
  // The machine's, also where the sensor has mounts of its own.
  struct stat mounts {};
  if (stat("/proc/1/ns/mnt", &mounts) != 0) return ErrnoError(errno, "look at /proc/1/ns/mnt");
  trusted.mnt_ns = static_cast<uint32_t>(mounts.st_ino);
  (void)Remove(path);
  if (Paths().size() >= KE_TRUSTED_MAX) {
    return absl::ResourceExhaustedError(
        fmt::format("{} programs are trusted already, the most there may be", KE_TRUSTED_MAX));
  }
  if (bpf_map_update_elem(map_, &file.key, &trusted, BPF_ANY) != 0) {
    return ErrnoError(errno, fmt::format("trust {}", path));
  }
  return Mark(map_);
}

absl::Status TrustList::Remove(std::string_view path) {
  std::vector<ke_ident_key> keys;
  ForEach(map_, [&](const ke_ident_key& key, const ke_trusted& trusted) {
    if (PathOf(trusted) == path) keys.push_back(key);
  });
  if (keys.empty()) return absl::NotFoundError(fmt::format("{} is not trusted", path));
  for (const ke_ident_key& key : keys) {
    if (bpf_map_delete_elem(map_, &key) != 0) {
      return ErrnoError(errno, fmt::format("trust {} no more", path));
    }
  }
  return Mark(map_);
}

std::vector<std::string> TrustList::Paths() const { return TrustedPaths(map_); }

void TrustList::AddAll(int other) {
  ForEach(other, [this](const ke_ident_key& key, const ke_trusted& trusted) {
    (void)bpf_map_update_elem(map_, &key, &trusted, BPF_NOEXIST);
  });
  (void)Mark(map_);
}

std::vector<std::string> TrustedPaths(int map) {
  std::vector<std::string> paths;
  ForEach(map, [&paths](const ke_ident_key&, const ke_trusted& trusted) {
    paths.emplace_back(PathOf(trusted));
  });
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace kentry
