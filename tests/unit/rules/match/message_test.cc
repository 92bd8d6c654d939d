// SPDX-License-Identifier: Apache-2.0
#include "rules/match/message.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using namespace std::string_literals;
using enum FieldId;

std::string Render(std::vector<MessagePart> parts, const Values& values) {
  Rule rule = MakeRule("name", Op(ExprOp::kTrue));
  rule.message = std::move(parts);
  const match_test::Event event(values);
  std::string out = "what was there before";
  RenderMessage(rule, event.fields(), &out);
  return out;
}

TEST(MessageTest, ValuesStandBetweenTexts) {
  EXPECT_EQ(Render({{"run of ", kProcessBinary}, {" by ", kProcessUid}, {"!"}},
                   {{kProcessBinary, Text("/bin/sh")}, {kProcessUid, Number(5)}}),
            "run of /bin/sh by 5!");
}

TEST(MessageTest, EachTypeHasItsForm) {
  const auto form = [](FieldId id, Value value) { return Render({{"", id}}, {{id, value}}); };
  EXPECT_EQ(form(kProcessArgs, List({"sh", "-c", "id x"})), "sh -c id x");
  EXPECT_EQ(form(kProcessArgs, List({"sh", ""})), "sh ");
  EXPECT_EQ(form(kProcessArgs, List({})), "");
  EXPECT_EQ(form(kFileRead, Number(1)), "true");
  EXPECT_EQ(form(kProcessUid, Number(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(form(kFailedError, Number(static_cast<uint64_t>(-2))), "-2");
  EXPECT_EQ(form(kProcessCapEffective, Number(0x1ff)), "0x1ff");
  EXPECT_EQ(form(kFileDev, Number(8 << 20 | 3)), "8:3");
  EXPECT_EQ(form(kExitCpu, Number(1500)), "1500");
}

TEST(MessageTest, WhatIsMissingIsNothingAndWhatIsNotKnownIsAMark) {
  EXPECT_EQ(Render({{"<", kContainerId}, {">"}}, {}), "<>");
  EXPECT_EQ(Render({{"<", kFileWrite}, {">"}}, {}), "<false>");
  EXPECT_EQ(Render({{"<", kContainerId}, {">"}}, {{kCgroupUnknown, Number(1)}}), "<?>");
  EXPECT_EQ(Render({{"<", kParentBinary}, {">"}}, {{kParentPid, Number(1)}}), "<?>");
}

TEST(MessageTest, BytesAreKept) {
  const std::string bytes = "\x1b[2J\n\xff\xe2\x80";
  EXPECT_EQ(Render({{"", kFilePath}}, {{kFilePath, Text(bytes)}}), bytes);
}

TEST(MessageTest, LongValuesAreCutBetweenCharacters) {
  const std::string plain(600, 'x');
  EXPECT_EQ(Render({{"", kFilePath}}, {{kFilePath, Text(plain)}}), plain.substr(0, 512));
  const std::string letters = std::string(511, 'x') + "\xc3\xa9" + "yy";
  EXPECT_EQ(Render({{"", kFilePath}}, {{kFilePath, Text(letters)}}), letters.substr(0, 511));
  const std::string junk = std::string(500, 'x') + std::string(60, '\x80');
  EXPECT_EQ(Render({{"", kFilePath}}, {{kFilePath, Text(junk)}}), junk.substr(0, 512));
  EXPECT_EQ(Render({{"", kProcessArgs}}, {{kProcessArgs, List({plain, "y"})}}),
            plain.substr(0, 512));
}

TEST(MessageTest, WholeMessageIsBounded) {
  std::vector<MessagePart> parts(300, MessagePart{"", kFilePath});
  EXPECT_EQ(Render(parts, {{kFilePath, Text(std::string(512, 'x'))}}), std::string(4096, 'x'));
}

TEST(MessageTest, WithoutTemplateTheDescriptionOrTheNameSpeaks) {
  Rule rule = MakeRule("some-rule", Op(ExprOp::kTrue));
  const match_test::Event event({});
  std::string out;
  RenderMessage(rule, event.fields(), &out);
  EXPECT_EQ(out, "some-rule");
  rule.description = "a shell in a container";
  RenderMessage(rule, event.fields(), &out);
  EXPECT_EQ(out, "a shell in a container");
}

}  // namespace
}  // namespace kentry
