// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_CIDR_H_
#define KENTRY_RULES_PARSE_CIDR_H_

#include <string>
#include <string_view>

#include "rules/model/expr.h"

namespace kentry {

// Reads "10.0.0.0/8" or "fd00::/8"; an address alone is a block of one. Returns what is wrong,
// "" = nothing. Any thread.
std::string ParseCidr(std::string_view text, IpPrefix* prefix);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_CIDR_H_
