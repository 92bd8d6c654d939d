// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/sizes.h"

#include <algorithm>
#include <bit>

namespace kentry {
namespace {

constexpr uint64_t kAllRingsMax = 256ull * 1024 * 1024;
constexpr uint64_t kMemoryShare = 64;
constexpr uint32_t kDefaultBulk = 1024 * 1024;
constexpr uint32_t kMinBulk = 64 * 1024;  // an exec's record can have 48 KiB
constexpr uint32_t kMinPrio = kMinBulk;   // an exec that rules alert of comes that way too
constexpr uint32_t kMaxBulk = 64 * 1024 * 1024;
constexpr uint32_t kMaxPrio = 16 * 1024 * 1024;
constexpr uint32_t kPrioShare = 4;  // a priority ring is this part of a bulk ring

}  // namespace

uint32_t RoundBulkBytes(uint64_t bytes) {
  return static_cast<uint32_t>(std::bit_ceil(std::clamp<uint64_t>(bytes, kMinBulk, kMaxBulk)));
}

uint32_t RoundPrioBytes(uint64_t bytes) {
  return static_cast<uint32_t>(std::bit_ceil(std::clamp<uint64_t>(bytes, kMinPrio, kMaxPrio)));
}

RingSizes DefaultRingSizes(uint64_t memory_bytes, int cpus) {
  const uint64_t all = std::min(kAllRingsMax, memory_bytes / kMemoryShare);
  const uint64_t per_cpu = all / static_cast<uint64_t>(cpus);
  const uint64_t bulk = std::min<uint64_t>(kDefaultBulk, per_cpu);
  RingSizes sizes;
  sizes.bulk = std::max(kMinBulk, static_cast<uint32_t>(std::bit_floor(bulk | 1)));
  sizes.prio = std::max(kMinPrio, sizes.bulk / kPrioShare);
  return sizes;
}

}  // namespace kentry
