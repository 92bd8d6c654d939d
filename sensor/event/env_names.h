// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_EVENT_ENV_NAMES_H_
#define KENTRY_SENSOR_EVENT_ENV_NAMES_H_

#include <string>
#include <vector>

namespace kentry {

// Environment variables that process.env shows unless others are asked for: those that make the
// dynamic loader or libc run code of another's choice (ld.so(8)).
inline std::vector<std::string> DefaultEnvNames() {
  return {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH"};
}

}  // namespace kentry

#endif  // KENTRY_SENSOR_EVENT_ENV_NAMES_H_
