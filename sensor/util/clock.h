// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_UTIL_CLOCK_H_
#define KENTRY_SENSOR_UTIL_CLOCK_H_

#include <ctime>

#include <cstdint>

namespace kentry {

inline constexpr uint64_t kMillisecond = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;

// Nanoseconds of the clock `id`, a CLOCK_… of time.h.
inline uint64_t NowNs(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

// Nanoseconds since boot, sleep included: the clock of the kernel's records.
inline uint64_t BootNowNs() { return NowNs(CLOCK_BOOTTIME); }

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_CLOCK_H_
