// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_STATUS_VIEW_H_
#define KENTRY_SENSOR_CLI_STATUS_VIEW_H_

#include <string>

#include "sensor/api/state.h"

namespace kentry {

// For people, without an end of line: "3 confirmed, half within 40us, …"; "none".
std::string KillText(const KillStatus& kills);

// For people; safe for a terminal.
std::string RenderStatusText(const SensorStatus& status);
// One line of JSON with all of it.
std::string RenderStatusJson(const SensorStatus& status);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_STATUS_VIEW_H_
