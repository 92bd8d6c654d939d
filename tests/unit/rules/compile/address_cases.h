// SPDX-License-Identifier: Apache-2.0
// Random clauses on addresses, and addresses that lie near their blocks: for the tables' unit test
// and for the kernel's.
#ifndef KENTRY_TESTS_UNIT_RULES_COMPILE_ADDRESS_CASES_H_
#define KENTRY_TESTS_UNIT_RULES_COMPILE_ADDRESS_CASES_H_

#include <array>
#include <cstddef>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "rules/compile/address.h"
#include "rules/compile/clauses.h"
#include "rules/match/ip_block.h"

namespace kentry::address_test {

// One part of a clause, as it would be written: what the reference answers.
struct Part {
  ke_address_place place = KE_ADDRESS_REMOTE;
  bool negated = false;
  std::vector<IpPrefix> blocks;
};
using ClauseParts = std::vector<Part>;
using Addresses = std::array<std::optional<IpAddress>, KE_ADDRESS_PLACES>;

inline bool Holds(const ClauseParts& clause, const Addresses& event) {
  for (const Part& part : clause) {
    bool any = false;
    for (const IpPrefix& block : part.blocks) any |= BlockContains(block, event[part.place]);
    if (any == part.negated) return false;
  }
  return true;
}

inline Clause ToClause(const ClauseParts& parts) {
  Clause clause;
  for (const Part& part : parts) {
    Expr expr;
    expr.op = ExprOp::kInPrefix;
    expr.values.assign(part.blocks.begin(), part.blocks.end());
    KernelCondition condition = AddressCondition(expr, part.place).value();
    condition.negated = part.negated;
    clause.conditions.push_back(std::move(condition));
  }
  return clause;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 12; ++i) pool_.push_back(Anything());
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  ClauseParts Parts() {
    ClauseParts parts;
    for (uint64_t left = 1 + Below(3); left > 0; --left) {
      Part part{.place = static_cast<ke_address_place>(Below(KE_ADDRESS_PLACES)),
                .negated = Below(3) == 0};
      for (uint64_t blocks = 1 + Below(4); blocks > 0; --blocks) part.blocks.push_back(Block());
      parts.push_back(std::move(part));
    }
    return parts;
  }

  // Near the pool, in either spelling of IPv4; now and then none.
  std::optional<IpAddress> Address() {
    if (Below(12) == 0) return std::nullopt;
    IpAddress address = Near();
    if (!address.v4 || Below(2) == 0) return address;
    IpAddress mapped{.v4 = false};
    mapped.bytes[10] = mapped.bytes[11] = 0xff;
    for (size_t i = 0; i < 4; ++i) mapped.bytes[12 + i] = address.bytes[i];
    return mapped;
  }

 private:
  IpAddress Anything() {
    IpAddress address{.v4 = Below(2) == 0};
    for (size_t i = 0; i < (address.v4 ? 4 : 16); ++i) {
      address.bytes[i] = static_cast<uint8_t>(random_());
    }
    if (address.v4 || Below(3) != 0) return address;
    // ::ffff:0:0/96 written as IPv6, and its neighbour.
    for (size_t i = 0; i < 10; ++i) address.bytes[i] = 0;
    address.bytes[10] = 0xff;
    address.bytes[11] = Below(3) == 0 ? 0xfe : 0xff;
    return address;
  }

  IpAddress Near() {
    IpAddress address = pool_[Below(pool_.size())];
    if (Below(3) == 0) return address;
    const uint64_t bit = Below(address.v4 ? 32 : 128);
    address.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
    return address;
  }

  IpPrefix Block() {
    const IpAddress address = Near();
    const uint32_t size = address.v4 ? 32 : 128;
    IpPrefix block{.address = address.bytes, .v4 = address.v4};
    const uint64_t how = Below(8);
    block.bits = static_cast<uint8_t>(how == 0 ? 0 : how < 3 ? size : Below(size + 1));
    for (uint32_t bit = block.bits; bit < size; ++bit) {
      block.address[bit / 8] &= static_cast<uint8_t>(~(0x80 >> bit % 8));
    }
    return block;
  }

  std::mt19937_64 random_;
  std::vector<IpAddress> pool_;
};

// Clauses in both forms, by class.
struct RandomSet {
  std::array<std::vector<ClauseParts>, KE_RC_MAX> parts;
  std::array<std::vector<Clause>, KE_RC_MAX> clauses;

  RandomSet(Maker& maker, size_t count) {
    for (; count > 0; --count) {
      const size_t cls = maker.Below(KE_RC_PTRACE);  // few classes get many clauses each
      parts[cls].push_back(maker.Parts());
      clauses[cls].push_back(ToClause(parts[cls].back()));
    }
  }
};

}  // namespace kentry::address_test

#endif  // KENTRY_TESTS_UNIT_RULES_COMPILE_ADDRESS_CASES_H_
