// SPDX-License-Identifier: Apache-2.0
// The dimensions of addresses: an id for each block that a condition names. The longest block that
// an address lies in says all: its rows hold what the shorter ones around it say too.
#include <algorithm>

#include "rules/compile/address.h"
#include "rules/compile/table_builder.h"

namespace kentry {
namespace {

using Kind = KernelCondition::Kind;

// The blocks that some clause of the class names and `network` lies in, itself among them.
std::vector<ke_address_key> Around(const ke_address_key& network,
                                   const ClausesByNetwork& clauses_of) {
  std::vector<ke_address_key> around;
  for (uint32_t bits = 0; bits <= network.bits - KE_ADDRESS_HEAD_BITS; ++bits) {
    const ke_address_key block = ShortenedKey(network, bits);
    if (clauses_of.contains(block)) around.push_back(block);
  }
  return around;
}

bool NamesOneOf(const KernelCondition& condition, const std::vector<ke_address_key>& blocks) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const ke_address_key& block) {
    return std::binary_search(condition.networks.begin(), condition.networks.end(), block,
                              AddressLess);
  });
}

}  // namespace

std::vector<ke_row> TableBuilder::AddressRows(ke_rule_class cls, ke_address_place place,
                                              const AddressIds& ids) const {
  const auto mine = [place](const Condition& c) {
    return c.kind == Kind::kAddress && c.place == place;
  };
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  ClausesByNetwork clauses_of(AddressLess);
  for (size_t i = 0; i < clauses.size(); ++i) {
    for (const Condition& c : clauses[i].conditions) {
      if (!mine(c)) continue;
      for (const ke_address_key& network : c.networks) clauses_of[network].push_back(i);
    }
  }
  std::vector<ke_row> rows(ids.size() + 1);
  rows[0] = RowOf(cls, mine, [](const Condition&) { return false; });
  for (const auto& [network, id] : ids) {
    const std::vector<ke_address_key> around = Around(network, clauses_of);
    ke_row& row = rows[id] = rows[0];
    for (const ke_address_key& block : around) {
      for (const size_t i : clauses_of.at(block)) {
        const auto& conditions = clauses[i].conditions;
        const bool all = std::all_of(conditions.begin(), conditions.end(), [&](const auto& c) {
          return !mine(c) || NamesOneOf(c, around) != c.negated;
        });
        const uint64_t bit = uint64_t{1} << (i % 64);
        row.words[i / 64] = (row.words[i / 64] & ~bit) | (all ? bit : 0);
      }
    }
  }
  return rows;
}

void TableBuilder::BuildAddresses(ke_address_place place) {
  const auto mine = [place](const Condition& c) {
    return c.kind == Kind::kAddress && c.place == place;
  };
  AddressIds ids(AddressLess);
  for (const auto& clauses : out_.clauses_) {
    for (const Clause& clause : clauses) {
      for (const Condition& c : clause.conditions) {
        if (!mine(c)) continue;
        for (const ke_address_key& network : c.networks) {
          ids.try_emplace(network, static_cast<uint32_t>(ids.size() + 1));
        }
      }
    }
  }
  for (const auto& [network, id] : ids) out_.tables_.addresses.emplace_back(network, id);
  for (int i = 0; i < KE_RC_MAX; ++i) {
    const auto cls = static_cast<ke_rule_class>(i);
    if (!Asks(cls, mine)) continue;
    AddDimension(cls, static_cast<ke_dim>(KE_DIM_ADDRESS + static_cast<int>(place)),
                 AddressRows(cls, place, ids));
  }
}

}  // namespace kentry
