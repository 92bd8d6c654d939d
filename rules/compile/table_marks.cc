// SPDX-License-Identifier: Apache-2.0
// Which clauses set which mark.
#include <algorithm>

#include "rules/compile/table_builder.h"

namespace kentry {
namespace {

bool TestsMarks(const KernelCondition& c) {
  return c.kind == KernelCondition::Kind::kTest &&
         (c.test.word == KE_WORD_MARKS || c.test.word == KE_WORD_MARKED);
}

void SetBit(ke_row* row, size_t i) { row->words[i / 64] |= uint64_t{1} << (i % 64); }

}  // namespace

void TableBuilder::BuildMarks() {
  RuleTables& tables = out_.tables_;
  const std::vector<MarkInfo>& marks = out_.marks_.marks();
  tables.config.marks_used = static_cast<uint32_t>(marks.size());
  for (uint32_t i = 0; i < marks.size(); ++i) {
    tables.config.marks[i] = {.bit = static_cast<uint16_t>(i),
                              .certain = marks[i].ends ? uint16_t{0} : uint16_t{1},
                              .lifetime_s = static_cast<uint32_t>(marks[i].lifetime_s)};
  }
  for (const ke_rule_class cls : kRuledClasses) BuildMarks(cls);
}

void TableBuilder::BuildMarks(ke_rule_class cls) {
  RuleTables& tables = out_.tables_;
  const size_t count = out_.marks_.marks().size();
  if (Asks(cls, TestsMarks)) tables.stamp_flags |= KE_STAMP_MARKS;
  ke_row any{};
  std::vector<ke_row> rows(2 * count);
  const std::vector<Clause>& clauses = out_.clauses_[cls];
  bool sets = false;
  for (size_t i = 0; i < clauses.size() && count != 0; ++i) {
    const std::optional<RuleMark>& mark = out_.rules_->rules[clauses[i].rule].mark;
    const size_t at = mark ? out_.marks_.Find(mark->name) : count;
    if (at == count) continue;
    sets = true;
    SetBit(&any, i);
    SetBit(&rows[2 * at], i);
    if (clauses[i].exact) SetBit(&rows[2 * at + 1], i);
  }
  if (!sets) return;
  tables.stamp_flags |= KE_STAMP_MARKED;
  tables.config.mark_any[cls] = AddRow(any);
  tables.config.mark_base[cls] = static_cast<uint32_t>(tables.index.size());
  for (const ke_row& row : rows) tables.index.push_back(AddRow(row));
}

}  // namespace kentry
