// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/pinned.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fmt/format.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/trust_list.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr size_t kChunk = 4096;
constexpr absl::Duration kLinksEnd = absl::Seconds(30);  // emulated machines take seconds

namespace fs = std::filesystem;

std::optional<uint32_t> NumberOf(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "g7" is 7.
std::optional<uint32_t> GenerationNumber(std::string_view name) {
  return name.starts_with('g') ? NumberOf(name.substr(1)) : std::nullopt;
}

// "" when there is none.
std::string ReadText(int map) {
  std::string bytes;
  std::string chunk(kChunk, '\0');
  for (uint32_t i = 0; bpf_map_lookup_elem(map, &i, chunk.data()) == 0; ++i) bytes += chunk;
  uint64_t size = 0;
  if (bytes.size() < sizeof(size)) return "";
  std::memcpy(&size, bytes.data(), sizeof(size));
  return size <= bytes.size() - sizeof(size) ? bytes.substr(sizeof(size), size) : "";
}

uint64_t RemoveTree(const std::string& folder, std::error_code* error) {
  uint64_t count = 0;
  for (const std::string& name : FolderEntries(folder)) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (fs::is_directory(path)) {
      count += RemoveTree(path, error);
    } else if (unlink(path.c_str()) == 0) {
      ++count;
    } else {
      *error = std::error_code(errno, std::system_category());
    }
  }
  if (rmdir(folder.c_str()) != 0 && errno != ENOENT) {
    *error = std::error_code(errno, std::system_category());
  }
  return count;
}

// Of the pinned links of a folder and those below it.
void AddPrograms(const std::string& folder, std::set<uint32_t>* programs) {
  for (const std::string& name : FolderEntries(folder)) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (fs::is_directory(path)) {
      AddPrograms(path, programs);
      continue;
    }
    const absl::StatusOr<Fd> object = OpenPinned(path);
    const uint32_t id = object.ok() ? FdInfoNumber(object->get(), "prog_id:") : 0;
    if (id != 0) programs->insert(id);
  }
}

// The kernel ends links that nobody holds by and by. False when it has not in time.
bool WaitForTheEndOf(const std::set<uint32_t>& programs) {
  const absl::Time deadline = absl::Now() + kLinksEnd;
  for (const uint32_t id : programs) {
    while (Fd(bpf_prog_get_fd_by_id(id)).valid()) {
      if (absl::Now() > deadline) return false;
      usleep(20'000);
    }
  }
  return true;
}

absl::StatusOr<uint64_t> Remove(const std::string& folder) {
  std::error_code error;
  std::string now = folder;
  // A generation goes as it came, at once: nobody is to take half of one for a whole.
  if (GenerationNumber(fs::path(folder).filename().string())) {
    now = fmt::format("{}/gone", kPinRoot);
    RemoveTree(now, &error);
    if (rename(folder.c_str(), now.c_str()) != 0) now = folder;
  }
  const uint64_t count = RemoveTree(now, &error);
  if (error) return ErrnoError(error.value(), fmt::format("remove {}", folder));
  return count;
}

}  // namespace

absl::StatusOr<Fd> OpenPinned(const std::string& path) {
  Fd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) return ErrnoError(errno, fmt::format("open {}", path));
  return fd;
}

std::vector<std::string> FolderEntries(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<uint32_t> GenerationNumbers() {
  std::vector<uint32_t> numbers;
  for (const std::string& name : FolderEntries(kPinRoot)) {
    if (const auto number = GenerationNumber(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string GenerationFolder(uint32_t number) { return fmt::format("{}/g{}", kPinRoot, number); }

absl::StatusOr<PinIdentity> ReadPinIdentity(const std::string& folder) {
  ASSIGN_OR_RETURN(const Fd map, OpenPinned(folder + "/identity"));
  PinIdentity identity;
  const uint32_t zero = 0;
  bpf_map_info info{};
  uint32_t len = sizeof(info);
  if (bpf_obj_get_info_by_fd(map.get(), &info, &len) != 0 || info.value_size != sizeof(identity) ||
      bpf_map_lookup_elem(map.get(), &zero, &identity) != 0) {
    return absl::DataLossError(fmt::format("{}/identity is none of kentry's", folder));
  }
  return identity;
}

// A text as an array of chunks; the first one begins with its length.
absl::StatusOr<Fd> MakeTextMap(std::string_view text) {
  std::string bytes(sizeof(uint64_t), '\0');
  const uint64_t size = text.size();
  std::memcpy(bytes.data(), &size, sizeof(size));
  bytes += text;
  bytes.resize((bytes.size() + kChunk - 1) / kChunk * kChunk);
  const auto chunks = static_cast<uint32_t>(bytes.size() / kChunk);
  Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ke_rule_text", 4, kChunk, chunks, nullptr));
  if (!map.valid()) return ErrnoError(errno, "make a map for the rules' text");
  for (uint32_t i = 0; i < chunks; ++i) {
    if (bpf_map_update_elem(map.get(), &i, bytes.data() + i * kChunk, BPF_ANY) != 0) {
      return ErrnoError(errno, "keep the rules' text");
    }
  }
  return map;
}

std::map<uint32_t, std::string> ReadPinnedRules(const std::string& folder) {
  std::map<uint32_t, std::string> rules;
  for (const std::string& name : FolderEntries(folder + "/rules")) {
    const auto epoch = NumberOf(name);
    const auto map = OpenPinned(fmt::format("{}/rules/{}", folder, name));
    if (epoch && map.ok()) rules[*epoch] = ReadText(map->get());
  }
  return rules;
}

absl::StatusOr<std::vector<PinnedGeneration>> PinnedGenerations() {
  if (access(kPinRoot, F_OK) == 0 && access(kPinRoot, R_OK | X_OK) != 0) {
    return absl::PermissionDeniedError(fmt::format("{} is for root only", kPinRoot));
  }
  std::vector<PinnedGeneration> generations;
  for (const uint32_t number : GenerationNumbers()) {
    PinnedGeneration one{.folder = GenerationFolder(number)};
    const auto identity = ReadPinIdentity(one.folder);
    if (identity.ok()) one.identity = *identity;
    const auto control = OpenPinned(one.folder + "/maps/ke_r_control");
    const uint32_t zero = 0;
    one.readable = identity.ok() && identity->abi == kPinAbi && control.ok() &&
                   bpf_map_lookup_elem(control->get(), &zero, &one.control) == 0;
    if (one.readable) one.rules = ReadPinnedRules(one.folder);
    const auto trusted = OpenPinned(one.folder + "/maps/ke_trusted");
    if (one.readable && trusted.ok()) one.trusted = TrustedPaths(trusted->get());
    generations.push_back(std::move(one));
  }
  return generations;
}

bool AnythingPinned() { return !FolderEntries(kPinRoot).empty(); }

absl::Status PausePinned(bool paused) {
  ASSIGN_OR_RETURN(const auto generations, PinnedGenerations());
  for (const PinnedGeneration& one : generations) {
    if (!one.readable) continue;
    ASSIGN_OR_RETURN(const Fd map, OpenPinned(one.folder + "/maps/ke_r_control"));
    const auto page = static_cast<size_t>(getpagesize());
    void* at = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
    if (at == MAP_FAILED) return ErrnoError(errno, "map the rules' switch");
    std::atomic_ref(static_cast<ke_rule_control*>(at)->paused).store(paused ? 1 : 0);
    munmap(at, page);
  }
  return absl::OkStatus();
}

absl::Status RemovePins(const std::string& folder) { return Remove(folder).status(); }

absl::Status RemoveIncompletePins() {
  for (const std::string& name : FolderEntries(kPinRoot)) {
    if (GenerationNumber(name)) continue;
    RETURN_IF_ERROR(RemovePins(fmt::format("{}/{}", kPinRoot, name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> RemoveAllPins() {
  uint64_t count = 0;
  std::set<uint32_t> programs;
  AddPrograms(kPinRoot, &programs);
  for (const std::string& name : FolderEntries(kPinRoot)) {
    ASSIGN_OR_RETURN(const uint64_t removed, Remove(fmt::format("{}/{}", kPinRoot, name)));
    count += removed;
  }
  if (rmdir(kPinRoot) != 0 && errno != ENOENT)
    return ErrnoError(errno, fmt::format("remove {}", kPinRoot));
  if (!WaitForTheEndOf(programs)) {
    return absl::DeadlineExceededError(
        "the pins are removed, but another process holds hooks of theirs, which stay in force "
        "until "
        "it ends");
  }
  return count;
}

}  // namespace kentry
