// SPDX-License-Identifier: Apache-2.0
// Address blocks as the kernel's table of addresses takes them.
#ifndef KENTRY_RULES_COMPILE_ADDRESS_H_
#define KENTRY_RULES_COMPILE_ADDRESS_H_

#include <cstdint>
#include <optional>

#include "rules/compile/clauses.h"
#include "rules/model/expr.h"

namespace kentry {

// The block's key; blocks of IPv4 are blocks of ::ffff:0:0/96.
ke_address_key AddressKey(ke_address_place place, const IpPrefix& block);
// The key's first `bits` bits of the address.
ke_address_key ShortenedKey(const ke_address_key& key, uint32_t bits);
bool AddressLess(const ke_address_key& a, const ke_address_key& b);

// containsIP, == or in on the address at `place`; nothing for another comparison.
std::optional<KernelCondition> AddressCondition(const Expr& expr, ke_address_place place);

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_ADDRESS_H_
