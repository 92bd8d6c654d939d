// SPDX-License-Identifier: Apache-2.0
// Values of options from their text. All errors are InvalidArgument, say what is allowed, and are
// safe to print on a terminal whatever the text was.
#ifndef KENTRY_SENSOR_CLI_VALUES_H_
#define KENTRY_SENSOR_CLI_VALUES_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sensor/event/field_table.h"

namespace kentry {

struct Bounds {
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
};

// Bytes: "4096", "64K", "1M", "1MiB", "2g". Units are powers of 1024.
absl::StatusOr<uint64_t> ParseSize(std::string_view text, Bounds bounds);
// "64 KiB"; whole units only, else the next smaller unit.
std::string SizeText(uint64_t bytes);
// The smallest power of two that is not below `bytes`, which is at most 2^63.
uint64_t RoundUpToPowerOfTwo(uint64_t bytes);

absl::StatusOr<uint64_t> ParseCount(std::string_view text, Bounds bounds);

// "500ms", "90s", "5m", "1h30m"; a bare number means seconds. More than nothing, at most 365 days.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

// Index of `text` in `choices`.
absl::StatusOr<size_t> ParseChoice(std::string_view text,
                                   std::span<const std::string_view> choices);

// Classes of a list "process.exec,process.exit", "process.*" or "all" as bits (1 << EventClass).
absl::StatusOr<ClassMask> ParseClasses(std::string_view list);

// Names of environment variables; a single "none" gives none of them.
absl::StatusOr<std::vector<std::string>> ParseEnvNames(const std::vector<std::string>& names);

// A path that can be a unix socket's.
absl::StatusOr<std::string> ParseSocketPath(std::string_view text);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_VALUES_H_
