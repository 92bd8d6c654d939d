// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/compiler.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rules/compile/string_key.h"
#include "rules/parse/load.h"

namespace kentry {
namespace {

using testing::HasSubstr;

PatternEnds NoEnds(std::string_view) { return {}; }

struct Compiled {
  std::unique_ptr<CompiledRules> rules;
  Diagnostics diagnostics;
};

Compiled Compile(const std::string& rules, const PatternEndsFunction& ends = NoEnds) {
  LoadResult loaded = ParseRules({{"test.yaml", "rules:\n" + rules}});
  EXPECT_NE(loaded.rules, nullptr)
      << (loaded.diagnostics.all().empty() ? "" : loaded.diagnostics.all()[0].message);
  Compiled compiled;
  compiled.rules = CompiledRules::Compile(loaded.rules, ends, {1, 2}, &compiled.diagnostics);
  return compiled;
}

std::string OpenRule(std::string_view name, std::string_view when) {
  return fmt::format("  - {{name: {}, on: file.open, when: '{}'}}\n", name, when);
}

std::string ExecRule(std::string_view name, std::string_view when) {
  return fmt::format("  - {{name: {}, on: process.exec, when: '{}'}}\n", name, when);
}

// The row that a dimension has for an id.
ke_row RowFor(const CompiledRules& rules, ke_rule_class cls, int dim, uint32_t id) {
  const RuleTables& tables = rules.tables();
  return tables.rows[tables.index[tables.config.base[cls][dim] + id]];
}

bool Bit(const ke_row& row, size_t i) { return (row.words[i / 64] >> (i % 64) & 1) != 0; }

TEST(StringKeyTest, DirectoryAndLastPartAreHashedApart) {
  const __u64 seed[2] = {3, 4};
  const auto equal = [](ke_string_key a, ke_string_key b) { return a.a == b.a && a.b == b.b; };
  EXPECT_TRUE(equal(PathKey(seed, "/etc/passwd"), PathKey(seed, "/etc/passwd")));
  EXPECT_FALSE(equal(PathKey(seed, "/etc/passwd"), PathKey(seed, "/etc/passwe")));
  EXPECT_FALSE(equal(PathKey(seed, "/a/bc"), PathKey(seed, "/ab/c")));
  EXPECT_FALSE(equal(DirKey(seed, ""), DirKey(seed, "/")));
  EXPECT_EQ(DirOf("/etc/passwd"), "/etc");
  EXPECT_EQ(DirOf("/etc"), "");
  EXPECT_EQ(BaseOf("/etc/passwd"), "passwd");
}

TEST(StringKeyTest, SuffixesAreReversedAndBounded) {
  const SuffixKey key = MakeSuffixKey("abc");
  EXPECT_EQ(key.bits, 24u);
  EXPECT_EQ(key.bytes[0], 'c');
  EXPECT_EQ(key.bytes[2], 'a');
  EXPECT_EQ(MakeSuffixKey(std::string(200, 'x')).bits, KE_SUFFIX_BYTES * 8u);
  EXPECT_EQ(PrefixKey(std::string(600, 'x')).bits, (KE_PREFIX_BYTES - 1) * 8u);
}

TEST(StringKeyTest, EveryStringStandsNearItsPlace) {
  const __u64 seed[2] = {5, 6};
  Table<ke_string_key> strings;
  for (uint32_t i = 1; i <= 5000; ++i) {
    strings.emplace_back(PathKey(seed, fmt::format("/srv/{}/{}", i % 7, i)), i);
  }
  const std::vector<ke_string_slot> slots = StringSlots(strings);
  EXPECT_EQ(slots.size() & (slots.size() - 1), 0u);
  EXPECT_GE(slots.size(), 2 * strings.size());
  for (const auto& [key, value] : strings) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < KE_STRING_PROBES && found == 0; ++i) {
      const ke_string_slot& slot = slots[(static_cast<uint32_t>(key.a) + i) & (slots.size() - 1)];
      ASSERT_NE(slot.value, 0u) << "an empty place ends the search";
      if (slot.key.a == key.a && slot.key.b == key.b) found = slot.value;
    }
    EXPECT_EQ(found, value);
  }
  EXPECT_EQ(StringSlots({}).size(), 2u);
}

TEST(CompilerTest, AlternativesBecomeClausesAndParallelOnesStayTogether) {
  const Compiled compiled =
      Compile(ExecRule("two", "process.binary == \"/a\" || process.uid == 3") +
              ExecRule("one", "process.binary in [\"/a\", \"/b\"] && process.uid == 3"));
  ASSERT_NE(compiled.rules, nullptr);
  const std::vector<Clause>& clauses = compiled.rules->clauses(KE_RC_EXEC);
  ASSERT_EQ(clauses.size(), 3u);
  EXPECT_EQ(clauses[0].rule, 0u);
  EXPECT_EQ(clauses[1].rule, 0u);
  EXPECT_EQ(clauses[2].rule, 1u);
  for (const Clause& clause : clauses) EXPECT_TRUE(clause.exact);
}

TEST(CompilerTest, WhatTheKernelCantDecideIsLeftOut) {
  const Compiled compiled = Compile(
      ExecRule("rest", "process.binary == \"/a\" && process.args.exists(a, a.contains(\"x\"))"));
  const std::vector<Clause>& clauses = compiled.rules->clauses(KE_RC_EXEC);
  ASSERT_EQ(clauses.size(), 1u);
  EXPECT_FALSE(clauses[0].exact);
  EXPECT_EQ(clauses[0].conditions.size(), 1u);
  EXPECT_EQ(compiled.diagnostics.warnings(), 0u);
}

TEST(CompilerTest, ARuleWithNothingForTheKernelIsWarnedAbout) {
  const Compiled compiled =
      Compile(ExecRule("all", "process.args.exists(a, a == \"x\") || process.uid == 0"));
  ASSERT_NE(compiled.rules, nullptr);
  ASSERT_EQ(compiled.diagnostics.warnings(), 1u);
  EXPECT_THAT(compiled.diagnostics.all()[0].message, HasSubstr("nothing to decide"));
}

TEST(CompilerTest, TooManyClausesNameTheLargestRules) {
  std::string rules;
  for (int i = 0; i < 40; ++i) {
    std::string when = "process.uid == 0";
    for (int j = 1; j < 30; ++j)
      when += fmt::format(" || process.uid == {} && process.gid == 1", j);
    rules += ExecRule(fmt::format("rule-{}", i), when);
  }
  const Compiled compiled = Compile(rules);
  EXPECT_EQ(compiled.rules, nullptr);
  ASSERT_EQ(compiled.diagnostics.errors(), 1u);
  EXPECT_THAT(compiled.diagnostics.all()[0].message, HasSubstr("1200 clauses; 1024 fit"));
  EXPECT_THAT(compiled.diagnostics.all()[0].message, HasSubstr("\"rule-0\" (30)"));
}

TEST(CompilerTest, NegationStandsInTheRowOfNone) {
  const Compiled compiled =
      Compile(ExecRule("is", "process.binary == \"/a\"") +
              ExecRule("not", "process.binary != \"/a\"") + ExecRule("other", "process.uid == 0"));
  const uint32_t id = compiled.rules->IdsOf("/a").exact;
  ASSERT_NE(id, 0u);
  const ke_row none = RowFor(*compiled.rules, KE_RC_EXEC, KE_DIM_OWN_EXACT, 0);
  const ke_row named = RowFor(*compiled.rules, KE_RC_EXEC, KE_DIM_OWN_EXACT, id);
  EXPECT_FALSE(Bit(none, 0));
  EXPECT_TRUE(Bit(none, 1));
  EXPECT_TRUE(Bit(none, 2));
  EXPECT_TRUE(Bit(named, 0));
  EXPECT_FALSE(Bit(named, 1));
  EXPECT_TRUE(Bit(named, 2));
}

TEST(CompilerTest, APrefixHoldsForLongerOnes) {
  const Compiled compiled = Compile(OpenRule("etc", "file.path.startsWith(\"/etc/\")") +
                                    OpenRule("ssh", "file.path.startsWith(\"/etc/ssh/\")") +
                                    ExecRule("x", "process.binary.startsWith(\"/etc/\")"));
  const uint32_t ssh = compiled.rules->IdsOf("/etc/ssh/key").prefix;
  const uint32_t etc = compiled.rules->IdsOf("/etc/x").prefix;
  ASSERT_NE(ssh, etc);
  EXPECT_TRUE(Bit(RowFor(*compiled.rules, KE_RC_OPEN, KE_DIM_FILE_PREFIX, ssh), 0));
  EXPECT_TRUE(Bit(RowFor(*compiled.rules, KE_RC_OPEN, KE_DIM_FILE_PREFIX, ssh), 1));
  EXPECT_FALSE(Bit(RowFor(*compiled.rules, KE_RC_OPEN, KE_DIM_FILE_PREFIX, etc), 1));
  EXPECT_EQ(compiled.rules->IdsOf("/usr").prefix, 0u);
}

TEST(CompilerTest, NumbersAreCutWhereAComparisonChanges) {
  const Compiled compiled =
      Compile(ExecRule("users", "process.uid >= 1000 && process.uid < 60000"));
  const RuleTables& tables = compiled.rules->tables();
  ASSERT_EQ(tables.config.numbers_used, 1u);
  // What a value's longest entry says.
  const auto holds = [&](uint32_t value) {
    uint32_t best_bits = 0;
    uint32_t id = 0;
    for (const auto& [key, entry] : tables.numbers) {
      const uint32_t bits = key.bits - 32;
      const uint32_t start = static_cast<uint32_t>(key.bytes[4]) << 24 |
                             static_cast<uint32_t>(key.bytes[5]) << 16 |
                             static_cast<uint32_t>(key.bytes[6]) << 8 | key.bytes[7];
      if (bits != 0 && (start ^ value) >> (32 - bits) != 0) continue;
      if (bits >= best_bits) id = entry;
      best_bits = std::max(best_bits, bits);
    }
    return Bit(RowFor(*compiled.rules, KE_RC_EXEC, KE_DIM_NUMBER, id), 0);
  };
  for (const uint32_t value : {1000u, 1001u, 4096u, 59999u}) EXPECT_TRUE(holds(value)) << value;
  for (const uint32_t value : {0u, 999u, 60000u, 0xffffffffu}) EXPECT_FALSE(holds(value)) << value;
}

TEST(CompilerTest, ALiteralEndOfAPatternIsTheKernels) {
  const auto ends = [](std::string_view) { return PatternEnds{.prefix = "/srv/"}; };
  const Compiled compiled = Compile(OpenRule("re", "file.path.matches(\"^/srv/[a-z]+$\")"), ends);
  const std::vector<Clause>& clauses = compiled.rules->clauses(KE_RC_OPEN);
  ASSERT_EQ(clauses.size(), 1u);
  EXPECT_FALSE(clauses[0].exact);
  ASSERT_EQ(clauses[0].conditions.size(), 1u);
  EXPECT_EQ(clauses[0].conditions[0].kind, KernelCondition::Kind::kPrefix);
  // The negation of more than the pattern would be less than its negation.
  const Compiled negated = Compile(OpenRule("re", "!file.path.matches(\"^/srv/[a-z]+$\")"), ends);
  EXPECT_TRUE(negated.rules->clauses(KE_RC_OPEN)[0].conditions.empty());
}

TEST(CompilerTest, APatternBesideAWholePathIsLeftToUserSpace) {
  const auto ends = [](std::string_view) { return PatternEnds{.prefix = "/srv/"}; };
  const Compiled compiled =
      Compile(OpenRule("re", "file.path == \"/srv/a\" && file.path.matches(\"^/srv/[a-z]+$\")") +
                  OpenRule("both",
                           "file.path.endsWith(\".conf\") && "
                           "file.path.matches(\"^/srv/[a-z.]+$\")"),
              ends);
  const std::vector<Clause>& clauses = compiled.rules->clauses(KE_RC_OPEN);
  ASSERT_EQ(clauses.size(), 2u);
  ASSERT_EQ(clauses[0].conditions.size(), 1u);
  EXPECT_EQ(clauses[0].conditions[0].kind, KernelCondition::Kind::kExact);
  EXPECT_FALSE(clauses[0].exact);
  EXPECT_EQ(clauses[1].conditions.size(), 2u) << "an ending alone still narrows by the beginning";
  const RulePlan* plan = compiled.rules->plan(0);
  ASSERT_EQ(plan->decisions.size(), 2u);
  EXPECT_EQ(plan->decisions[1].where, DecidedIn::kUserSpace);
  EXPECT_EQ(compiled.rules->plan(1)->decisions[1].where, DecidedIn::kPartly);
}

TEST(CompilerTest, OnlyWhatLaterEventsAskForIsRemembered) {
  const Compiled compiled =
      Compile(ExecRule("now", "process.binary.startsWith(\"/usr/bin/\")") +
              ExecRule("child", "parent.binary == \"/usr/bin/httpd\"") +
              OpenRule("later", "process.binary.endsWith(\"/vim\") && file.path == \"/x\""));
  const auto ids = [&](std::string_view path) { return compiled.rules->IdsOf(path); };
  const auto later = [&](std::string_view path) { return compiled.rules->LaterIdsOf(path); };
  EXPECT_NE(ids("/usr/bin/ls").prefix, 0u);
  EXPECT_EQ(later("/usr/bin/ls").prefix, 0u) << "asked for at its own exec only";
  EXPECT_NE(later("/usr/bin/httpd").exact, 0u);
  EXPECT_NE(later("/usr/bin/vim").suffix, 0u);
  EXPECT_NE(compiled.rules->tables().config.image_asks & KE_ASK_PARENT, 0u);
  for (const ke_string_slot& slot : compiled.rules->tables().exact) {
    if (slot.value == 0) continue;
    const bool httpd = KE_ID(slot.value) == ids("/usr/bin/httpd").exact;
    EXPECT_EQ((slot.value & KE_ID_LATER) != 0, httpd);
  }
}

TEST(CompilerTest, CachedMasksDependOnWhatTheirClassAsksFor) {
  const auto flags = [](const std::string& rules) {
    return Compile(rules).rules->tables().stamp_flags & KE_STAMP_ASKS;
  };
  EXPECT_EQ(flags(OpenRule("r", "file.path == \"/x\"")), 0u);
  EXPECT_EQ(flags(ExecRule("r", "process.uid == 0 && container.id != \"\"")), 0u);
  EXPECT_EQ(flags(OpenRule("r", "process.uid == 0")), KE_STAMP_CREDS);
  EXPECT_EQ(flags(OpenRule("r", "process.cap_effective.hasAll(CAP_SYS_ADMIN)")), KE_STAMP_CREDS);
  EXPECT_EQ(flags(OpenRule("r", "process.login_uid == 0")), KE_STAMP_SESSION);
  EXPECT_EQ(flags(OpenRule("r", "process.ns_net == 1")), KE_STAMP_NAMESPACES);
  EXPECT_EQ(flags(OpenRule("r", "container.id != \"\"")), KE_STAMP_CGROUP);
}

TEST(CompilerTest, EndsOfPathsAreKnownByTheirLastTwoBytes) {
  const auto set = [](const CompiledRules& rules, char before, char last) {
    const uint32_t bit = KE_ENDS_BIT(static_cast<uint8_t>(before), static_cast<uint8_t>(last));
    return (rules.tables().config.ends[bit / 64] >> (bit % 64) & 1) != 0;
  };
  const Compiled two = Compile(OpenRule("r", "file.path.endsWith(\"/id_rsa\")"));
  EXPECT_TRUE(set(*two.rules, 's', 'a'));
  EXPECT_FALSE(set(*two.rules, 'x', 't'));
  EXPECT_EQ(two.rules->tables().config.suffix_negated[KE_RC_OPEN], 0u);
  const Compiled one = Compile(OpenRule("r", "!file.path.endsWith(\"~\")"));
  for (int before = 0; before < 256; ++before) {
    EXPECT_TRUE(set(*one.rules, static_cast<char>(before), '~')) << before;
  }
  EXPECT_EQ(one.rules->tables().config.suffix_negated[KE_RC_OPEN], 1u);
}

TEST(CompilerTest, AnotherNameOfAFileBringsAllItsIds) {
  const Compiled compiled = Compile(OpenRule("a", "file.path == \"/etc/ssh/key\"") +
                                    OpenRule("b", "file.path.startsWith(\"/etc/\")") +
                                    OpenRule("c", "file.path.endsWith(\"/key\")") +
                                    OpenRule("d", "file.path.endsWith(\"tc/\")"));
  const ke_ident file = compiled.rules->IdentOf("/etc/ssh/key", false);
  EXPECT_NE(file.exact, 0u);
  EXPECT_NE(file.exact_prefix, 0u);
  EXPECT_NE(file.exact_suffix, 0u);
  EXPECT_EQ(file.dir, 0u);
  const ke_ident dir = compiled.rules->IdentOf("/etc", true);
  EXPECT_NE(dir.prefix, 0u);
  EXPECT_EQ(dir.exact_suffix, 0u) << "/etc/ is how the file's other path begins, not how it ends";
  EXPECT_EQ(dir.exact, 0u);
}

// Each condition may hold by another name of the file.
TEST(CompilerTest, OfTwoConditionsOfAKindOnAFileTheKernelMakesOne) {
  const Compiled two =
      Compile(OpenRule("a", "file.path.endsWith(\"a\") && file.path.endsWith(\"b\")"));
  const Clause& clause = two.rules->clauses(KE_RC_OPEN)[0];
  EXPECT_EQ(clause.conditions.size(), 1u);
  EXPECT_FALSE(clause.exact);
  const Compiled kinds =
      Compile(OpenRule("a", "file.path.startsWith(\"/a\") && file.path.endsWith(\"b\")"));
  EXPECT_TRUE(kinds.rules->clauses(KE_RC_OPEN)[0].exact);
}

// By the rows of all conditions, another name that begins well would make up for one that is
// excluded.
TEST(CompilerTest, WhatIsExcludedByAnyNameHasRowsOfItsOwn) {
  const Compiled both = Compile(
      OpenRule("a", "file.path.startsWith(\"/etc/\") && !file.path.startsWith(\"/etc/no/\")"));
  const RuleTables& tables = both.rules->tables();
  ASSERT_NE(tables.config.excluded[KE_RC_OPEN][1], 0u);
  EXPECT_EQ(tables.config.excluded[KE_RC_OPEN][0], 0u);
  const ke_ident inside = both.rules->IdentOf("/etc/no", true);
  const ke_ident outside = both.rules->IdentOf("/etc", true);
  const auto left = [&](uint32_t id) {
    return Bit(tables.rows[tables.index[tables.config.excluded[KE_RC_OPEN][1] + id]], 0);
  };
  EXPECT_TRUE(left(0));
  EXPECT_TRUE(left(outside.prefix));
  EXPECT_FALSE(left(inside.prefix));
  EXPECT_TRUE(both.rules->clauses(KE_RC_OPEN)[0].exact);
  const Compiled one = Compile(OpenRule("a", "!file.path.startsWith(\"/etc/no/\")"));
  EXPECT_EQ(one.rules->tables().config.excluded[KE_RC_OPEN][1], 0u);
}

TEST(CompilerTest, LongConstantsAreDecidedAsFarAsTheyGo) {
  const std::string tail(100, 'x');
  const Compiled compiled = Compile(OpenRule("long", "file.path.endsWith(\"/" + tail + "\")"));
  const Clause& clause = compiled.rules->clauses(KE_RC_OPEN)[0];
  EXPECT_FALSE(clause.exact);
  EXPECT_EQ(clause.conditions[0].strings[0].size(), size_t{KE_SUFFIX_BYTES});
}

TEST(CompilerTest, ContainersOfOneKindShareAValue) {
  Compiled compiled = Compile(ExecRule("in", "container.id != \"\"") +
                              ExecRule("docker", "container.runtime == \"docker\""));
  ASSERT_TRUE(compiled.rules->asks_for_cgroups());
  std::vector<RowUpdate> updates;
  const uint32_t host = compiled.rules->CgroupValue({}, &updates);
  const uint32_t one = compiled.rules->CgroupValue({.id = "a", .runtime = "docker"}, &updates);
  EXPECT_EQ(compiled.rules->CgroupValue({.id = "b", .runtime = "docker"}, &updates), one);
  const uint32_t other = compiled.rules->CgroupValue({.id = "c", .runtime = "crio"}, &updates);
  EXPECT_NE(host, 0u);
  EXPECT_NE(host, one);
  EXPECT_NE(one, other);
  ASSERT_EQ(updates.size(), 3u);
  EXPECT_FALSE(Bit(updates[0].row, 0));
  EXPECT_TRUE(Bit(updates[1].row, 0));
  EXPECT_TRUE(Bit(updates[1].row, 1));
  EXPECT_FALSE(Bit(updates[2].row, 1));
}

TEST(CompilerTest, ClassesWithoutAFilterAreListed) {
  const Compiled compiled = Compile("  - {name: gone, on: process.exit, when: 'exit.code == 3'}\n");
  EXPECT_EQ(compiled.rules->RulesOf(EventClass::kProcessExit), std::vector<uint32_t>{0});
  EXPECT_EQ(compiled.rules->tables().config.classes, 0u);
}

TEST(CompilerTest, FilesAndDirectoriesToLookUpAreKnown) {
  const Compiled compiled = Compile(OpenRule("a", "file.path == \"/etc/shadow\"") +
                                    OpenRule("b", "file.path.startsWith(\"/srv/x/\")"));
  std::vector<std::string> known;
  for (const auto& path : compiled.rules->known_paths()) {
    known.push_back(path.path + (path.directory ? "/" : ""));
  }
  EXPECT_THAT(known, testing::UnorderedElementsAre("/etc/shadow", "/etc/", "/srv/x/"));
  EXPECT_EQ(compiled.rules->ExactName(compiled.rules->IdentOf("/etc/shadow", false).exact),
            "/etc/shadow");
  EXPECT_EQ(compiled.rules->PrefixName(compiled.rules->IdentOf("/srv/x", true).prefix), "/srv/x/");
}

std::string ChangeRule(std::string_view name, std::string_view cls, std::string_view when) {
  return fmt::format("  - {{name: {}, on: {}, when: '{}'}}\n", name, cls, when);
}

TEST(CompilerTest, AChangeIsOfOneKindAndHasItsOwnBits) {
  const Compiled compiled =
      Compile(ChangeRule("mode", "file.chmod", "file.path == \"/a\" && file.sets_setuid") +
              ChangeRule("gone", "file.unlink", "file.path == \"/a\"") +
              ChangeRule("quiet", "file.chmod", "!file.makes_executable && file.path == \"/b\""));
  ASSERT_NE(compiled.rules, nullptr);
  const auto holds = [&](uint32_t kind, uint32_t bits, size_t clause) {
    return Bit(
        RowFor(*compiled.rules, KE_RC_CHANGE, KE_DIM_FILE_ACCESS, KE_CHANGE_ACCESS(kind, bits)),
        clause);
  };
  EXPECT_TRUE(holds(KE_CHANGE_CHMOD, KE_CHANGE_SETS_SETUID, 0));
  EXPECT_FALSE(holds(KE_CHANGE_CHMOD, KE_CHANGE_SETS_SETGID, 0));
  EXPECT_FALSE(holds(KE_CHANGE_UNLINK, KE_CHANGE_SETS_SETUID, 0));
  for (uint32_t bits = 0; bits < 1u << KE_CHANGE_SHIFT; ++bits) {
    EXPECT_TRUE(holds(KE_CHANGE_UNLINK, bits, 1));
    EXPECT_FALSE(holds(KE_CHANGE_CHMOD, bits, 1));
    EXPECT_EQ(holds(KE_CHANGE_CHMOD, bits, 2), (bits & KE_CHANGE_MAKES_EXECUTABLE) == 0);
  }
  EXPECT_EQ(compiled.rules->tables().config.changes,
            1u << KE_CHANGE_CHMOD | 1u << KE_CHANGE_UNLINK);
}

TEST(CompilerTest, ADeedsBitsAndNumbersAreDecidedAtTheEvent) {
  const Compiled compiled = Compile(
      ChangeRule("traced", "process.ptrace", "ptrace.attach && !target.same_container") +
      ChangeRule("ended", "process.signal", "target.sensor && signal.number != 0") +
      ChangeRule("other", "process.signal", "target.uid >= 1000 && target.binary == \"/a\""));
  ASSERT_NE(compiled.rules, nullptr);
  const CompiledRules& rules = *compiled.rules;
  for (uint32_t access = 0; access < KE_DEED_ACCESS_MAX; ++access) {
    EXPECT_EQ(Bit(RowFor(rules, KE_RC_PTRACE, KE_DIM_FILE_ACCESS, access), 0),
              (access & KE_DEED_ATTACH) != 0 && (access & KE_DEED_SAME_CONTAINER) == 0);
    EXPECT_EQ(Bit(RowFor(rules, KE_RC_SIGNAL, KE_DIM_FILE_ACCESS, access), 0),
              (access & KE_DEED_SENSOR) != 0);
    EXPECT_TRUE(Bit(RowFor(rules, KE_RC_SIGNAL, KE_DIM_FILE_ACCESS, access), 1));
  }
  ASSERT_EQ(rules.tables().config.numbers_used, 2u);
  EXPECT_EQ(rules.tables().config.numbers[0], KE_NUM_SIGNAL);
  EXPECT_EQ(rules.tables().config.numbers[1], KE_NUM_TARGET_UID);
  EXPECT_EQ(rules.tables().stamp_flags, 0u) << "nothing that opens are judged by";
  EXPECT_TRUE(rules.clauses(KE_RC_SIGNAL)[0].exact);
  EXPECT_FALSE(rules.clauses(KE_RC_SIGNAL)[1].exact);
  for (const Decision& decision : rules.plan(1)->decisions) {
    EXPECT_EQ(decision.where, DecidedIn::kEvent);
  }
}

TEST(CompilerTest, TheNewNameHasRowsOfItsOwn) {
  const Compiled compiled =
      Compile(ChangeRule("into", "file.rename", "file.new_path == \"/a/x\" && process.uid == 5") +
              ChangeRule("away", "file.rename", "file.path == \"/a/x\"") +
              ChangeRule("either", "file.rename",
                         "file.path.startsWith(\"/b/\") || file.new_path.startsWith(\"/b/\")"));
  ASSERT_NE(compiled.rules, nullptr);
  const CompiledRules& rules = *compiled.rules;
  const uint32_t id = rules.IdsOf("/a/x").exact;
  const uint32_t exact = rules.IdentOf("/a/x", false).exact;
  EXPECT_EQ(id, 0u) << "no condition on a binary asks for it";
  const ke_row own = RowFor(rules, KE_RC_CHANGE, KE_DIM_FILE_EXACT, exact);
  const ke_row other = RowFor(rules, KE_RC_CHANGE, KE_DIM_FILE_EXACT, 0);
  const ke_row to = RowFor(rules, KE_RC_CHANGE_TO, KE_DIM_FILE_EXACT, exact);
  const ke_row to_other = RowFor(rules, KE_RC_CHANGE_TO, KE_DIM_FILE_EXACT, 0);
  // Clauses: into, away, either by the old name, either by the new one.
  EXPECT_TRUE(Bit(own, 0)) << "it does not ask for the old name";
  EXPECT_TRUE(Bit(other, 0));
  EXPECT_TRUE(Bit(own, 1));
  EXPECT_FALSE(Bit(other, 1));
  EXPECT_TRUE(Bit(to, 0));
  EXPECT_FALSE(Bit(to_other, 0));
  EXPECT_TRUE(Bit(to_other, 1)) << "it does not ask for the new name";
  EXPECT_TRUE(Bit(to_other, 2));
  const uint32_t prefix = rules.IdentOf("/b", true).prefix;
  EXPECT_TRUE(Bit(RowFor(rules, KE_RC_CHANGE, KE_DIM_FILE_PREFIX, prefix), 2));
  EXPECT_FALSE(Bit(RowFor(rules, KE_RC_CHANGE, KE_DIM_FILE_PREFIX, 0), 2));
  EXPECT_TRUE(Bit(RowFor(rules, KE_RC_CHANGE_TO, KE_DIM_FILE_PREFIX, prefix), 3));
  EXPECT_FALSE(Bit(RowFor(rules, KE_RC_CHANGE_TO, KE_DIM_FILE_PREFIX, 0), 3));
  EXPECT_EQ(rules.tables().config.acts[KE_RC_CHANGE_TO].any, 0u);
}

}  // namespace
}  // namespace kentry
