// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/address.h"

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "rules/compile/compiler.h"
#include "rules/parse/cidr.h"
#include "tests/unit/rules/compile/address_cases.h"

namespace kentry {
namespace {

using address_test::Addresses;
using address_test::ClauseParts;

IpPrefix Block(std::string_view text) {
  IpPrefix block;
  EXPECT_EQ(ParseCidr(text, &block), "");
  return block;
}

IpAddress Address(std::string_view text) {
  const IpPrefix whole = Block(text);
  return {.bytes = whole.address, .v4 = whole.v4};
}

TEST(IpBlockTest, BothSpellingsOfIpv4AreOneAddress) {
  for (const char* spelling : {"10.1.2.3", "::ffff:10.1.2.3"}) {
    const IpAddress address = Address(spelling);
    for (const char* block : {"10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "::ffff:0:0/96",
                              "::ffff:10.1.2.0/120", "::ffff:10.1.2.3"}) {
      EXPECT_TRUE(BlockContains(Block(block), address)) << block << " " << spelling;
    }
    for (const char* block : {"11.0.0.0/8", "10.1.2.2", "::fffe:0:0/96", "fd00::/8"}) {
      EXPECT_FALSE(BlockContains(Block(block), address)) << block << " " << spelling;
    }
  }
  EXPECT_FALSE(BlockContains(Block("0.0.0.0/0"), Address("::1")));
  EXPECT_FALSE(BlockContains(Block("::/0"), std::nullopt));
  EXPECT_FALSE(BlockContains(Block("10.0.0.0/8"), Address("a01:203::")));  // the same first bytes
}

TEST(AddressTest, OnlyComparisonsWithConstantsAreTheKernels) {
  Expr expr;
  expr.op = ExprOp::kEqual;
  EXPECT_FALSE(AddressCondition(expr, KE_ADDRESS_LOCAL));  // with another field
  expr.values = {Block("10.0.0.1"), Block("2001:db8::/32"), Block("10.0.0.0/8")};
  for (const ExprOp op : {ExprOp::kEqual, ExprOp::kIn, ExprOp::kInPrefix}) {
    expr.op = op;
    const auto condition = AddressCondition(expr, KE_ADDRESS_LOCAL);
    ASSERT_TRUE(condition);
    EXPECT_EQ(condition->kind, KernelCondition::Kind::kAddress);
    EXPECT_EQ(condition->place, KE_ADDRESS_LOCAL);
    EXPECT_EQ(condition->networks.size(), 3u);
    EXPECT_TRUE(
        std::is_sorted(condition->networks.begin(), condition->networks.end(), AddressLess));
  }
  expr.op = ExprOp::kHas;
  EXPECT_FALSE(AddressCondition(expr, KE_ADDRESS_LOCAL));
}

// What the kernel's trie finds: the longest entry that the address lies in.
uint32_t LongestOf(const RuleTables& tables, ke_address_place place,
                   const std::optional<IpAddress>& address) {
  if (!address) return 0;
  const ke_address_key whole =
      AddressKey(place, {.address = address->bytes,
                         .bits = static_cast<uint8_t>(address->v4 ? 32 : 128),
                         .v4 = address->v4});
  uint32_t best_bits = 0;
  uint32_t best = 0;
  for (const auto& [key, id] : tables.addresses) {
    const ke_address_key cut = ShortenedKey(whole, key.bits - KE_ADDRESS_HEAD_BITS);
    if (AddressLess(cut, key) || AddressLess(key, cut) || key.bits < best_bits) continue;
    best_bits = key.bits;
    best = id;
  }
  return best;
}

bool KernelHolds(const RuleTables& tables, ke_rule_class cls, size_t clause,
                 const Addresses& event) {
  bool all = true;
  for (const ke_address_place place : {KE_ADDRESS_REMOTE, KE_ADDRESS_LOCAL}) {
    const uint32_t base = tables.config.base[cls][KE_DIM_ADDRESS + static_cast<int>(place)];
    if (base == 0) continue;  // no clause of the class asks
    const ke_row& row = tables.rows[tables.index[base + LongestOf(tables, place, event[place])]];
    all &= (row.words[clause / 64] >> (clause % 64) & 1) != 0;
  }
  return all;
}

TEST(AddressTest, RowsSayWhatTheReferenceSays) {
  int held = 0;
  constexpr int kSets = 10;
  constexpr int kEvents = 60;
  constexpr size_t kClauses = 90;
  for (uint64_t seed = 1; seed <= kSets; ++seed) {
    address_test::Maker maker(seed);
    const address_test::RandomSet set(maker, kClauses);
    const auto compiled = CompiledRules::OfClauses(set.clauses);
    ASSERT_NE(compiled, nullptr);
    for (int i = 0; i < kEvents; ++i) {
      const Addresses event = {maker.Address(), maker.Address()};
      for (int cls = 0; cls < KE_RC_MAX; ++cls) {
        const std::vector<ClauseParts>& parts = set.parts[static_cast<size_t>(cls)];
        for (size_t at = 0; at < parts.size(); ++at) {
          const bool wanted = address_test::Holds(parts[at], event);
          held += wanted ? 1 : 0;
          ASSERT_EQ(KernelHolds(compiled->tables(), static_cast<ke_rule_class>(cls), at, event),
                    wanted)
              << fmt::format("set {} event {} class {} clause {}", seed, i, cls, at);
        }
      }
    }
  }
  // Neither side may have agreed by saying nothing.
  constexpr int kPairs = kSets * kEvents * static_cast<int>(kClauses);
  EXPECT_GT(held, kPairs / 20);
  EXPECT_LT(held, kPairs * 19 / 20);
}

}  // namespace
}  // namespace kentry
