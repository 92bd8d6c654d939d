// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_PROBE_VIEW_H_
#define KENTRY_SENSOR_CLI_PROBE_VIEW_H_

#include <string>
#include <vector>

#include "sensor/cli/options.h"

namespace kentry {

// One backend of one event class, as this kernel has it.
struct ProbeRow {
  std::string event_class;
  std::string backend;
  bool available = false;
  bool chosen = false;  // what `kentry run` would take
  std::string reason;   // why it is not available; "" = it is
  std::string cost;     // what is worse about it than about a better backend; "" = nothing
};

struct ProbeReport {
  std::string kernel_release;
  std::string unusable_reason;  // why the sensor can't run here at all; "" = it can
  std::vector<ProbeRow> rows;   // best backend of a class first
};

// The report as text or as one line of JSON.
std::string RenderProbe(const ProbeReport& report, EventFormat format);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_PROBE_VIEW_H_
