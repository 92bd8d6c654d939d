// SPDX-License-Identifier: Apache-2.0
// What is pinned, as anybody sees it: the next sensor, and commands that need no sensor.
#ifndef KENTRY_SENSOR_KERNEL_PINNED_H_
#define KENTRY_SENSOR_KERNEL_PINNED_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/abi/rules.h"
#include "sensor/util/fd.h"

namespace kentry {

inline constexpr uint32_t kPinAbi = 1;  // of everything below that is read by another build

struct PinIdentity {
  uint64_t magic = 0x4b454e5452593031;  // "KENTRY01"
  uint32_t abi = kPinAbi;
  uint32_t record_version = 0;
  uint64_t hash = 0;  // of the BPF objects, what is baked into them, and the maps' sizes
  uint32_t cpus = 0;
  uint32_t pad = 0;
  char version[32] = {};
};
static_assert(sizeof(PinIdentity) == 64, "PinIdentity is read by other builds");

// One generation as somebody else sees it.
struct PinnedGeneration {
  std::string folder;
  PinIdentity identity;
  bool readable = false;  // of this build's ABI: what follows can be known
  ke_rule_control control{};
  std::map<uint32_t, std::string> rules;
  std::vector<std::string> trusted;  // programs' paths
};

// All complete generations, oldest first. kPermissionDenied: not for this user.
absl::StatusOr<std::vector<PinnedGeneration>> PinnedGenerations();
// Whether anything is pinned, complete or not.
bool AnythingPinned();
// Lets the hooks of all readable generations enforce, or only watch.
absl::Status PausePinned(bool paused);
// Removes a generation's pins, links first: what no process holds is gone then.
absl::Status RemovePins(const std::string& folder);
// … of what is no complete generation: a start or an end that was cut short.
absl::Status RemoveIncompletePins();
// … of all generations, and waits until their hooks have ended. Returns how many objects were
// pinned. kDeadlineExceeded: another process holds hooks.
absl::StatusOr<uint64_t> RemoveAllPins();

// Internal to sensor/kernel.
inline constexpr char kPinFileSystem[] = "/sys/fs/bpf";
inline constexpr char kPinRoot[] = "/sys/fs/bpf/kentry";
absl::StatusOr<Fd> OpenPinned(const std::string& path);
// Names in a folder, sorted; none when it can't be read.
std::vector<std::string> FolderEntries(const std::string& folder);
// The numbers of complete generations, in order, and the folder of one.
std::vector<uint32_t> GenerationNumbers();
std::string GenerationFolder(uint32_t number);
absl::StatusOr<PinIdentity> ReadPinIdentity(const std::string& folder);
std::map<uint32_t, std::string> ReadPinnedRules(const std::string& folder);
// A map that holds a text, for ReadPinnedRules.
absl::StatusOr<Fd> MakeTextMap(std::string_view text);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_PINNED_H_
