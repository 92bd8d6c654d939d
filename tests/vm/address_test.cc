// SPDX-License-Identifier: Apache-2.0
// The kernel's table of addresses against the reference: random blocks, random addresses.
#include <sys/socket.h>

#include <cstdio>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "rules/compile/compiler.h"
#include "tests/unit/rules/compile/address_cases.h"
#include "tests/vm/differential_kernel.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

constexpr size_t kClauses = 200;
constexpr size_t kAddresses = 2 * KE_TRY_RECORDS;

ke_try_address ToTry(ke_rule_class cls, ke_address_place place,
                     const std::optional<IpAddress>& address) {
  ke_try_address out{.cls = static_cast<uint32_t>(cls), .place = static_cast<uint32_t>(place)};
  out.family = !address ? AF_UNIX : address->v4 ? AF_INET : AF_INET6;
  if (address) std::copy(address->bytes.begin(), address->bytes.end(), out.bytes);
  return out;
}

class AddressTest : public TryKernelTest {
 protected:
  // Compares all clauses of a class over random addresses of a place.
  void Compare(address_test::Maker& maker, ke_rule_class cls, ke_address_place place,
               const std::vector<address_test::ClauseParts>& parts);

  uint64_t pairs_ = 0;
  uint64_t held_ = 0;
};

void AddressTest::Compare(address_test::Maker& maker, ke_rule_class cls, ke_address_place place,
                          const std::vector<address_test::ClauseParts>& parts) {
  std::vector<std::optional<IpAddress>> addresses;
  std::vector<ke_try_address> asked;
  for (size_t i = 0; i < kAddresses; ++i) {
    addresses.push_back(maker.Address());
    asked.push_back(ToTry(cls, place, addresses.back()));
  }
  const absl::Status status = kernel_->Look(asked);
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (size_t i = 0; i < asked.size(); ++i) {
    for (size_t clause = 0; clause < parts.size(); ++clause) {
      address_test::ClauseParts of_place;
      for (const address_test::Part& part : parts[clause]) {
        if (part.place == place) of_place.push_back(part);
      }
      address_test::Addresses event;
      event[place] = addresses[i];
      const bool wanted = address_test::Holds(of_place, event);
      const bool said = (asked[i].row.words[clause / 64] >> (clause % 64) & 1) != 0;
      ++pairs_;
      held_ += static_cast<uint64_t>(wanted);
      ASSERT_EQ(said, wanted) << fmt::format("class {} place {} address {} clause {}, id {}",
                                             static_cast<int>(cls), static_cast<int>(place), i,
                                             clause, asked[i].id);
    }
  }
}

TEST_F(AddressTest, KernelAndReferenceAgree) {
  const auto sets = static_cast<uint64_t>(Count(6, 60));
  for (uint64_t seed = 1; seed <= sets && !HasFatalFailure(); ++seed) {
    std::printf("set %llu\n", static_cast<unsigned long long>(seed));
    address_test::Maker maker(seed);
    const address_test::RandomSet random(maker, kClauses);
    const auto compiled = CompiledRules::OfClauses(random.clauses);
    ASSERT_NE(compiled, nullptr);
    const absl::Status set = kernel_->SetRules(*compiled, {});
    ASSERT_TRUE(set.ok()) << set.ToString();
    for (const ke_rule_class cls : {KE_RC_EXEC, KE_RC_OPEN}) {
      for (const ke_address_place place : {KE_ADDRESS_REMOTE, KE_ADDRESS_LOCAL}) {
        Compare(maker, cls, place, random.parts[cls]);
      }
    }
  }
  std::printf("%llu pairs, %llu hold\n", static_cast<unsigned long long>(pairs_),
              static_cast<unsigned long long>(held_));
  EXPECT_GT(pairs_, 100'000u);
  // Neither side may have agreed by saying nothing.
  EXPECT_GT(held_ * 20, pairs_);
  EXPECT_LT(held_ * 20, pairs_ * 19);
}

}  // namespace
}  // namespace kentry::vm
