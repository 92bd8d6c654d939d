// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_APP_MACHINE_LOCK_H_
#define KENTRY_SENSOR_APP_MACHINE_LOCK_H_

#include "absl/status/statusor.h"
#include "sensor/util/fd.h"

namespace kentry {

// Held by the one sensor of this machine, whatever its socket is called, as long as the descriptor
// is open. kAlreadyExists: another has it.
absl::StatusOr<Fd> LockMachine();

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_MACHINE_LOCK_H_
