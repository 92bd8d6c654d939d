// SPDX-License-Identifier: Apache-2.0
// What the kernel did at an event, in the words of events.
#ifndef KENTRY_SENSOR_PIPELINE_VERDICT_H_
#define KENTRY_SENSOR_PIPELINE_VERDICT_H_

#include <cstdint>

#include "sensor/event/event.h"

namespace kentry {

// Whether KE_VERDICT_* bits say that something was done, failed, or would have been done. What does
// is never held back.
bool Acted(uint32_t verdict);
// Whether they say that SIGKILL was sent.
bool Killed(uint32_t verdict);

// Adds alert.verdict and the fields behind it. `missed`: a rule should have acted, and the kernel
// lacked a value to know.
void AddVerdict(EventClass cls, uint32_t verdict, bool missed, EventBuilder* event);

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_VERDICT_H_
