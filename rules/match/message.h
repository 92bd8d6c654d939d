// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_MESSAGE_H_
#define KENTRY_RULES_MATCH_MESSAGE_H_

#include <cstddef>
#include <string>

#include "rules/match/event_fields.h"
#include "rules/model/rule_set.h"

namespace kentry {

// Bytes of one value in a message, and of a whole message.
inline constexpr size_t kMaxMessageValue = 512;
inline constexpr size_t kMaxMessage = 4096;

// Appends the value as messages show it: strings as they are (encoders escape), lists joined by
// spaces, bit masks as 0x..., devices as MAJOR:MINOR, durations in nanoseconds; at most
// kMaxMessageValue bytes, cut between characters where it is UTF-8. Any thread.
void AppendFieldText(const FieldValue& value, std::string* out);

// Replaces *out by the rule's message for this event, at most kMaxMessage bytes of it; without a
// message by its description, or its name. A value that the event doesn't carry is "false" for a
// bool, else nothing, or "?" where it is not known. Allocates only when *out is too small. Any
// thread.
void RenderMessage(const Rule& rule, const EventFields& event, std::string* out);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_MESSAGE_H_
