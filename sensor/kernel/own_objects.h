// SPDX-License-Identifier: Apache-2.0
// Which BPF maps and programs are the sensor's, for the kernel. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_OWN_OBJECTS_H_
#define KENTRY_SENSOR_KERNEL_OWN_OBJECTS_H_

#include "absl/status/status.h"

namespace kentry {

// Makes `own`, a map of struct ke_object, hold what this process has descriptors of: maps, maps in
// maps, programs and those of its links. Source of the ids: /proc/self/fdinfo.
absl::Status TellOwnObjects(int own);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_OWN_OBJECTS_H_
