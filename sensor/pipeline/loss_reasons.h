// SPDX-License-Identifier: Apache-2.0
// The values of loss.reason that the pipeline gives.
#ifndef KENTRY_SENSOR_PIPELINE_LOSS_REASONS_H_
#define KENTRY_SENSOR_PIPELINE_LOSS_REASONS_H_

#include <string_view>

namespace kentry {

inline constexpr std::string_view kRingFull = "ring_full";
inline constexpr std::string_view kHookMissed = "hook_missed";
// A malformed record has no number that could be trusted.
inline constexpr std::string_view kMalformed = "malformed";
inline constexpr std::string_view kReaderDied = "reader_died";
inline constexpr std::string_view kOtherBuild = "other_build";
// Calls that strict rules cover and that could not be recorded; kRingFull has counted their
// records.
inline constexpr std::string_view kStrictRefused = "strict_refused";
inline constexpr std::string_view kStrictStalled = "strict_stalled";
inline constexpr std::string_view kStrictWatched = "strict_watched";

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_LOSS_REASONS_H_
