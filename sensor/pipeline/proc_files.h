// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_PROC_FILES_H_
#define KENTRY_SENSOR_PIPELINE_PROC_FILES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kentry {

// First line of a file, without its end; "" when it can't be read.
std::string ReadLine(const std::string& path);

// A copy of the iterator's record (KE_EXISTING, checked) with the process's arguments from
// /proc/PID/cmdline behind it: the iterator can't read another process's memory. Without them when
// the process is gone or its pid has been given to another meanwhile.
std::vector<uint8_t> WithArguments(std::span<const uint8_t> record);

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_PROC_FILES_H_
