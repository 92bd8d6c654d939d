// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_MATCH_IP_BLOCK_H_
#define KENTRY_RULES_MATCH_IP_BLOCK_H_

#include <array>
#include <cstdint>
#include <optional>

#include "rules/model/expr.h"

namespace kentry {

// Bytes in network order; IPv4 in the first four.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  bool v4 = true;
};

// What containsIP says: the reference for the kernel's table of addresses. An IPv4 address and the
// same one mapped into IPv6 (::ffff:a.b.c.d) lie in the same blocks; nothing (the event has no
// address, or one of another family) lies in none. Any thread.
bool BlockContains(const IpPrefix& block, const std::optional<IpAddress>& address);

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_IP_BLOCK_H_
