// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_CANARY_H_
#define KENTRY_SENSOR_PIPELINE_CANARY_H_

#include <cstdint>

#include "bpf/abi/event.h"
#include "sensor/util/fd.h"

namespace kentry {

// Does what hooks watch, so that their counters show that they fire: BPF links stay attached and
// tell nothing when the kernel's tracing is switched off (kernel.ftrace_enabled). Files are made
// and removed in a tmpfs of its own that is mounted nowhere (fsmount, 5.2). One thread.
class Canary {
 public:
  Canary();

  // Does once what the class's hook watches; false = it can't be done here, or not by this process.
  bool Sing(ke_type type);

 private:
  bool SingOfFile(ke_type type) const;

  Fd folder_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_CANARY_H_
