// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_ENFORCE_VIEW_H_
#define KENTRY_SENSOR_CLI_ENFORCE_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

namespace kentry {

// What is enforced on this machine, by whom.
struct EnforceState {
  bool pinned = false;
  bool paused = false;
  uint32_t daemon_pid = 0;  // 0 = none
  uint32_t epoch = 0;       // 0 = no rules are in force
  std::string rule_set;     // any bytes
  std::string revision;     // any bytes
  std::string mode;
  uint64_t rules = 0;                // enabled ones
  uint64_t generations = 0;          // of pins; two while one build takes over from another
  std::vector<std::string> trusted;  // programs' paths, any bytes
};

std::string RenderEnforceText(const EnforceState& state);
std::string RenderEnforceJson(const EnforceState& state);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_ENFORCE_VIEW_H_
