// SPDX-License-Identifier: Apache-2.0
// Names in conditions: fields, macros, lists, constants and what exists() binds.
#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/constants.h"
#include "rules/parse/expr_checker.h"
#include "rules/parse/shown.h"

namespace kentry {

ExprChecker::Value ExprChecker::Name(const Ast& ast) {
  const std::string& name = ast.text;
  if (name.find('.') != std::string::npos) return DottedName(ast);
  if (name == element_ && !name.empty()) return Made(ast, ExprOp::kElement, Kind::kString);
  if (name == ancestor_ && !name.empty()) {
    return Error(ast, fmt::format("{} is a process; one of its fields is expected", Shown(name)),
                 fmt::format("write {}.binary", TerminalText(name)));
  }
  if (const auto it = scope_.definitions.macros.find(name); it != scope_.definitions.macros.end()) {
    return Macro(ast, it->first, it->second);
  }
  if (const auto it = scope_.definitions.lists.find(name); it != scope_.definitions.lists.end()) {
    return NamedList(ast, it->second);
  }
  if (const auto value = FindConstant(name)) return Fixed(ast, absl::int128(*value));
  return UnknownName(ast);
}

ExprChecker::Value ExprChecker::DottedName(const Ast& ast) {
  const std::string_view name = ast.text;
  const size_t dot = name.find('.');
  const std::string_view first = name.substr(0, dot);
  if (!ancestor_.empty() && first == ancestor_) return AncestorField(ast, name.substr(dot + 1));
  if (!element_.empty() && first == element_) {
    return Error(ast, fmt::format("{} is a string, it has no fields", Shown(first)));
  }
  if (first == "ancestors") {
    return Error(ast, "ancestors are several processes",
                 "write ancestors.exists(a, a.binary == …)");
  }
  const FieldDef* const field = FindField(name);
  if (field == nullptr) return UnknownName(ast);
  if (field->id == FieldId::kProcessMarks && !marks_allowed_) {
    return Error(ast, "marks can only be searched", "write \"name\" in process.marks");
  }
  return FieldValue(ast, *field, false);
}

ExprChecker::Value ExprChecker::FieldValue(const Ast& ast, const FieldDef& field, bool ancestor) {
  const std::string classes = ClassesOf(field);
  if (!ancestor && classes.empty()) {
    return Error(ast,
                 fmt::format("no class that rules may be on has the field {}", Shown(field.name)));
  }
  if (!ancestor && scope_.on != EventClass::kNone && !HasField(scope_.on, field)) {
    return Error(ast,
                 fmt::format("{} has no field {}", GetClass(scope_.on).name, Shown(field.name)),
                 fmt::format("classes that have it: {}", classes));
  }
  Kind kind = Kind::kNumber;
  if (field.type == FieldType::kBool) kind = Kind::kBool;
  if (field.type == FieldType::kString) kind = Kind::kString;
  if (field.type == FieldType::kStringList) kind = Kind::kStringList;
  Value value = Made(ast, ExprOp::kField, kind);
  value.expr.field = field.id;
  value.expr.ancestor = ancestor;
  return value;
}

ExprChecker::Value ExprChecker::AncestorField(const Ast& ast, std::string_view key) {
  const FieldDef* const field = FindField(fmt::format("process.{}", key));
  if (field != nullptr && IsAncestorField(*field)) return FieldValue(ast, *field, true);
  const auto keys = [] {
    std::vector<std::string_view> known;
    for (const FieldDef& other : Fields()) {
      if (IsAncestorField(other)) known.push_back(other.key);
    }
    return known;
  };
  return Error(
      ast,
      fmt::format("an ancestor has no field {}{}", Shown(key), scope_.reporter.Nearest(key, keys)),
      "an ancestor has the fields of group process: a.binary is its process.binary");
}

ExprChecker::Value ExprChecker::UnknownName(const Ast& ast) {
  const std::string& name = ast.text;
  const bool dotted = name.find('.') != std::string::npos;
  if (scope_.definitions.incomplete && !dotted) return {};
  const auto names = [this, dotted] {
    std::vector<std::string_view> known;
    for (const FieldDef& field : Fields()) {
      if (scope_.on == EventClass::kNone || HasField(scope_.on, field)) known.push_back(field.name);
    }
    if (dotted) return known;
    for (const std::string_view defined : scope_.definitions.Names()) known.push_back(defined);
    for (const Constant& constant : Constants()) known.push_back(constant.name);
    return known;
  };
  const std::string nearest = scope_.reporter.Nearest(name, names);
  const auto fields = Fields();
  const bool group = std::any_of(fields.begin(), fields.end(),
                                 [&name](const FieldDef& field) { return field.group == name; });
  if (group) {
    return Error(ast, fmt::format("{} is a group of fields", Shown(name)),
                 fmt::format("name one of them, like {}.{}; \"kentry fields\" lists all", name,
                             name == "file" ? "path" : "…"));
  }
  if (dotted) {
    return Error(ast, fmt::format("unknown field {}{}", Shown(name), nearest),
                 scope_.on == EventClass::kNone
                     ? "\"kentry fields\" lists all"
                     : fmt::format("\"kentry fields {}\" lists those of this class",
                                   GetClass(scope_.on).name));
  }
  return Error(ast, fmt::format("unknown name {}{}", Shown(name), nearest),
               "a name is a field, a macro, a list or a constant; a string stands in quotes");
}

ExprChecker::Value ExprChecker::NamedList(const Ast& ast, const ListDef& list) {
  if (list.broken || !Spend(ast, list.values)) return {};
  Value value;
  value.kind = Kind::kConstants;
  value.list = list.values;
  value.list_type = list.type;
  return value;
}

ExprChecker::Value ExprChecker::Macro(const Ast& ast, const std::string& name,
                                      const MacroDef& macro) {
  if (macro.broken) return {};
  // On its own a macro is checked without those that it uses: each of them is checked once.
  if (scope_.on == EventClass::kNone) return Truth(ast, true);
  const bool outermost = macro_use_ == nullptr;
  if (outermost) {
    macro_use_ = &ast;
    macro_name_ = name;
  }
  // A macro doesn't see what the exists() around its use has bound.
  std::string element = std::exchange(element_, "");
  std::string ancestor = std::exchange(ancestor_, "");
  Value any = Made(macro.conditions[0], ExprOp::kOr, Kind::kBool);
  bool wrong = false;
  for (const Ast& condition : macro.conditions) {
    Value part = Condition(condition);
    wrong = wrong || part.kind != Kind::kBool;
    any.expr.args.push_back(std::move(part.expr));
  }
  element_ = std::move(element);
  ancestor_ = std::move(ancestor);
  if (outermost) macro_use_ = nullptr;
  if (wrong) return {};
  if (any.expr.args.size() > 1) return any;
  Expr only = std::move(any.expr.args[0]);
  any.expr = std::move(only);
  return any;
}

}  // namespace kentry
