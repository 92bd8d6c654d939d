// SPDX-License-Identifier: Apache-2.0
// The kernel side alone, for what the pipeline hides: sequence numbers, counters, the rings.
#ifndef KENTRY_TESTS_VM_RAW_SENSOR_H_
#define KENTRY_TESTS_VM_RAW_SENSOR_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "bpf/abi/event.h"
#include "sensor/kernel/kernel.h"

namespace kentry::vm {

// Rings that a burst overflows; the largest record just fits.
inline constexpr uint32_t kTinyRing = 64 * 1024;

// A copy of one record.
struct RawRecord {
  std::vector<uint64_t> words;  // aligned as records are

  const ke_hdr& hdr() const { return *reinterpret_cast<const ke_hdr*>(words.data()); }
  template <typename T>
  const T& As() const {
    return *reinterpret_cast<const T*>(words.data());
  }
};

// The same counters, summed over all CPUs.
ke_counts Sum(const Kernel& kernel, ke_type type);

// Loads the kernel side; fails the test and returns nullptr when it can't.
std::unique_ptr<Kernel> LoadKernel(const KernelOptions& options = {});
// Reads what is in the rings, all of it.
std::vector<RawRecord> DrainAll(Kernel& kernel);

// Makes `count` processes that execute the hold program and end, half of them from each of two
// children that run on different CPUs where there are two. Returns when all have ended.
void RunExecs(int count);

// `usual`, or `full` where the environment has KENTRY_FULL.
int Count(int usual, int full);

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_RAW_SENSOR_H_
