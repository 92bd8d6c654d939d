// SPDX-License-Identifier: Apache-2.0
// The sensor's own log: about itself, never events. Goes to standard error.
#ifndef KENTRY_SENSOR_UTIL_LOG_H_
#define KENTRY_SENSOR_UTIL_LOG_H_

#include <string_view>

namespace kentry {

enum class LogSeverity { kDebug, kInfo, kWarn, kError };

// What is below `least` is not written. Before anything is logged.
void SetLogSeverity(LogSeverity least);
// Writes one line. Control characters in `message` are the caller's to escape. Any thread.
void Log(LogSeverity severity, std::string_view message);

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_LOG_H_
