// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_APP_EXPLAIN_H_
#define KENTRY_SENSOR_APP_EXPLAIN_H_

#include <string>

#include "sensor/pipeline/rule_engine.h"

namespace kentry {

// Rule by rule where each comparison is decided and how an enforcing rule acts, and what the set as
// a whole makes of a process and of an open that it does not concern. For people.
std::string ExplainText(const RuleEngine& engine, bool color);
// The same as JSON.
std::string ExplainJson(const RuleEngine& engine);

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_EXPLAIN_H_
