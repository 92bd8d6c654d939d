// SPDX-License-Identifier: Apache-2.0
// What the machine must have before BPF is tried. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_HOST_H_
#define KENTRY_SENSOR_KERNEL_HOST_H_

#include <cstdint>

#include "absl/status/status.h"

namespace kentry {

// Addresses of the kernel's variables that BPF programs look at; 0 = the kernel doesn't tell.
struct KernelSymbols {
  uint64_t rename_lock = 0;
  uint64_t mount_lock = 0;
  uint64_t init_nsproxy = 0;
};

// Cheap tests that turn the usual refusals into a sentence: kFailedPrecondition or
// kPermissionDenied.
absl::Status CheckHost();
// 5.10 accounts maps to RLIMIT_MEMLOCK; 5.11 and later to the memory cgroup.
void RaiseMemlock();
KernelSymbols FindKernelSymbols();
// Is "bpf" among the security modules that are asked? False too where securityfs isn't mounted.
bool BpfLsmIsActive();
// Can a task be preempted while a BPF program of its CPU runs? By the kernel's mode of preemption
// (debugfs, else its version line and command line); true when that can't be known.
bool HooksMayBePreempted();

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_HOST_H_
