// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_CLI_FIELDS_VIEW_H_
#define KENTRY_SENSOR_CLI_FIELDS_VIEW_H_

#include <string>

#include "sensor/cli/options.h"

namespace kentry {

// The field table, or of it one class. As markdown and for all classes it is docs/events.md.
std::string RenderFields(const FieldsOptions& options);

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_FIELDS_VIEW_H_
