// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/address.h"

#include <algorithm>
#include <cstring>

namespace kentry {

ke_address_key AddressKey(ke_address_place place, const IpPrefix& block) {
  constexpr size_t kMappedBytes = 12;  // ::ffff:
  ke_address_key key{};
  key.bits = KE_ADDRESS_HEAD_BITS + block.bits;
  key.place = static_cast<uint8_t>(place);
  if (!block.v4) {
    std::copy(block.address.begin(), block.address.end(), key.bytes);
    return key;
  }
  key.bits += 8 * kMappedBytes;
  key.bytes[10] = key.bytes[11] = 0xff;
  std::copy_n(block.address.begin(), 4, key.bytes + kMappedBytes);
  return key;
}

ke_address_key ShortenedKey(const ke_address_key& key, uint32_t bits) {
  ke_address_key cut = key;
  cut.bits = KE_ADDRESS_HEAD_BITS + bits;
  for (uint32_t i = 0; i < sizeof(cut.bytes); ++i) {
    const uint32_t keep = bits > 8 * i ? std::min(bits - 8 * i, 8u) : 0;
    cut.bytes[i] &= static_cast<uint8_t>(0xff00 >> keep);
  }
  return cut;
}

bool AddressLess(const ke_address_key& a, const ke_address_key& b) {
  return std::memcmp(&a, &b, sizeof(a)) < 0;
}

std::optional<KernelCondition> AddressCondition(const Expr& expr, ke_address_place place) {
  const bool known =
      expr.op == ExprOp::kInPrefix || expr.op == ExprOp::kEqual || expr.op == ExprOp::kIn;
  if (!known || expr.values.empty()) return std::nullopt;
  KernelCondition condition{.kind = KernelCondition::Kind::kAddress, .place = place};
  for (const Literal& value : expr.values) {
    condition.networks.push_back(AddressKey(place, std::get<IpPrefix>(value)));
  }
  std::sort(condition.networks.begin(), condition.networks.end(), AddressLess);
  return condition;
}

}  // namespace kentry
