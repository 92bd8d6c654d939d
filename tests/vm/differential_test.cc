// SPDX-License-Identifier: Apache-2.0
// The kernel's filter against the user-space evaluator, which is the reference: random rule sets
// and records, judged by both. A case is found again with KENTRY_SEED=its seed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "rules/match/evaluator.h"
#include "rules/match/regex_hints.h"
#include "rules/parse/load.h"
#include "tests/vm/differential_case.h"
#include "tests/vm/differential_kernel.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

constexpr size_t kRules = 40;
constexpr size_t kRecords = 2 * KE_TRY_RECORDS;
constexpr int kPairs = 20'000;
constexpr int kPairsFull = 150'000;
constexpr int kShrinkTries = 250;
constexpr uint64_t kUsualSeed = 20'261'123;

// A rule set, compiled for both.
struct Both {
  std::shared_ptr<const RuleSet> rules;
  std::unique_ptr<Evaluator> evaluator;
  std::unique_ptr<CompiledRules> compiled;
  std::string why;  // why not
};

std::string Text(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.kind != Diagnostic::Kind::kError) continue;
    text += fmt::format("{}:{} {}\n", diagnostic.at.line, diagnostic.at.column, diagnostic.message);
  }
  return text;
}

Both Compile(const TryCase& given) {
  Both both;
  LoadResult loaded = ParseRules({{"random.yaml", given.Yaml()}});
  both.rules = loaded.rules;
  if (both.rules == nullptr) {
    both.why = Text(loaded.diagnostics);
    return both;
  }
  auto evaluator = Evaluator::Create(both.rules);
  if (!evaluator.ok()) {
    both.why = evaluator.status().ToString();
    return both;
  }
  both.evaluator = *std::move(evaluator);
  const auto ends = [](std::string_view pattern) {
    RegexHint hint = HintOf(pattern);
    return PatternEnds{.prefix = std::move(hint.prefix), .suffix = std::move(hint.suffix)};
  };
  constexpr std::array<uint64_t, 2> kHashSeed = {0x1234567890abcdef, 0xfedcba0987654321};
  both.compiled = CompiledRules::Compile(both.rules, ends, kHashSeed, &loaded.diagnostics);
  if (both.compiled == nullptr) both.why = Text(loaded.diagnostics);
  return both;
}

// What the kernel says of one rule: a clause of it holds; one holds that needs nobody else.
struct Verdict {
  bool maybe = false;
  bool certain = false;
};

std::vector<Verdict> Verdicts(const CompiledRules& compiled, const TryRecord& record,
                              const ke_try_out& out) {
  std::vector<Verdict> verdicts(compiled.rules().rules.size());
  if (out.any == 0) return verdicts;
  const auto& clauses = compiled.clauses(*KernelClass(record.cls));
  for (size_t i = 0; i < clauses.size(); ++i) {
    if ((out.clauses.words[i / 64] >> (i % 64) & 1) == 0) continue;
    Verdict& verdict = verdicts[clauses[i].rule];
    verdict.maybe = true;
    verdict.certain |= clauses[i].exact && out.undecided == 0;
  }
  return verdicts;
}

// The file's other names as RuleHost::Aliases makes them of the kernel's ids.
std::string AliasList(const CompiledRules& compiled, const std::string& path, uint32_t exact,
                      uint32_t prefix) {
  std::string aliases;
  const std::string_view file = compiled.ExactName(exact);
  const std::string_view directory = compiled.PrefixName(prefix);
  if (!file.empty() && file != path) aliases += std::string(file) + '\0';
  if (!path.starts_with(directory)) aliases += std::string(directory) + '\0';
  return aliases;
}

// Names that the rules know the record's file by; "" = none.
struct Aliases {
  uint32_t exact = 0;
  uint32_t prefix = 0;
  std::string file;
  std::string directory;
};

Aliases AliasesOf(const CompiledRules& compiled, const TryRecord& record) {
  const auto known = [&](const std::string& path, bool directory) {
    const auto& paths = compiled.known_paths();
    return std::any_of(paths.begin(), paths.end(), [&](const CompiledRules::KnownPath& one) {
      return one.path == path && one.directory == directory;
    });
  };
  Aliases aliases;
  if (!record.alias.empty() && known(record.alias, false)) {
    aliases.exact = compiled.IdentOf(record.alias, false).exact;
  }
  if (!record.alias_dir.empty()) {
    const std::string dir = record.alias_dir.substr(0, record.alias_dir.size() - 1);
    if (known(dir, true)) aliases.prefix = compiled.IdentOf(dir, true).prefix;
  }
  aliases.file = compiled.ExactName(aliases.exact);
  aliases.directory = compiled.PrefixName(aliases.prefix);
  return aliases;
}

// Whether the comparison is another one than startsWith and a directory's other name satisfies it:
// that name is how the file's other path begins, and the kernel takes it for nothing else.
bool BeyondTheKernel(const TryCondition& condition, const Aliases& aliases) {
  if (aliases.directory.empty()) return false;
  if (condition.kind != TryCondition::Kind::kLeaf) {
    return std::any_of(condition.parts.begin(), condition.parts.end(),
                       [&](const TryCondition& part) { return BeyondTheKernel(part, aliases); });
  }
  const auto any = [&](const auto& holds) {
    return std::any_of(condition.strings.begin(), condition.strings.end(), holds);
  };
  if (!condition.before.starts_with("file.path")) return false;
  if (condition.before.find("matches") != std::string::npos) return true;
  if (condition.before.find("endsWith") != std::string::npos) {
    return any([&](const std::string& s) { return aliases.directory.ends_with(s); });
  }
  return condition.before.starts_with("file.path ") &&
         any([&](const std::string& s) { return s == aliases.directory; });
}

// What the event was to set in the kernel, by the clauses that held.
std::string WrongMarks(const CompiledRules& compiled, const std::vector<Verdict>& verdicts,
                       const ke_try_out& out) {
  uint64_t may = 0;
  uint64_t certain = 0;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const std::optional<RuleMark>& mark = compiled.rules().rules[i].mark;
    if (!mark) continue;
    const size_t at = compiled.marks().Find(mark->name);
    const bool ends = compiled.marks().marks()[at].ends;
    may |= static_cast<uint64_t>(verdicts[i].maybe) << at;
    certain |= static_cast<uint64_t>(verdicts[i].certain && !ends) << at;
  }
  if (may == out.marks && certain == out.marked) return "";
  return fmt::format("marks set in the kernel: {:#x}, certain {:#x}; wanted {:#x} and {:#x}",
                     out.marks, out.marked, may, certain);
}

struct Tally {
  uint64_t pairs = 0;
  uint64_t agreed_true = 0;   // certain in the kernel, true in user space
  uint64_t agreed_false = 0;  // left out by the kernel, false in user space
  uint64_t left = 0;          // the kernel leaves it to user space
  uint64_t by_alias = 0;      // of all: of files with other names
  uint64_t beyond = 0;        // not compared: BeyondTheKernel
  uint64_t marked = 0;        // records that set a mark
};

std::string Ids(const ke_path_ids& ids) {
  return fmt::format("exact {} prefix {} suffix {}", ids.exact, ids.prefix, ids.suffix);
}

class DifferentialTest : public TryKernelTest {
 protected:
  // The first disagreement of the case; "" = there is none.
  std::string Disagreement(const TryCase& given, Tally* tally);
  // Fails the test with the smallest case found.
  void Report(const TryCase& given, uint64_t seed);

 private:
  std::string CompareOne(const TryCase& given, const Both& both, size_t at, const ke_try_out& out,
                         Tally* tally);
};

std::string DifferentialTest::CompareOne(const TryCase& given, const Both& both, size_t at,
                                         const ke_try_out& out, Tally* tally) {
  const TryRecord& record = given.records[at];
  const TryContainer& container = given.containers[record.container];
  const auto say = [&](const std::string& what) {
    return fmt::format("{}\n{}{}", what, record.Describe(container), given.Yaml());
  };
  const auto same = [](const ke_path_ids& a, const ke_path_ids& b) {
    return a.exact == b.exact && a.prefix == b.prefix && a.suffix == b.suffix;
  };
  for (const bool own : {true, false}) {
    const std::string& path = own ? record.binary : record.parent;
    const ke_path_ids ids = both.compiled->IdsOf(path);
    const ke_path_ids& found = own ? out.own : out.parent;
    const bool told = (own ? out.own_told : out.parent_told) != 0;
    if (told && same(ids, found)) continue;
    return say(fmt::format("ids of {}.binary: kernel {}, user space {}", own ? "process" : "parent",
                           Ids(found), Ids(ids)));
  }
  const bool may_be_undecided =
      record.stale || record.cut || !container.told || record.container + 1 >= kCgroupPatternsMax;
  if (out.any != 0 && out.undecided != 0 && !may_be_undecided) {
    return say("the kernel says that a value was not known; all are");
  }
  EventBuilder builder;
  EventFields fields;
  const Aliases names = AliasesOf(*both.compiled, record);
  const std::string aliases = AliasList(*both.compiled, record.path, names.exact, names.prefix);
  if (out.any != 0 && out.undecided == 0 && record.cls == EventClass::kFileOpen &&
      aliases != AliasList(*both.compiled, record.path, out.alias, out.alias_prefix)) {
    return say("the kernel reports other aliases");
  }
  fields.Assign(record.Event(container, aliases, &builder));
  both.evaluator->BeginEvent(&fields, nullptr);
  const std::vector<Verdict> verdicts = Verdicts(*both.compiled, record, out);
  const std::string wrong = WrongMarks(*both.compiled, verdicts, out);
  if (!wrong.empty()) return say(wrong);
  tally->marked += static_cast<uint64_t>(out.marks != 0);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    if (given.rules[i].on != record.cls) continue;
    const Truth truth = both.evaluator->Evaluate(i);
    const Verdict& verdict = verdicts[i];
    if (record.cls == EventClass::kFileOpen && BeyondTheKernel(given.rules[i].when, names)) {
      ++tally->beyond;
      continue;
    }
    ++tally->pairs;
    tally->by_alias += static_cast<uint64_t>(!aliases.empty());
    tally->agreed_true += static_cast<uint64_t>(verdict.certain && truth == Truth::kTrue);
    tally->agreed_false += static_cast<uint64_t>(!verdict.maybe && truth == Truth::kFalse);
    tally->left += static_cast<uint64_t>(verdict.maybe && !verdict.certain);
    if (verdict.certain ? truth == Truth::kTrue : verdict.maybe || truth == Truth::kFalse) continue;
    return say(fmt::format("rule r{}: kernel {}, user space {}", i,
                           verdict.certain ? "true" : "false", TruthName(truth)));
  }
  return "";
}

std::string DifferentialTest::Disagreement(const TryCase& given, Tally* tally) {
  Both both = Compile(given);
  if (both.compiled == nullptr) return fmt::format("can't be compiled: {}", both.why);
  const absl::Status set = kernel_->SetRules(*both.compiled, given.containers);
  if (!set.ok()) return set.ToString();
  const absl::StatusOr<std::vector<ke_try_out>> judged = kernel_->Judge(given.records);
  if (!judged.ok()) return judged.status().ToString();
  for (size_t i = 0; i < given.records.size(); ++i) {
    std::string found = CompareOne(given, both, i, (*judged)[i], tally);
    if (!found.empty()) return found;
  }
  return "";
}

void DifferentialTest::Report(const TryCase& given, uint64_t seed) {
  const auto kind_of = [](const std::string& text) {
    return text.substr(0, text.find_first_of(":0123456789"));
  };
  Tally unused;
  const std::string kind = kind_of(Disagreement(given, &unused));
  const TryCase smallest = Shrink(
      given,
      [&](const TryCase& smaller) {
        const std::string found = Disagreement(smaller, &unused);
        std::printf(".\n");  // a machine that says nothing counts as hung
        return !found.empty() && kind_of(found) == kind;
      },
      kShrinkTries);
  ADD_FAILURE() << "KENTRY_SEED=" << seed << ": " << Disagreement(smallest, &unused);
}

uint64_t FirstSeed() {
  if (const char* given = std::getenv("KENTRY_SEED")) return std::strtoull(given, nullptr, 10);
  // The usual run says the same each time; the full one looks where nobody has been.
  return std::getenv("KENTRY_FULL") == nullptr ? kUsualSeed : std::random_device()();
}

TEST_F(DifferentialTest, KernelAndUserSpaceAgree) {
  const auto wanted = static_cast<uint64_t>(Count(kPairs, kPairsFull));
  uint64_t seed = FirstSeed();
  std::printf("first seed %llu\n", static_cast<unsigned long long>(seed));
  Tally tally;
  bool differs = false;
  for (uint64_t said = 0; tally.pairs < wanted && !differs; ++seed) {
    if (tally.pairs / kPairs > said) {  // a machine that says nothing counts as hung
      said = tally.pairs / kPairs;
      std::printf("%llu pairs\n", static_cast<unsigned long long>(tally.pairs));
    }
    const TryCase given = MakeCase(seed, kRules, kRecords);
    const std::string found = Disagreement(given, &tally);
    if (found.empty()) continue;
    differs = true;
    std::printf("case %llu: %s; looking for a smaller one\n", static_cast<unsigned long long>(seed),
                found.substr(0, found.find('\n')).c_str());
    Report(given, seed);
  }
  std::printf(
      "%llu pairs: %llu true, %llu false, %llu left to user space; %llu with aliases; "
      "%llu not compared\n",
      static_cast<unsigned long long>(tally.pairs),
      static_cast<unsigned long long>(tally.agreed_true),
      static_cast<unsigned long long>(tally.agreed_false),
      static_cast<unsigned long long>(tally.left), static_cast<unsigned long long>(tally.by_alias),
      static_cast<unsigned long long>(tally.beyond));
  if (differs) return;
  // Neither side may have agreed by saying nothing.
  EXPECT_GT(tally.agreed_true * 50, tally.pairs);
  EXPECT_GT(tally.agreed_false * 5, tally.pairs);
  EXPECT_GT(tally.left * 50, tally.pairs);
  EXPECT_GT(tally.by_alias * 50, tally.pairs);
  EXPECT_GT(tally.marked, 100u);
}

// Kinds of containers beyond what an epoch can tell apart are user space's to judge.
TEST_F(DifferentialTest, MoreKindsOfContainersThanFit) {
  TryCase given;
  for (size_t i = 0; i < kCgroupPatternsMax + 20; ++i) {
    const std::string id = fmt::format("c{}", i);
    given.containers.push_back({.id = id});
    given.records.push_back({.binary = "/b", .path = "/f", .container = i});
    TryRule rule;
    rule.when.before = "container.id == ";
    rule.when.strings = {id};
    given.rules.push_back(std::move(rule));
  }
  Tally tally;
  EXPECT_EQ(Disagreement(given, &tally), "");
}

}  // namespace
}  // namespace kentry::vm
