// SPDX-License-Identifier: Apache-2.0
// Tables of names: constants, kinds of tags, address blocks.
#include "rules/parse/cidr.h"
#include "rules/parse/constants.h"
#include "rules/parse/tags.h"
#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using ::testing::HasSubstr;

TEST(NamesTest, Constants) {
  EXPECT_EQ(FindConstant("CAP_CHOWN"), 1u);
  EXPECT_EQ(FindConstant("CAP_CHECKPOINT_RESTORE"), uint64_t{1} << 40);
  EXPECT_EQ(FindConstant("ENOENT"), 2u);
  EXPECT_EQ(FindConstant("SIGTERM"), 15u);
  EXPECT_EQ(FindConstant("S_ISUID"), 04000u);
  EXPECT_EQ(FindConstant("CAP_NOTHING"), std::nullopt);
  EXPECT_EQ(FindSignal("KILL"), 9);
  EXPECT_EQ(FindSignal("EPERM"), std::nullopt);
  size_t capabilities = 0;
  for (const Constant& each : Constants()) capabilities += each.name.starts_with("CAP_") ? 1 : 0;
  EXPECT_EQ(capabilities, 41u);
}

TEST(NamesTest, TagsOfEachFramework) {
  const std::tuple<const char*, const char*, const char*> kCases[] = {
      {"mitre", "T1059.004", "T1059.4"},
      {"mitre", "TA0002", "TA02"},
      {"pci-dss", "10.2.1.2", "10.2.1.2.3"},
      {"nist-800-53", "AC-6(9)", "AC6"},
      {"cis", "6.2.3.9", "6"},
      {"stig", "UBTU-22-654155", "UBTU-654155"},
      {"stig", "V-260590", "V-1"},
      {"hipaa", "164.308(a)(1)(ii)(D)", "165.308"},
      {"soc2", "CC7.2", "CC7"},
      {"iso-27001", "A.8.15", "A8"},
      {"gdpr", "32(1)(b)", "Art 32"},
      {"nis2", "21(2)(b)", "21.2"},
      {"bsi", "OPS.1.1.5.A3", "OPS"},
  };
  for (const auto& [scheme, good, bad] : kCases) {
    const TagScheme* const found = FindTagScheme(scheme);
    ASSERT_NE(found, nullptr) << scheme;
    EXPECT_TRUE(IsTag(*found, good)) << good;
    EXPECT_FALSE(IsTag(*found, bad)) << bad;
    EXPECT_FALSE(IsTag(*found, "")) << scheme;
    EXPECT_FALSE(IsTag(*found, std::string(100000, '1'))) << scheme;
  }
  EXPECT_EQ(FindTagScheme("nist"), nullptr);
}

TEST(NamesTest, AddressBlocks) {
  IpPrefix prefix;
  EXPECT_EQ(ParseCidr("10.0.0.0/8", &prefix), "");
  EXPECT_TRUE(prefix.v4);
  EXPECT_EQ(prefix.bits, 8);
  EXPECT_EQ(prefix.address[0], 10);
  EXPECT_EQ(ParseCidr("fd00::/8", &prefix), "");
  EXPECT_FALSE(prefix.v4);
  EXPECT_EQ(ParseCidr("::1", &prefix), "");
  EXPECT_EQ(prefix.bits, 128);
  EXPECT_THAT(ParseCidr("10.0.0.1/8", &prefix), HasSubstr("address bits behind the first 8"));
  EXPECT_THAT(ParseCidr("10.0.0.0/33", &prefix), HasSubstr("no number of bits from 0 to 32"));
  EXPECT_THAT(ParseCidr("10.0.0/8", &prefix), HasSubstr("is no IP address"));
}

}  // namespace
}  // namespace kentry
