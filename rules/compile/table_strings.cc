// SPDX-License-Identifier: Apache-2.0
// Rows and keys of conditions on paths.
#include <algorithm>
#include <cstring>

#include "rules/compile/string_key.h"
#include "rules/compile/table_builder.h"

namespace kentry {
namespace {

using Condition = KernelCondition;
using Kind = Condition::Kind;
using Subject = Condition::Subject;

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

// Does a clause ask for such a condition and for the absence of another?
bool HaveBoth(const std::vector<Clause>& clauses,
              const std::function<bool(const Condition&)>& mine) {
  return std::any_of(clauses.begin(), clauses.end(), [&](const Clause& clause) {
    const auto has = [&](bool negated) {
      return std::any_of(clause.conditions.begin(), clause.conditions.end(),
                         [&](const Condition& c) { return mine(c) && c.negated == negated; });
    };
    return has(true) && has(false);
  });
}

}  // namespace

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
    const bool file = condition.subject == Subject::kFile || condition.subject == Subject::kNewFile;
    if (!file || condition.kind == Kind::kSuffix) continue;
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
                                             const StringIds& ids, bool negated_only) const {
  const auto mine = [=](const Condition& c) {
    return c.kind == kind && c.subject == subject && (c.negated || !negated_only);
  };
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

// What negated conditions of a kind on the file leave, by id.
void TableBuilder::BuildExcluded(ke_rule_class cls, Kind kind, const StringIds& ids, size_t place) {
  out_.tables_.config.excluded[cls][place] = static_cast<uint32_t>(out_.tables_.index.size());
  for (const ke_row& row : StringRows(cls, kind, Subject::kFile, ids, true)) {
    out_.tables_.index.push_back(AddRow(row));
  }
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
    const std::vector<ke_row> rows = StringRows(cls, kind, subject, *ids, false);
    AddDimension(cls, static_cast<ke_dim>(first + static_cast<int>(offset)), rows);
    if (subject == Subject::kFile) {
      if (HaveBoth(out_.clauses_[cls], mine)) BuildExcluded(cls, kind, *ids, offset);
      continue;
    }
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
void TableBuilder::BuildSuffixRow(ke_rule_class cls) {
  const auto mine = [](const Condition& c) {
    return c.kind == Kind::kSuffix && c.subject == Subject::kFile;
  };
  ke_row asking{};
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  for (size_t i = 0; i < clauses.size(); ++i) {
    for (const Condition& c : clauses[i].conditions) {
      if (!mine(c)) continue;
      asking.words[i / 64] |= uint64_t{1} << (i % 64);
      if (c.negated) out_.tables_.config.suffix_negated[cls] = 1;
    }
  }
  if (Asks(cls, mine)) out_.tables_.config.suffix_row[cls] = AddRow(asking);
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
void TableBuilder::BuildFileDirectories(ke_rule_class cls) {
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
  rows[0] = RowOf(cls, exact, in_directory("\n"));
  for (const auto& [dir, id] : out_.dir_ids_) {
    rows[id] = RowOf(cls, exact, in_directory(dir));
    const std::vector<Clause>& clauses = out_.clauses_[cls];
    for (size_t i = 0; i < clauses.size(); ++i) {
      for (const Condition& c : clauses[i].conditions) {
        const bool ends_inside = prefix(c) && AnyOf(c.strings, [&dir = dir](std::string_view s) {
                                   return DirOf(s) == dir && !s.ends_with('/');
                                 });
        if (ends_inside) partial[id].words[i / 64] |= uint64_t{1} << (i % 64);
      }
    }
  }
  if (Asks(cls, exact)) AddDimension(cls, KE_DIM_FILE_DIR, rows);
  if (Asks(cls, prefix)) AddDimension(cls, KE_DIM_FILE_PARTIAL, partial);
}

// Ends of names that suffixes of any class have: the classes share the table.
StringIds TableBuilder::CollectHints() {
  StringIds ids;
  for (const ke_rule_class cls : kFileClasses) {
    for (const Clause& clause : out_.clauses_[cls]) {
      for (const Condition& c : clause.conditions) {
        if (c.kind != Kind::kSuffix || c.subject != Subject::kFile) continue;
        for (const std::string& s : c.strings) {
          ids.try_emplace(std::string(HintOfSuffix(s)), static_cast<uint32_t>(ids.size() + 1));
        }
      }
    }
  }
  for (const auto& [hint, id] : ids) {
    out_.tables_.hint.emplace_back(HintKey(hint), id);
    AddEnd(hint);
  }
  return ids;
}

void TableBuilder::BuildHints(ke_rule_class cls, const StringIds& ids) {
  const auto mine = [](const Condition& c) {
    return c.kind == Kind::kSuffix && c.subject == Subject::kFile;
  };
  if (!Asks(cls, mine)) return;
  const auto may = [](std::string_view value) {
    return [value](const Condition& c) {
      if (c.negated) return false;  // may hold whatever the name ends with
      return AnyOf(c.strings,
                   [value](std::string_view s) { return value.ends_with(HintOfSuffix(s)); });
    };
  };
  std::vector<ke_row> rows(ids.size() + 1);
  rows[0] = RowOf(cls, mine, may("\n"));
  for (const auto& [hint, id] : ids) {
    rows[id] = RowOf(cls, mine, may(hint));
  }
  AddDimension(cls, KE_DIM_FILE_HINT, rows);
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

}  // namespace kentry
