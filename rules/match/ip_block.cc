// SPDX-License-Identifier: Apache-2.0
#include "rules/match/ip_block.h"

#include <algorithm>

namespace kentry {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool SameBits(const uint8_t* a, const uint8_t* b, int bits) {
  for (int i = 0; i < bits; ++i) {
    const int shift = 7 - i % 8;
    if (((a[i / 8] ^ b[i / 8]) >> shift & 1) != 0) return false;
  }
  return true;
}

}  // namespace

bool BlockContains(const IpPrefix& block, const std::optional<IpAddress>& address) {
  if (!address) return false;
  const auto& bytes = address->bytes;
  const bool mapped = !address->v4 && std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
  if (block.v4) {
    if (!address->v4 && !mapped) return false;
    return SameBits(block.address.data(), bytes.data() + (mapped ? kMapped.size() : 0), block.bits);
  }
  if (!address->v4) return SameBits(block.address.data(), bytes.data(), block.bits);
  std::array<uint8_t, 16> whole{};
  std::copy(kMapped.begin(), kMapped.end(), whole.begin());
  std::copy_n(bytes.begin(), 4, whole.begin() + kMapped.size());
  return SameBits(block.address.data(), whole.data(), block.bits);
}

}  // namespace kentry
