// SPDX-License-Identifier: Apache-2.0
// Plain values ↔ messages of kentry.proto. All pure; any thread.
#ifndef KENTRY_SENSOR_API_CONVERT_H_
#define KENTRY_SENSOR_API_CONVERT_H_

#include "sensor/api/state.h"

namespace kentry::v1 {
class Process;
class Status;
}  // namespace kentry::v1

namespace kentry {

// Fills `to`, which must be empty.
void ToMessage(const SensorStatus& from, v1::Status* to);
void ToMessage(const ProcessRow& from, v1::Process* to);

SensorStatus FromMessage(const v1::Status& from);
ProcessRow FromMessage(const v1::Process& from);

}  // namespace kentry

#endif  // KENTRY_SENSOR_API_CONVERT_H_
