// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/yaml_tree.h"

#include "rules/parse/limits.h"
#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::Parse;
using parse_testing::Said;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(YamlTreeTest, NodesKnowTheirPlaceAndStyle) {
  const std::vector<SourceFile> files = {{.name = "a", .text = "a: [x, \"y\"]\nb:\n"}};
  const Sources sources(files);
  Diagnostics diagnostics;
  Reporter reporter(sources, &diagnostics);
  size_t nodes = 100;
  YamlNode root;
  ASSERT_TRUE(ReadYaml(0, reporter, &nodes, &root));
  ASSERT_EQ(root.items.size(), 4u);
  EXPECT_TRUE(root.Find("a")->items[0].plain);
  EXPECT_FALSE(root.Find("a")->items[1].plain);
  EXPECT_EQ(root.Find("a")->items[1].offset, 7u);
  EXPECT_EQ(root.Find("b")->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(PosOf(sources, *root.Find("b")).line, 2u);
  EXPECT_EQ(root.Find("c"), nullptr);
  EXPECT_EQ(nodes, 100u - 7u);
}

TEST(YamlTreeTest, WhatTheLanguageRefusesOfYaml) {
  const std::pair<const char*, const char*> kCases[] = {
      {"lists: &x {}\n", "1:8+1 YAML anchors (&name) are not allowed"},
      {"a: &x b\nlists: {c: *x}\n", "2:12+1 YAML aliases (*name) are not allowed"},
      {"mode: !!str off\n",
       "1:7+1 YAML tags (!name) are not allowed | put a text that starts with !"},
      {"mode: ! off\n", "1:7+1 YAML tags (!name) are not allowed"},
      {"mode: off\nmode: off\n", "2:1+4 key \"mode\" stands twice; first in line 1"},
      {"mode: off\n---\nmode: off\n", "a rule file is one YAML document; here a second one"},
      {"? [a]\n: b\n", "a key must be text"},
      {"mode: [\n", "this is not valid YAML"},
      {"mode: \"a\" b\n", "put all of it into the other kind of quotes"},
      {"mode: *x\n",
       "this is not valid YAML: the referenced anchor is not defined | put a text "
       "that starts with * into quotes"},
  };
  for (const auto& [text, message] : kCases) {
    EXPECT_THAT(Said(Parse(text)), Contains(HasSubstr(message))) << text;
  }
}

TEST(YamlTreeTest, BytesThatAreNoTextAreRefusedWithTheirPlace) {
  EXPECT_THAT(Said(Parse(std::string("mode: off\na: \0b\n", 16))),
              ElementsAre("2:4+1 byte 13 of the file, 0x00, is a NUL | write it as \\xHH in a "
                          "string"));
  EXPECT_THAT(Said(Parse("a: \x04\n")), ElementsAre(HasSubstr("0x04, is a control character")));
  EXPECT_THAT(Said(Parse("a: \xff\n")), ElementsAre(HasSubstr("0xff, is not UTF-8")));
  EXPECT_THAT(Said(Parse("a: \xc3")), ElementsAre(HasSubstr("0xc3, is not UTF-8")));
}

TEST(YamlTreeTest, NestingEndsAtItsLimit) {
  for (const char* const open : {"[", "{a: ", "- ", "? "}) {
    std::string text = "x: ";
    if (open[0] == '-' || open[0] == '?') text = "";
    for (int i = 0; i < 100000; ++i) text += open;
    EXPECT_THAT(Said(Parse(text)), Contains(HasSubstr("YAML nests deeper than 64 levels"))) << open;
  }
}

TEST(YamlTreeTest, NodesEndAtTheirLimit) {
  std::string text = "a: [";
  for (size_t i = 0; i < kMaxYamlNodes; ++i) text += "a,";
  EXPECT_THAT(Said(Parse(text + "]")), ElementsAre(HasSubstr("more than 2000000 YAML nodes")));
}

}  // namespace
}  // namespace kentry
