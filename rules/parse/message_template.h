// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_MESSAGE_TEMPLATE_H_
#define KENTRY_RULES_PARSE_MESSAGE_TEMPLATE_H_

#include <vector>

#include "rules/model/rule_set.h"
#include "rules/parse/rule_keys.h"

namespace kentry {

// Splits a message's template ("{process.binary} opened {file.path}") for events of class `on`.
// Says what is wrong and returns nothing then. One thread.
std::optional<std::vector<MessagePart>> ReadMessage(const KeyedNode& value, EventClass on,
                                                    Reporter& reporter);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_MESSAGE_TEMPLATE_H_
