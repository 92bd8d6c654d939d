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

template <typename Set>
bool AnyOf(const Set& strings, const std::function<bool(std::string_view)>& holds) {
  return std::any_of(strings.begin(), strings.end(), holds);
}

// The end of a suffix that the name alone can show: at most eight bytes, from its last slash on.
std::string_view HintOfSuffix(std::string_view suffix) {
  const size_t slash = suffix.rfind('/');
  if (slash != std::string_view::npos) suffix.remove_prefix(slash);
  if (suffix.size() > KE_HINT_BYTES) suffix.remove_prefix(suffix.size() - KE_HINT_BYTES);
  return suffix;
}

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

void TableBuilder::CollectStringsOf(const Condition& condition) {
  const auto add = [](std::string_view text, StringIds* ids, std::vector<std::string>* names) {
    const auto id = static_cast<uint32_t>(ids->size() + 1);
    const bool added = ids->try_emplace(std::string(text), id).second;
    if (added && names != nullptr) names->push_back(std::string(text));
  };
  for (const std::string& text : condition.strings) {
    if (condition.kind == Kind::kExact) add(text, &out_.exact_ids_, &out_.exact_names_);
    if (condition.kind == Kind::kPrefix) add(text, &out_.prefix_ids_, &out_.prefix_names_);
    if (condition.kind == Kind::kSuffix) add(text, &out_.suffix_ids_, nullptr);
    if (condition.subject != Subject::kFile || condition.kind == Kind::kSuffix) continue;
    add(DirOf(text), &out_.dir_ids_, nullptr);
  }
}

void TableBuilder::CollectStrings() {
  for (const auto& clauses : out_.clauses_) {
    for (const Clause& clause : clauses) {
      for (const Condition& condition : clause.conditions) CollectStringsOf(condition);
    }
  }
}

namespace {

// The parts of `value` that some clause names: itself, or its beginnings or ends.
std::vector<std::string_view> HeldStrings(std::string_view value, Kind kind,
                                          const ClausesByString& clauses_of) {
  std::vector<std::string_view> held;
  for (size_t len = kind == Kind::kExact ? value.size() : 1; len <= value.size(); ++len) {
    const std::string_view part = value.substr(kind == Kind::kSuffix ? value.size() - len : 0, len);
    if (clauses_of.contains(part)) held.push_back(part);
  }
  return held;
}

bool NamesOneOf(const Condition& condition, const std::vector<std::string_view>& held) {
  return std::any_of(held.begin(), held.end(), [&](std::string_view text) {
    return std::binary_search(condition.strings.begin(), condition.strings.end(), text);
  });
}

}  // namespace

ClausesByString TableBuilder::ClausesOf(ke_rule_class cls, Kind kind, Subject subject) const {
  ClausesByString clauses_of;
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  for (size_t i = 0; i < clauses.size(); ++i) {
    for (const Condition& c : clauses[i].conditions) {
      if (c.kind != kind || c.subject != subject) continue;
      for (const std::string& text : c.strings) clauses_of[text].push_back(i);
    }
  }
  return clauses_of;
}

// Only the clauses that name a part of the value differ from the row of "none".
std::vector<ke_row> TableBuilder::StringRows(ke_rule_class cls, Kind kind, Subject subject,
                                             const StringIds& ids) const {
  const auto mine = [=](const Condition& c) { return c.kind == kind && c.subject == subject; };
  const ClausesByString clauses_of = ClausesOf(cls, kind, subject);
  std::vector<ke_row> rows(ids.size() + 1);
  rows[0] = RowOf(cls, mine, [](const Condition&) { return false; });
  for (const auto& [value, id] : ids) {
    const std::vector<std::string_view> held = HeldStrings(value, kind, clauses_of);
    ke_row& row = rows[id] = rows[0];
    for (const std::string_view part : held) {
      for (const size_t i : clauses_of.at(part)) {
        const auto& conditions = out_.clauses_[cls][i].conditions;
        const bool all = std::all_of(conditions.begin(), conditions.end(), [&](const auto& c) {
          return !mine(c) || NamesOneOf(c, held) != c.negated;
        });
        const uint64_t bit = uint64_t{1} << (i % 64);
        row.words[i / 64] = (row.words[i / 64] & ~bit) | (all ? bit : 0);
      }
    }
  }
  return rows;
}

// Rows by exact, prefix and suffix id of one subject.
void TableBuilder::BuildStrings(ke_rule_class cls, Subject subject) {
  const ke_dim first = subject == Subject::kOwn      ? KE_DIM_OWN_EXACT
                       : subject == Subject::kParent ? KE_DIM_PARENT_EXACT
                                                     : KE_DIM_FILE_EXACT;
  const std::array<std::pair<Kind, const StringIds*>, 3> tables = {
      {{Kind::kExact, &out_.exact_ids_},
       {Kind::kPrefix, &out_.prefix_ids_},
       {Kind::kSuffix, &out_.suffix_ids_}}};
  for (size_t offset = 0; offset < tables.size(); ++offset) {
    const auto [kind, ids] = tables[offset];
    const auto mine = [kind = kind, subject](const Condition& c) {
      return c.kind == kind && c.subject == subject;
    };
    if (!Asks(cls, mine)) continue;
    const std::vector<ke_row> rows = StringRows(cls, kind, subject, *ids);
    AddDimension(cls, static_cast<ke_dim>(first + static_cast<int>(offset)), rows);
    if (subject == Subject::kFile) continue;
    out_.tables_.config.image_asks |= 1u << offset;
    if (subject == Subject::kParent) out_.tables_.config.image_asks |= KE_ASK_PARENT;
    if (subject == Subject::kOwn && cls == KE_RC_EXEC) continue;
    for (uint32_t id = 1; id < rows.size(); ++id) {
      const bool differs = std::memcmp(&rows[id], &rows[0], sizeof(ke_row)) != 0;
      if (differs) out_.later_ids_[offset].insert(id);
    }
  }
}

// Clauses whose suffix only the whole path can show.
void TableBuilder::BuildSuffixRow() {
  const auto mine = [](const Condition& c) {
    return c.kind == Kind::kSuffix && c.subject == Subject::kFile;
  };
  ke_row asking{};
  const std::vector<Clause>& clauses = out_.clauses_[KE_RC_OPEN];
  for (size_t i = 0; i < clauses.size(); ++i) {
    for (const Condition& c : clauses[i].conditions) {
      if (!mine(c)) continue;
      asking.words[i / 64] |= uint64_t{1} << (i % 64);
      if (c.negated) out_.tables_.config.suffix_negated = 1;
    }
  }
  if (Asks(KE_RC_OPEN, mine)) out_.tables_.config.suffix_row = AddRow(asking);
}

// One byte alone may stand behind any other.
void TableBuilder::AddEnd(std::string_view suffix) {
  const auto set = [this](uint8_t before_last, uint8_t last) {
    const uint32_t bit = KE_ENDS_BIT(before_last, last);
    out_.tables_.config.ends[bit / 64] |= uint64_t{1} << (bit % 64);
  };
  const auto last = static_cast<uint8_t>(suffix.back());
  if (suffix.size() > 1) return set(static_cast<uint8_t>(suffix[suffix.size() - 2]), last);
  for (int before = 0; before < 256; ++before) set(static_cast<uint8_t>(before), last);
}

// By directory: clauses that an exact path in it, or a prefix that ends inside a name in it, may
// satisfy.
void TableBuilder::BuildFileDirectories() {
  const auto exact = [](const Condition& c) {
    return c.kind == Kind::kExact && c.subject == Subject::kFile;
  };
  const auto prefix = [](const Condition& c) {
    return c.kind == Kind::kPrefix && c.subject == Subject::kFile;
  };
  std::vector<ke_row> rows(out_.dir_ids_.size() + 1);
  std::vector<ke_row> partial(out_.dir_ids_.size() + 1);
  const auto in_directory = [](std::string_view dir) {
    return [dir](const Condition& c) {
      // A negated condition may hold in any directory.
      return c.negated ? false
                       : AnyOf(c.strings, [dir](std::string_view s) { return DirOf(s) == dir; });
    };
  };
  rows[0] = RowOf(KE_RC_OPEN, exact, in_directory("\n"));
  for (const auto& [dir, id] : out_.dir_ids_) {
    rows[id] = RowOf(KE_RC_OPEN, exact, in_directory(dir));
    const std::vector<Clause>& clauses = out_.clauses_[KE_RC_OPEN];
    for (size_t i = 0; i < clauses.size(); ++i) {
      for (const Condition& c : clauses[i].conditions) {
        const bool ends_inside = prefix(c) && AnyOf(c.strings, [&dir = dir](std::string_view s) {
                                   return DirOf(s) == dir && !s.ends_with('/');
                                 });
        if (ends_inside) partial[id].words[i / 64] |= uint64_t{1} << (i % 64);
      }
    }
  }
  if (Asks(KE_RC_OPEN, exact)) AddDimension(KE_RC_OPEN, KE_DIM_FILE_DIR, rows);
  if (Asks(KE_RC_OPEN, prefix)) AddDimension(KE_RC_OPEN, KE_DIM_FILE_PARTIAL, partial);
}

void TableBuilder::BuildHints() {
  const auto mine = [](const Condition& c) {
    return c.kind == Kind::kSuffix && c.subject == Subject::kFile;
  };
  if (!Asks(KE_RC_OPEN, mine)) return;
  std::map<std::string, uint32_t> ids;
  for (const Clause& clause : out_.clauses_[KE_RC_OPEN]) {
    for (const Condition& c : clause.conditions) {
      if (!mine(c)) continue;
      for (const std::string& s : c.strings) {
        ids.try_emplace(std::string(HintOfSuffix(s)), static_cast<uint32_t>(ids.size() + 1));
      }
    }
  }
  const auto may = [](std::string_view value) {
    return [value](const Condition& c) {
      if (c.negated) return false;  // may hold whatever the name ends with
      return AnyOf(c.strings,
                   [value](std::string_view s) { return value.ends_with(HintOfSuffix(s)); });
    };
  };
  std::vector<ke_row> rows(ids.size() + 1);
  rows[0] = RowOf(KE_RC_OPEN, mine, may("\n"));
  for (const auto& [hint, id] : ids) {
    rows[id] = RowOf(KE_RC_OPEN, mine, may(hint));
    out_.tables_.hint.emplace_back(HintKey(hint), id);
    AddEnd(hint);
  }
  AddDimension(KE_RC_OPEN, KE_DIM_FILE_HINT, rows);
}

void TableBuilder::BuildAccess() {
  const auto mine = [](const Condition& c) { return c.kind == Kind::kAccess; };
  if (!Asks(KE_RC_OPEN, mine)) return;
  std::vector<ke_row> rows;
  for (uint32_t access = 0; access < 128; ++access) {
    rows.push_back(
        RowOf(KE_RC_OPEN, mine, [access](const Condition& c) { return (access & c.access) != 0; }));
  }
  AddDimension(KE_RC_OPEN, KE_DIM_FILE_ACCESS, rows);
}

// One id for each stretch of values in which no comparison changes.
void TableBuilder::BuildNumber(ke_number number, const std::set<uint64_t>& bounds) {
  ke_rule_config& config = out_.tables_.config;
  const uint32_t place = config.numbers_used++;
  config.numbers[place] = number;
  const auto mine = [number](const Condition& c) {
    return c.kind == Kind::kNumber && c.number == number;
  };
  if (Asks(KE_RC_OPEN, mine)) out_.tables_.stamp_flags |= StampFlagOf(number);
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
    *why =
        fmt::format("conditions on {} number fields of a process; the kernel compares {} at most",
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
  if (Asks(KE_RC_OPEN, of_creds)) out_.tables_.stamp_flags |= KE_STAMP_CREDS;
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
    if (rule_class == KE_RC_OPEN) out_.tables_.stamp_flags |= KE_STAMP_CGROUP;
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
  out_.tables_.rows.resize(out_.tables_.rows.size() + size_t{kCgroupPatternsMax} * KE_RC_MAX);
}

void TableBuilder::BuildKeys() {
  RuleTables& tables = out_.tables_;
  const auto value = [this](int kind, uint32_t id) {
    return out_.later_ids_[static_cast<size_t>(kind)].contains(id) ? id | KE_ID_LATER : id;
  };
  Table<ke_string_key> exact;
  for (const auto& [text, id] : out_.exact_ids_) {
    exact.emplace_back(PathKey(tables.config.seed, text), value(0, id));
  }
  tables.exact = StringSlots(exact);
  tables.config.exact_mask = static_cast<uint32_t>(tables.exact.size() - 1);
  Table<ke_string_key> dirs;
  for (const auto& [text, id] : out_.dir_ids_) {
    dirs.emplace_back(DirKey(tables.config.seed, text), id);
  }
  tables.dirs = StringSlots(dirs);
  tables.config.dirs_mask = static_cast<uint32_t>(tables.dirs.size() - 1);
  for (const auto& [text, id] : out_.prefix_ids_) {
    tables.prefix.emplace_back(PrefixKey(text), value(1, id));
  }
  for (const auto& [text, id] : out_.suffix_ids_) {
    tables.suffix.emplace_back(MakeSuffixKey(text), value(2, id));
  }
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
  if (!out_.clauses_[KE_RC_OPEN].empty()) {
    BuildStrings(KE_RC_OPEN, Subject::kFile);
    BuildSuffixRow();
    BuildFileDirectories();
    BuildHints();
    BuildAccess();
  }
  if (!BuildNumbers(why) || !BuildTests(why)) return false;
  BuildAddresses(KE_ADDRESS_REMOTE);
  BuildAddresses(KE_ADDRESS_LOCAL);
  BuildMarks();
  BuildCgroups();
  BuildKeys();
  return true;
}

}  // namespace kentry
