// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/expr_check.h"

#include "tests/unit/rules/parse/parse_testing.h"

namespace kentry {
namespace {

using parse_testing::ConditionOn;
using parse_testing::ErrorOn;
using parse_testing::Parse;
using parse_testing::Report;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kExec[] = "process.exec";
constexpr char kOpen[] = "file.open";

Literal Text(const char* text) { return std::string(text); }
Literal Number(int64_t number) { return absl::int128(number); }

TEST(ExprCheckTest, ComparisonsHaveTheFieldOnTheLeft) {
  struct Case {
    const char* when;
    ExprOp op;
  };
  const Case kCases[] = {
      {"process.uid == 5", ExprOp::kEqual},        {"5 == process.uid", ExprOp::kEqual},
      {"process.uid < 5", ExprOp::kLess},          {"5 > process.uid", ExprOp::kLess},
      {"process.uid <= 5", ExprOp::kLessEqual},    {"5 >= process.uid", ExprOp::kLessEqual},
      {"process.uid > 5", ExprOp::kGreater},       {"5 < process.uid", ExprOp::kGreater},
      {"process.uid >= 5", ExprOp::kGreaterEqual}, {"5 <= process.uid", ExprOp::kGreaterEqual},
  };
  for (const Case& each : kCases) {
    const Expr expr = ConditionOn(kExec, each.when);
    EXPECT_EQ(expr.op, each.op) << each.when;
    EXPECT_THAT(expr.values, ElementsAre(Number(5))) << each.when;
    ASSERT_EQ(expr.args.size(), 1u) << each.when;
    EXPECT_EQ(expr.args[0].field, FieldId::kProcessUid) << each.when;
    EXPECT_EQ(expr.args[0].type, ValueType::kNumber);
  }
}

TEST(ExprCheckTest, NotEqualIsTheNegationOfEqual) {
  const Expr expr = ConditionOn(kExec, "process.binary != '/x'");
  EXPECT_EQ(expr.op, ExprOp::kNot);
  EXPECT_EQ(expr.args.at(0).op, ExprOp::kEqual);
  EXPECT_THAT(expr.args.at(0).values, ElementsAre(Text("/x")));
}

TEST(ExprCheckTest, TwoFieldsAreCompared) {
  const Expr expr = ConditionOn(kExec, "process.uid != process.euid");
  ASSERT_EQ(expr.args.at(0).args.size(), 2u);
  EXPECT_TRUE(expr.args[0].values.empty());
  EXPECT_EQ(expr.args[0].args[1].field, FieldId::kProcessEuid);
}

TEST(ExprCheckTest, AndAndOrAreFlat) {
  const Expr expr = ConditionOn(
      kOpen,
      "file.read && (file.write && file.append) && (file.exec || (file.created || !file.read))");
  EXPECT_EQ(expr.op, ExprOp::kAnd);
  ASSERT_EQ(expr.args.size(), 4u);
  EXPECT_EQ(expr.args[3].op, ExprOp::kOr);
  ASSERT_EQ(expr.args[3].args.size(), 3u);
  EXPECT_EQ(expr.args[3].args[2].op, ExprOp::kNot);
}

TEST(ExprCheckTest, AndBindsTighterThanOr) {
  const Expr expr = ConditionOn(kOpen, "file.read || file.write && file.append");
  EXPECT_EQ(expr.op, ExprOp::kOr);
  EXPECT_EQ(expr.args.at(1).op, ExprOp::kAnd);
}

TEST(ExprCheckTest, BoolsAreConditionsAndCompareWithConstants) {
  EXPECT_EQ(ConditionOn(kOpen, "file.read").op, ExprOp::kField);
  EXPECT_EQ(ConditionOn(kOpen, "file.read == true").op, ExprOp::kField);
  EXPECT_EQ(ConditionOn(kOpen, "file.read != true").op, ExprOp::kNot);
  EXPECT_EQ(ConditionOn(kOpen, "false == file.read").op, ExprOp::kNot);
  EXPECT_EQ(ConditionOn(kOpen, "file.read == file.write").args.size(), 2u);
  EXPECT_EQ(ConditionOn(kOpen, "true").op, ExprOp::kTrue);
}

TEST(ExprCheckTest, LiteralsOfAllKinds) {
  const std::pair<const char*, Literal> kCases[] = {
      {"process.uid == 0x1F", Number(31)},
      {"process.uid == 0o17", Number(15)},
      {"exit.lifetime_ns > 10ms", Number(10000000)},
      {"exit.lifetime_ns > 2d", Number(172800000000000)},
      {"exit.max_rss_kb > 4KiB", Number(4096)},
      {"exit.max_rss_kb > 10MB", Number(10000000)},
      {"exit.signal == SIGKILL", Number(9)},
      {"process.binary == \"a\\n\\t\\\\\\\"\\x41\\u00e9\"", Text("a\n\t\\\"A\xc3\xa9")},
      {"process.binary == r'a\\n'", Text("a\\n")},
      {"process.binary == '\\''", Text("'")},
  };
  for (const auto& [when, value] : kCases) {
    EXPECT_THAT(ConditionOn("process.exit", when).values, ElementsAre(value)) << when;
  }
  EXPECT_THAT(ConditionOn("process.exec_failed", "failed.errno == EACCES").values,
              ElementsAre(Number(13)));
  EXPECT_THAT(ConditionOn("process.exec_failed", "failed.errno == -1").values,
              ElementsAre(Number(-1)));
}

TEST(ExprCheckTest, MembershipInLists) {
  const Expr list = ConditionOn(kExec, "process.binary in ['/a', '/b']");
  EXPECT_EQ(list.op, ExprOp::kIn);
  EXPECT_THAT(list.values, ElementsAre(Text("/a"), Text("/b")));
  EXPECT_THAT(ConditionOn(kExec, "process.uid in [0, 1]").values,
              ElementsAre(Number(0), Number(1)));

  const Expr element = ConditionOn(kExec, "'-c' in process.args");
  EXPECT_EQ(element.op, ExprOp::kHasElement);
  EXPECT_EQ(element.args.at(0).field, FieldId::kProcessArgs);
  EXPECT_THAT(element.values, ElementsAre(Text("-c")));

  const Expr same = ConditionOn(kExec, "process.binary in process.args");
  EXPECT_EQ(same.op, ExprOp::kAnyElement);
  EXPECT_EQ(same.args.at(1).args.at(0).op, ExprOp::kElement);
}

TEST(ExprCheckTest, MembershipIsRefusedForOtherKinds) {
  EXPECT_THAT(ErrorOn(kExec, "process.binary in process.cwd"),
              HasSubstr("\"process.cwd\" is a string; a list is expected after \"in\" | write "
                        "a.contains(b)"));
  EXPECT_THAT(ErrorOn(kExec, "process.uid in ['a']"),
              HasSubstr("\"process.uid\" is a number, the list holds strings"));
  EXPECT_THAT(ErrorOn(kExec, "process.args in ['a']"),
              HasSubstr("write process.args.exists(a, a in …)"));
  EXPECT_THAT(ErrorOn(kExec, "5 in process.args"), HasSubstr("5 is a number"));
  EXPECT_THAT(ErrorOn(kExec, "process.uid in [1, 'a']"), HasSubstr("mixes strings and numbers"));
  EXPECT_THAT(ErrorOn(kExec, "process.uid in [process.gid]"), HasSubstr("that are constant"));
}

TEST(ExprCheckTest, StringMethodsTakeOneStringOrAList) {
  const std::pair<const char*, ExprOp> kCases[] = {
      {"startsWith", ExprOp::kStartsWith},
      {"endsWith", ExprOp::kEndsWith},
      {"contains", ExprOp::kContains},
      {"matches", ExprOp::kMatches},
  };
  for (const auto& [method, op] : kCases) {
    const Expr one = ConditionOn(kExec, fmt::format("process.binary.{}('a')", method));
    EXPECT_EQ(one.op, op);
    EXPECT_THAT(one.values, ElementsAre(Text("a")));
    const Expr two = ConditionOn(kExec, fmt::format("process.binary.{}(['a', 'b'])", method));
    EXPECT_THAT(two.values, ElementsAre(Text("a"), Text("b")));
    EXPECT_THAT(ErrorOn(kExec, fmt::format("process.uid.{}('a')", method)),
                HasSubstr(fmt::format("{} needs a string before it; this is a number", method)));
    EXPECT_THAT(ErrorOn(kExec, fmt::format("process.binary.{}(5)", method)),
                HasSubstr("takes a constant string or a list of them; this is a number"));
    EXPECT_THAT(ErrorOn(kExec, fmt::format("process.binary.{}(process.cwd)", method)),
                HasSubstr("this is not constant"));
    EXPECT_THAT(ErrorOn(kExec, fmt::format("process.binary.{}()", method)),
                HasSubstr("takes 1 argument, not 0"));
  }
  EXPECT_THAT(ErrorOn(kExec, "process.args.startsWith('a')"),
              HasSubstr("write process.args.exists(a, a.startsWith(\"…\"))"));
}

TEST(ExprCheckTest, ElementsOfLists) {
  const Expr index = ConditionOn(kExec, "process.args[1] == 'x'");
  EXPECT_EQ(index.args.at(0).op, ExprOp::kIndex);
  EXPECT_EQ(index.args[0].index, 1u);
  EXPECT_EQ(index.args[0].type, ValueType::kString);
  const Expr exists = ConditionOn(kExec, "process.args.exists(a, a.startsWith('-') && a != '-')");
  EXPECT_EQ(exists.op, ExprOp::kAnyElement);
  EXPECT_EQ(exists.args.at(1).op, ExprOp::kAnd);
  EXPECT_EQ(exists.args[1].args[0].args[0].op, ExprOp::kElement);

  EXPECT_THAT(ErrorOn(kExec, "process.uid[1] == 'x'"), HasSubstr("only lists of strings"));
  EXPECT_THAT(ErrorOn(kExec, "process.args[-1] == 'x'"), HasSubstr("an index is a number"));
  EXPECT_THAT(ErrorOn(kExec, "process.binary.exists(a, a == 'x')"), HasSubstr("this is a string"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(5, true)"),
              HasSubstr("is a name for the element"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(EPERM, true)"),
              HasSubstr("stands for something else"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(a, a)"), HasSubstr("\"a\" is a string"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(a, a.x == 'y')"), HasSubstr("has no fields"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(a, process.env.exists(b, b == a))"),
              HasSubstr("can't stand inside another"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.exists(a, true) && a == 'x'"),
              HasSubstr("unknown name \"a\""));
}

TEST(ExprCheckTest, Sizes) {
  const Expr size = ConditionOn(kExec, "size(process.args) >= 2 && size(process.binary) > 3");
  EXPECT_EQ(size.args.at(0).args.at(0).op, ExprOp::kSize);
  EXPECT_EQ(size.args[0].args[0].type, ValueType::kNumber);
  EXPECT_THAT(ErrorOn(kExec, "size(process.uid) > 1"), HasSubstr("this is a number; size()"));
  EXPECT_THAT(ErrorOn(kExec, "size(process.args)"), HasSubstr("size(…) is a number; a condition"));
}

TEST(ExprCheckTest, HasTakesAField) {
  const Expr has = ConditionOn(kExec, "has(process.script)");
  EXPECT_EQ(has.op, ExprOp::kHas);
  EXPECT_EQ(has.args.at(0).field, FieldId::kProcessScript);
  EXPECT_THAT(ErrorOn(kExec, "has('x')"), HasSubstr("has() takes a field"));
  EXPECT_THAT(ErrorOn(kExec, "has(process.args[1])"), HasSubstr("has() takes a field"));
}

TEST(ExprCheckTest, Masks) {
  const Expr all = ConditionOn(kExec, "process.cap_effective.hasAll(CAP_SYS_ADMIN | CAP_CHOWN)");
  EXPECT_EQ(all.op, ExprOp::kHasAll);
  EXPECT_THAT(all.values, ElementsAre(Number((1 << 21) | 1)));
  EXPECT_EQ(ConditionOn(kOpen, "file.mode.hasAny(S_ISUID | 0o2000)").op, ExprOp::kHasAny);
  EXPECT_THAT(ErrorOn(kExec, "process.uid.hasAny(1)"), HasSubstr("hasAny needs a mask before it"));
  EXPECT_THAT(ErrorOn(kExec, "process.cap_effective.hasAll('x')"),
              HasSubstr("a mask is made of constants"));
  EXPECT_THAT(ErrorOn(kExec, "process.uid == 1 | 2"), HasSubstr("\"|\" joins masks"));
}

TEST(ExprCheckTest, Ancestors) {
  const Expr any = ConditionOn("process.exit",
                               "ancestors.exists(p, p.binary == '/s' && p.uid != process.uid && "
                               "p.args.exists(a, a == '-D'))");
  EXPECT_EQ(any.op, ExprOp::kAnyAncestor);
  const Expr& first = any.args.at(0).args.at(0).args.at(0);
  EXPECT_TRUE(first.ancestor);
  EXPECT_EQ(first.field, FieldId::kProcessBinary);
  EXPECT_FALSE(any.args[0].args[1].args[0].args[1].ancestor);
  EXPECT_THAT(ErrorOn(kExec, "ancestors.exists(p, p.binry == 'x')"),
              HasSubstr("an ancestor has no field \"binry\"; did you mean \"binary\"?"));
  EXPECT_THAT(ErrorOn(kExec, "ancestors.exists(p, p.marks == 'x')"),
              HasSubstr("an ancestor has no field \"marks\""));
  EXPECT_THAT(ErrorOn(kExec, "ancestors.binary == 'x'"), HasSubstr("write ancestors.exists(a,"));
  EXPECT_THAT(ErrorOn(kExec, "ancestors.exists(p, ancestors.exists(q, q.uid == 1))"),
              HasSubstr("can't stand inside another"));
  EXPECT_THAT(ErrorOn(kExec, "ancestors.exists(p, p == 'x')"), HasSubstr("\"p\" is a process"));
}

TEST(ExprCheckTest, MarksAreSearchedOnly) {
  const auto result = Parse(
      "rules:\n"
      "  - {name: a, on: process.exec, when: true, mark: shell}\n"
      "  - {name: b, on: file.open, when: '\"shell\" in process.marks'}\n");
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  EXPECT_EQ(Report(result), "");
  const Expr& marked = result.rules->rules[1].when;
  EXPECT_EQ(marked.op, ExprOp::kMarked);
  EXPECT_TRUE(marked.args.empty());
  EXPECT_THAT(marked.values, ElementsAre(Text("shell")));
  EXPECT_THAT(ErrorOn(kExec, "size(process.marks) > 0"),
              HasSubstr("marks can only be searched | write \"name\" in process.marks"));
  EXPECT_THAT(ErrorOn(kExec, "process.binary in process.marks"), HasSubstr("name is constant"));
}

TEST(ExprCheckTest, AddressBlocksNeedAnAddress) {
  EXPECT_THAT(
      ErrorOn(kExec, "cidr('10.0.0.0/8').containsIP(process.binary)"),
      HasSubstr("this is a string; containsIP takes an IP address, and no class has a field "
                "with one yet"));
  EXPECT_THAT(ErrorOn(kExec, "cidr('10.0.0.0/8')"), HasSubstr("an address block is no condition"));
  EXPECT_THAT(ErrorOn(kExec, "process.binary.containsIP('x')"),
              HasSubstr("needs an address block"));
}

TEST(ExprCheckTest, MismatchesSayBothKindsAndWhatToWrite) {
  EXPECT_EQ(
      ErrorOn(kExec, "process.uid == '0'"),
      "5:7+18 \"process.uid\" is a number, \"0\" is a string: they can't be compared | write 0 "
      "without quotes");
  EXPECT_THAT(ErrorOn(kExec, "process.name == 7"), HasSubstr("| write \"7\" in quotes"));
  EXPECT_THAT(ErrorOn(kExec, "process.args == 'x'"),
              HasSubstr("is a list of strings, \"x\" is a string: they can't be compared | write "
                        "\"…\" in process.args, or process.args[1] == \"…\""));
  EXPECT_THAT(ErrorOn(kExec, "process.binary < 'x'"), HasSubstr("strings have no order"));
  EXPECT_THAT(ErrorOn(kExec, "process.deleted < true"), HasSubstr("have no order"));
  EXPECT_THAT(ErrorOn(kExec, "(process.uid == 1) == (process.gid == 1)"),
              HasSubstr("these are conditions"));
  EXPECT_THAT(ErrorOn(kExec, "process.uid"),
              HasSubstr("is a number; a condition is expected | write process.uid != 0"));
  EXPECT_THAT(ErrorOn(kExec, "!process.uid == 0"), HasSubstr("binds tightest"));
}

TEST(ExprCheckTest, NamesAreResolvedOrExplained) {
  EXPECT_EQ(ErrorOn(kOpen, "file.pth == 'x'"),
            "5:7+8 unknown field \"file.pth\"; did you mean \"file.path\"? | \"kentry fields "
            "file.open\" lists those of this class");
  EXPECT_EQ(ErrorOn(kExec, "file.path == 'x'"),
            "5:7+9 process.exec has no field \"file.path\" | classes that have it: all of file.*");
  EXPECT_THAT(ErrorOn(kExec, "process.uid == ROOT"), HasSubstr("unknown name \"ROOT\""));
  EXPECT_THAT(ErrorOn(kExec, "loss.count == 1"), HasSubstr("no class that rules may be on"));
  EXPECT_THAT(ErrorOn(kExec, "process == 'x'"), HasSubstr("is a group of fields"));
  EXPECT_THAT(ErrorOn(kExec, "process.binary.starts('x')"), HasSubstr("unknown method \"starts\""));
  EXPECT_THAT(ErrorOn(kExec, "startsWith(process.binary, 'x')"),
              HasSubstr("unknown function \"startsWith\" | write x.startsWith(…)"));
  EXPECT_THAT(ErrorOn(kExec, "process.args.size() > 1"), HasSubstr("| write size(x)"));
}

TEST(ExprCheckTest, AllErrorsOfAConditionAreTold) {
  const auto result = Parse(parse_testing::RuleOn(
      kExec, "process.uid == 'a' && process.nam == 'b' || size(process.pid) > 1"));
  EXPECT_EQ(result.diagnostics.errors(), 3u) << Report(result);
}

TEST(ExprCheckTest, MacrosAreExpandedAndKeepTheirPlace) {
  const auto result = Parse(
      "macros:\n"
      "  in_container: container.id != \"\"\n"
      "  shell: in_container && process.name == 'sh'\n"
      "rules:\n"
      "  - {name: a, on: process.exec, when: shell && process.uid == 0}\n");
  ASSERT_TRUE(result.rules != nullptr) << Report(result);
  const Expr& when = result.rules->rules[0].when;
  EXPECT_EQ(when.op, ExprOp::kAnd);
  ASSERT_EQ(when.args.size(), 3u);
  EXPECT_EQ(when.args[1].at.line, 3u);
  EXPECT_EQ(when.args[2].at.line, 5u);
}

TEST(ExprCheckTest, AMacroOfAnotherClassIsAnErrorWhereItIsUsed) {
  const auto result = Parse(
      "macros:\n"
      "  secret: file.path == '/etc/shadow'\n"
      "rules:\n"
      "  - {name: a, on: process.exec, when: secret}\n");
  EXPECT_THAT(parse_testing::Said(result),
              ElementsAre("4:39+6 macro \"secret\": process.exec has no field \"file.path\" | "
                          "classes that have it: all of file.*"));
}

TEST(ExprCheckTest, ABrokenMacroIsToldOnce) {
  const auto result = Parse(
      "macros: {m: process.bnary == 'x'}\n"
      "rules:\n"
      "  - {name: a, on: process.exec, when: m}\n"
      "  - {name: b, on: process.exec, when: m}\n");
  EXPECT_THAT(parse_testing::Said(result), ElementsAre(StartsWith("1:13+13 unknown field")));
  EXPECT_TRUE(result.readable->rules.empty());
}

}  // namespace
}  // namespace kentry
