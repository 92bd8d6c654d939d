// SPDX-License-Identifier: Apache-2.0
// From a tree of words to a typed condition: names become fields and constants, macros and lists
// their contents.
#ifndef KENTRY_RULES_PARSE_EXPR_CHECK_H_
#define KENTRY_RULES_PARSE_EXPR_CHECK_H_

#include <optional>
#include <string>

#include "rules/model/expr.h"
#include "rules/parse/definitions.h"
#include "rules/parse/expr_parser.h"
#include "rules/parse/limits.h"
#include "rules/parse/source_text.h"

namespace kentry {

// What all conditions of a set may still take.
struct ConditionBudget {
  size_t nodes = kMaxSetNodes;
  size_t values = kMaxSetValues;
  size_t value_bytes = kMaxSetValueBytes;
};

struct CheckScope {
  EventClass on = EventClass::kNone;  // kNone: the fields of every class
  const Definitions& definitions;
  Reporter& reporter;
  ConditionBudget* budget = nullptr;
  std::string path;  // of the condition
};

// The condition, or nothing after an error. One thread.
std::optional<Expr> CheckCondition(const Ast& ast, const CheckScope& scope);

// Checks every macro on its own, without a class, so that its errors are told where they are and
// once. Marks those that have one.
void CheckMacros(Definitions* definitions, Reporter& reporter);

// Whether the field may be asked of an ancestor (a.KEY in ancestors.exists(a, …)).
bool IsAncestorField(const FieldDef& field);
// "process.exec, file.open": the classes that have the field and that rules may be on.
std::string ClassesOf(const FieldDef& field);
bool HasField(EventClass cls, const FieldDef& field);
// Classes that rules may be on.
bool IsRuleClass(EventClass cls);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_EXPR_CHECK_H_
