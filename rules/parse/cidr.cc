// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/cidr.h"

#include <arpa/inet.h>

#include "fmt/format.h"
#include "rules/parse/lexer.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

bool HasBitsBehind(const IpPrefix& prefix, int size) {
  for (int bit = prefix.bits; bit < size; ++bit) {
    const uint8_t byte = prefix.address[static_cast<size_t>(bit / 8)];
    if ((byte >> (7 - bit % 8) & 1) != 0) return true;
  }
  return false;
}

}  // namespace

std::string ParseCidr(std::string_view text, IpPrefix* prefix) {
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  IpPrefix result;
  result.v4 = address.find(':') == std::string::npos;
  if (inet_pton(result.v4 ? AF_INET : AF_INET6, address.c_str(), result.address.data()) != 1 ||
      address.find('\0') != std::string::npos) {
    return fmt::format("{} is no IP address", Shown(address));
  }
  const int size = result.v4 ? 32 : 128;
  result.bits = static_cast<uint8_t>(size);
  if (slash != std::string_view::npos) {
    const auto bits = NumberOf(text.substr(slash + 1));
    if (!bits || bits->unit != NumberUnit::kNone || bits->number < 0 || bits->number > size) {
      return fmt::format("{} is no number of bits from 0 to {}", Shown(text.substr(slash + 1)),
                         size);
    }
    result.bits = static_cast<uint8_t>(bits->number);
  }
  if (HasBitsBehind(result, size)) {
    return fmt::format("{} has address bits behind the first {}", Shown(text), result.bits);
  }
  *prefix = result;
  return "";
}

}  // namespace kentry
