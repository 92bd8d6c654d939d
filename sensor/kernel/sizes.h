// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_KERNEL_SIZES_H_
#define KENTRY_SENSOR_KERNEL_SIZES_H_

#include <cstdint>

namespace kentry {

struct RingSizes {
  uint32_t bulk = 0;  // bytes per CPU, powers of two
  uint32_t prio = 0;
};

// Default sizes: all rings together at most a 64th of the machine's memory and at most 256 MiB,
// a bulk ring at most 1 MiB. `cpus` is at least 1.
RingSizes DefaultRingSizes(uint64_t memory_bytes, int cpus);

// `bytes` rounded up to a power of two that the largest record fits into, at most 64 and 16 MiB.
uint32_t RoundBulkBytes(uint64_t bytes);
uint32_t RoundPrioBytes(uint64_t bytes);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_SIZES_H_
