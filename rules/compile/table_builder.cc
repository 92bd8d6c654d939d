// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/table_builder.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "fmt/format.h"
#include "rules/compile/string_key.h"

namespace kentry {
namespace {

using Condition = KernelCondition;
using Kind = Condition::Kind;
using Subject = Condition::Subject;

constexpr size_t kIdsMax = 65535;

bool NumberHolds(const Expr& expr, uint32_t value) {
  const auto equals = [value](const Literal& literal) {
    return std::get<absl::int128>(literal) == value;
  };
  const absl::int128 right = std::get<absl::int128>(expr.values[0]);
  const absl::int128 left = value;
  switch (expr.op) {
    case ExprOp::kEqual:
    case ExprOp::kIn:
      return std::any_of(expr.values.begin(), expr.values.end(), equals);
    case ExprOp::kLess:
      return left < right;
    case ExprOp::kLessEqual:
      return left <= right;
    case ExprOp::kGreater:
      return left > right;
    case ExprOp::kGreaterEqual:
      return left >= right;
    default:
      return false;
  }
}

// What a cached mask depends on when a condition compares the number.
uint32_t StampFlagOf(ke_number number) {
  if (number >= KE_NUM_NS_MNT) return KE_STAMP_NAMESPACES;
  if (number == KE_NUM_LOGINUID || number == KE_NUM_SESSIONID) return KE_STAMP_SESSION;
  return KE_STAMP_CREDS;
}

bool SameTest(const ke_test& a, const ke_test& b) {
  return a.mask == b.mask && a.word == b.word && a.all == b.all;
}

// Values at which a comparison's truth changes.
void AddBounds(const Expr& expr, std::set<uint64_t>* bounds) {
  for (const Literal& literal : expr.values) {
    const absl::int128 value = std::get<absl::int128>(literal);
    for (const absl::int128 at : {value, value + 1}) {
      if (at > 0 && at <= 0xffffffff) bounds->insert(static_cast<uint64_t>(at));
    }
  }
}

}  // namespace

uint32_t TableBuilder::AddRow(const ke_row& row) {
  const std::string content(reinterpret_cast<const char*>(&row), sizeof(row));
  const auto [at, added] =
      rows_by_content_.try_emplace(content, static_cast<uint32_t>(out_.tables_.rows.size()));
  if (added) out_.tables_.rows.push_back(row);
  return at->second;
}

ke_row TableBuilder::RowOf(ke_rule_class cls, const std::function<bool(const Condition&)>& mine,
                           const Holds& holds) const {
  ke_row row{};
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  for (size_t i = 0; i < clauses.size(); ++i) {
    const bool all =
        std::all_of(clauses[i].conditions.begin(), clauses[i].conditions.end(),
                    [&](const Condition& c) { return !mine(c) || holds(c) != c.negated; });
    if (all) row.words[i / 64] |= uint64_t{1} << (i % 64);
  }
  return row;
}

bool TableBuilder::Asks(ke_rule_class cls,
                        const std::function<bool(const Condition&)>& mine) const {
  for (const Clause& clause : out_.clauses_[cls]) {
    if (std::any_of(clause.conditions.begin(), clause.conditions.end(), mine)) return true;
  }
  return false;
}

void TableBuilder::AddDimension(ke_rule_class cls, ke_dim dim, const std::vector<ke_row>& rows) {
  RuleTables& tables = out_.tables_;
  tables.config.base[cls][dim] = static_cast<uint32_t>(tables.index.size());
  for (const ke_row& row : rows) tables.index.push_back(AddRow(row));
}

void TableBuilder::BuildAccess(ke_rule_class cls, uint32_t values) {
  const auto mine = [](const Condition& c) { return c.kind == Kind::kAccess; };
  if (!Asks(cls, mine)) return;
  std::vector<ke_row> rows;
  for (uint32_t access = 0; access < values; ++access) {
    rows.push_back(
        RowOf(cls, mine, [access](const Condition& c) { return (access & c.access) != 0; }));
  }
  AddDimension(cls, KE_DIM_FILE_ACCESS, rows);
}

// By kind of change and its bits: each clause is of one kind.
void TableBuilder::BuildChanges() {
  const std::vector<Clause>& clauses = out_.clauses_[KE_RC_CHANGE];
  if (clauses.empty()) return;
  std::vector<ke_row> rows(size_t{KE_CHANGE_MAX} << KE_CHANGE_SHIFT);
  for (size_t i = 0; i < clauses.size(); ++i) {
    out_.tables_.config.changes |= 1u << clauses[i].change;
    for (uint32_t bits = 0; bits < 1u << KE_CHANGE_SHIFT; ++bits) {
      const bool holds = std::all_of(
          clauses[i].conditions.begin(), clauses[i].conditions.end(), [bits](const Condition& c) {
            return c.kind != Kind::kAccess || ((bits & c.access) != 0) != c.negated;
          });
      const size_t at = KE_CHANGE_ACCESS(clauses[i].change, bits);
      if (holds) rows[at].words[i / 64] |= uint64_t{1} << (i % 64);
    }
  }
  AddDimension(KE_RC_CHANGE, KE_DIM_FILE_ACCESS, rows);
}

// One id for each stretch of values in which no comparison changes.
void TableBuilder::BuildNumber(ke_number number, const std::set<uint64_t>& bounds) {
  ke_rule_config& config = out_.tables_.config;
  const uint32_t place = config.numbers_used++;
  config.numbers[place] = number;
  const auto mine = [number](const Condition& c) {
    return c.kind == Kind::kNumber && c.number == number;
  };
  if (CachingAsks(mine)) out_.tables_.stamp_flags |= StampFlagOf(number);
  std::array<std::vector<ke_row>, KE_RC_MAX> rows;
  std::vector<uint64_t> ends(bounds.begin(), bounds.end());
  ends.push_back(uint64_t{1} << 32);
  uint64_t from = 0;
  for (uint32_t id = 0; id < ends.size(); ++id) {
    const auto holds = [from](const Condition& c) {
      return NumberHolds(*c.expr, static_cast<uint32_t>(from));
    };
    for (int cls = 0; cls < KE_RC_MAX; ++cls) {
      rows[static_cast<size_t>(cls)].push_back(RowOf(static_cast<ke_rule_class>(cls), mine, holds));
    }
    AddStretch(place, from, ends[id], id);
    from = ends[id];
  }
  for (int cls = 0; cls < KE_RC_MAX; ++cls) {
    if (!Asks(static_cast<ke_rule_class>(cls), mine)) continue;
    AddDimension(static_cast<ke_rule_class>(cls),
                 static_cast<ke_dim>(KE_DIM_NUMBER + static_cast<int>(place)),
                 rows[static_cast<size_t>(cls)]);
  }
}

// The values from `from` up to `end` as aligned blocks.
void TableBuilder::AddStretch(uint32_t place, uint64_t from, uint64_t end, uint32_t id) {
  for (uint64_t at = from; at < end;) {
    uint32_t free_bits = at == 0 ? 32 : static_cast<uint32_t>(__builtin_ctzll(at));
    while (at + (uint64_t{1} << free_bits) > end) --free_bits;
    out_.tables_.numbers.emplace_back(
        NumberKey(static_cast<uint8_t>(place), static_cast<uint32_t>(at), 32 - free_bits), id);
    at += uint64_t{1} << free_bits;
  }
}

bool TableBuilder::BuildNumbers(std::string* why) {
  std::map<ke_number, std::set<uint64_t>> asked;
  for (const auto& clauses : out_.clauses_) {
    for (const Clause& clause : clauses) {
      for (const Condition& c : clause.conditions) {
        if (c.kind == Kind::kNumber) AddBounds(*c.expr, &asked[c.number]);
      }
    }
  }
  if (asked.size() > KE_NUMBERS_MAX) {
    *why = fmt::format("conditions on {} number fields; the kernel compares {} at most",
                       asked.size(), KE_NUMBERS_MAX);
    return false;
  }
  for (const auto& [number, bounds] : asked) BuildNumber(number, bounds);
  return true;
}

bool TableBuilder::BuildTests(std::string* why) {
  std::vector<ke_test> tests;
  const auto add = [&tests](const Condition& c) {
    if (c.kind != Kind::kTest) return;
    const bool known = std::any_of(tests.begin(), tests.end(),
                                   [&](const ke_test& test) { return SameTest(test, c.test); });
    if (!known) tests.push_back(c.test);
  };
  for (const auto& clauses : out_.clauses_) {
    for (const Clause& clause : clauses) {
      std::for_each(clause.conditions.begin(), clause.conditions.end(), add);
    }
  }
  const auto others = std::count_if(tests.begin(), tests.end(), [](const ke_test& test) {
    return test.word != KE_WORD_MARKS && test.word != KE_WORD_MARKED;
  });
  constexpr int kOthersMax = KE_TESTS_MAX - KE_MARK_TESTS_MAX;
  if (others > kOthersMax || tests.size() > KE_TESTS_MAX) {
    *why = fmt::format("{} different tests of flags and capabilities; the kernel makes {}", others,
                       kOthersMax);
    return false;
  }
  const auto of_creds = [](const Condition& c) {
    return c.kind == Kind::kTest && c.test.word <= KE_WORD_CAP_AMBIENT;
  };
  if (CachingAsks(of_creds)) out_.tables_.stamp_flags |= KE_STAMP_CREDS;
  ke_rule_config& config = out_.tables_.config;
  config.tests_used = static_cast<uint32_t>(tests.size());
  std::copy(tests.begin(), tests.end(), config.tests);
  for (int cls = 0; cls < KE_RC_MAX; ++cls) {
    const auto rule_class = static_cast<ke_rule_class>(cls);
    if (!Asks(rule_class, [](const Condition& c) { return c.kind == Kind::kTest; })) continue;
    config.test_base[cls] = static_cast<uint32_t>(out_.tables_.index.size());
    for (size_t first = 0; first < tests.size(); first += KE_TEST_GROUP) {
      AddTestGroup(rule_class, tests, first);
    }
  }
  return true;
}

// A row for each outcome of the tests from `first` on that make a group.
void TableBuilder::AddTestGroup(ke_rule_class cls, const std::vector<ke_test>& tests,
                                size_t first) {
  const size_t last = std::min<size_t>(tests.size(), first + KE_TEST_GROUP);
  const auto place = [&](const Condition& c) {
    size_t i = first;
    while (i < last && !SameTest(tests[i], c.test)) ++i;
    return i;
  };
  const auto mine = [&](const Condition& c) { return c.kind == Kind::kTest && place(c) < last; };
  for (uint32_t outcomes = 0; outcomes < 1u << KE_TEST_GROUP; ++outcomes) {
    out_.tables_.index.push_back(AddRow(RowOf(
        cls, mine, [&](const Condition& c) { return (outcomes >> (place(c) - first) & 1) != 0; })));
  }
}

// Room for the rows that cgroups will need; the first, of a cgroup that nobody has judged, is all
// clauses.
void TableBuilder::BuildCgroups() {
  const auto mine = [](const Condition& c) { return c.kind == Kind::kCgroup; };
  for (int cls = 0; cls < KE_RC_MAX; ++cls) {
    const auto rule_class = static_cast<ke_rule_class>(cls);
    if (!Asks(rule_class, mine)) continue;
    if (CachingAsks(mine)) out_.tables_.stamp_flags |= KE_STAMP_CGROUP;
    ke_row every{};
    std::memset(&every, 0xff, sizeof(every));
    AddDimension(rule_class, KE_DIM_CGROUP, std::vector<ke_row>(kCgroupPatternsMax, every));
    for (const Clause& clause : out_.clauses_[cls]) {
      for (const Condition& c : clause.conditions) {
        if (mine(c)) out_.cgroup_conditions_.push_back(c.expr);
      }
    }
  }
  if (out_.cgroup_conditions_.empty()) return;
  out_.cgroup_next_row_ = static_cast<uint32_t>(out_.tables_.rows.size());
  const auto asking = static_cast<size_t>(
      std::count_if(std::begin(out_.tables_.config.base), std::end(out_.tables_.config.base),
                    [](const auto& dims) { return dims[KE_DIM_CGROUP] != 0; }));
  out_.tables_.rows.resize(out_.tables_.rows.size() + kCgroupPatternsMax * asking);
}

bool TableBuilder::Build(std::string* why) {
  RuleTables& tables = out_.tables_;
  tables.index.push_back(0);  // base 0 says: nobody asks; so does row 0
  tables.rows.emplace_back();
  CollectStrings();
  for (const auto* ids : {&out_.exact_ids_, &out_.prefix_ids_, &out_.suffix_ids_, &out_.dir_ids_}) {
    if (ids->size() > kIdsMax) {
      *why = fmt::format("{} different strings of one kind; at most {}", ids->size(), kIdsMax);
      return false;
    }
  }
  for (int i = 0; i < KE_RC_MAX; ++i) {
    const auto cls = static_cast<ke_rule_class>(i);
    if (out_.clauses_[cls].empty()) continue;
    tables.config.classes |= 1u << i;
    const auto none = [](const Condition&) { return false; };
    tables.config.class_row[cls] = AddRow(RowOf(cls, none, none));
    BuildStrings(cls, Subject::kOwn);
    BuildStrings(cls, Subject::kParent);
  }
  const StringIds hints = CollectHints();
  for (const ke_rule_class cls : kFileClasses) {
    if (out_.clauses_[cls].empty()) continue;
    BuildStrings(cls, Subject::kFile);
    BuildSuffixRow(cls);
    BuildFileDirectories(cls);
    BuildHints(cls, hints);
  }
  BuildAccess(KE_RC_OPEN, 128);
  BuildAccess(KE_RC_PTRACE, KE_DEED_ACCESS_MAX);
  BuildAccess(KE_RC_SIGNAL, KE_DEED_ACCESS_MAX);
  BuildAccess(KE_RC_BPF, KE_DEED_ACCESS_MAX);
  BuildChanges();
  if (!BuildNumbers(why) || !BuildTests(why)) return false;
  BuildAddresses(KE_ADDRESS_REMOTE);
  BuildAddresses(KE_ADDRESS_LOCAL);
  BuildMarks();
  if (!BuildActs(why)) return false;
  BuildCgroups();
  BuildKeys();
  return true;
}

}  // namespace kentry
