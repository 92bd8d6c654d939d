// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/expr_check.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/constants.h"
#include "rules/parse/expr_checker.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr std::array<EventClass, 22> kRuleClasses = {
    EventClass::kProcessExec,       EventClass::kProcessFork,  EventClass::kProcessExit,
    EventClass::kProcessExecFailed, EventClass::kFileOpen,     EventClass::kFileUnlink,
    EventClass::kFileRmdir,         EventClass::kFileRename,   EventClass::kFileLink,
    EventClass::kFileSymlink,       EventClass::kFileMkdir,    EventClass::kFileMknod,
    EventClass::kFileChmod,         EventClass::kFileChown,    EventClass::kFileTruncated,
    EventClass::kFileSetxattr,      EventClass::kFileMmapExec, EventClass::kProcessPtrace,
    EventClass::kProcessSignal,     EventClass::kProcessBpf,   EventClass::kFileMount,
    EventClass::kFileUmount,
};

std::string NumberText(absl::int128 number) {
  return number < 0 ? fmt::format("{}", static_cast<int64_t>(number))
                    : fmt::format("{}", static_cast<uint64_t>(number));
}

// What stands on one side of a comparison, for a message.
std::string Operand(const Ast& ast) {
  if (ast.kind == AstKind::kName || ast.kind == AstKind::kString) return Shown(ast.text);
  if (ast.kind == AstKind::kNumber) return NumberText(ast.number);
  if (ast.kind == AstKind::kCall) return fmt::format("{}(…)", ast.text);
  return "this";
}

TokenKind Mirrored(TokenKind op) {
  if (op == TokenKind::kLess) return TokenKind::kGreater;
  if (op == TokenKind::kLessEqual) return TokenKind::kGreaterEqual;
  if (op == TokenKind::kGreater) return TokenKind::kLess;
  if (op == TokenKind::kGreaterEqual) return TokenKind::kLessEqual;
  return op;
}

bool Holds(TokenKind op, const Literal& left, const Literal& right) {
  if (op == TokenKind::kEqual) return left == right;
  if (op == TokenKind::kNotEqual) return left != right;
  const auto* const a = std::get_if<absl::int128>(&left);
  const auto* const b = std::get_if<absl::int128>(&right);
  if (a == nullptr || b == nullptr) return false;
  if (op == TokenKind::kLess) return *a < *b;
  if (op == TokenKind::kLessEqual) return *a <= *b;
  if (op == TokenKind::kGreater) return *a > *b;
  return *a >= *b;
}

ExprOp OpOf(TokenKind op) {
  if (op == TokenKind::kLess) return ExprOp::kLess;
  if (op == TokenKind::kLessEqual) return ExprOp::kLessEqual;
  if (op == TokenKind::kGreater) return ExprOp::kGreater;
  if (op == TokenKind::kGreaterEqual) return ExprOp::kGreaterEqual;
  return ExprOp::kEqual;
}

Expr Negated(Expr expr) {
  Expr negation;
  negation.op = ExprOp::kNot;
  negation.at = expr.at;
  negation.args.push_back(std::move(expr));
  return negation;
}

}  // namespace

bool IsRuleClass(EventClass cls) {
  return std::find(kRuleClasses.begin(), kRuleClasses.end(), cls) != kRuleClasses.end();
}

bool HasField(EventClass cls, const FieldDef& field) {
  return (field.classes & ClassBit(cls)) != 0;
}

bool IsAncestorField(const FieldDef& field) {
  // What the process table doesn't keep of a process that isn't the event's.
  constexpr std::array<FieldId, 4> kNot = {FieldId::kProcessMarks, FieldId::kProcessUnknown,
                                           FieldId::kProcessDepth, FieldId::kProcessEarlier};
  return field.group == "process" && std::find(kNot.begin(), kNot.end(), field.id) == kNot.end();
}

std::string ClassesOf(const FieldDef& field) {
  std::vector<std::string_view> names;
  const bool all_files =
      std::all_of(kRuleClasses.begin(), kRuleClasses.end(),
                  [&field](EventClass cls) { return !IsFileClass(cls) || HasField(cls, field); });
  for (const EventClass cls : kRuleClasses) {
    if (HasField(cls, field) && !(all_files && IsFileClass(cls))) {
      names.push_back(GetClass(cls).name);
    }
  }
  if (all_files) names.emplace_back("all of file.*");
  return fmt::format("{}", fmt::join(names, ", "));
}

std::optional<Expr> ExprChecker::Check(const Ast& ast) {
  Value value = Condition(ast);
  if (value.kind != Kind::kBool) return std::nullopt;
  return std::move(value.expr);
}

ExprChecker::Value ExprChecker::Error(const Ast& ast, std::string message, std::string hint) {
  if (macro_use_ == nullptr) {
    scope_.reporter.Error(ast.at, scope_.path, std::move(message), std::move(hint));
  } else {
    scope_.reporter.Error(macro_use_->at, scope_.path,
                          fmt::format("macro {}: {}", Shown(macro_name_), message),
                          std::move(hint));
  }
  return {};
}

ExprChecker::Value ExprChecker::Made(const Ast& ast, ExprOp op, Kind kind) {
  Value value;
  value.kind = kind;
  value.expr.op = op;
  value.expr.at = ast.at;
  value.expr.type = kind == Kind::kNumber       ? ValueType::kNumber
                    : kind == Kind::kString     ? ValueType::kString
                    : kind == Kind::kStringList ? ValueType::kStringList
                                                : ValueType::kBool;
  return value;
}

ExprChecker::Value ExprChecker::Fixed(const Ast& ast, Literal literal) {
  const bool number = std::holds_alternative<absl::int128>(literal);
  Value value = Made(ast, ExprOp::kLiteral, number ? Kind::kNumber : Kind::kString);
  value.expr.values.push_back(std::move(literal));
  return value;
}

ExprChecker::Value ExprChecker::Truth(const Ast& ast, bool value) {
  return Made(ast, value ? ExprOp::kTrue : ExprOp::kFalse, Kind::kBool);
}

std::string_view ExprChecker::KindText(const Value& value) {
  switch (value.kind) {
    case Kind::kError:
      return "wrong";
    case Kind::kBool:
      return "true or false";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kStringList:
      return "a list of strings";
    case Kind::kConstants:
      return "a list of constants";
    case Kind::kPrefix:
      return "an address block";
  }
  return "";
}

bool ExprChecker::Spend(const Ast& ast, const std::vector<Literal>& values) {
  ConditionBudget* const budget = scope_.budget;
  if (budget == nullptr) return true;
  size_t bytes = 0;
  if (values.size() <= budget->values) {
    for (const Literal& value : values) {
      if (const auto* const text = std::get_if<std::string>(&value)) bytes += text->size();
    }
  }
  if (values.size() > budget->values || bytes > budget->value_bytes) {
    Error(ast,
          fmt::format("the conditions hold more than {} constants or {} MiB of them in all, lists "
                      "expanded",
                      kMaxSetValues, kMaxSetValueBytes >> 20));
    return false;
  }
  budget->values -= values.size();
  budget->value_bytes -= bytes;
  return true;
}

ExprChecker::Value ExprChecker::Part(const Ast& ast) {
  if (too_large_) return {};
  const bool spent = scope_.budget != nullptr && scope_.budget->nodes == 0;
  if (++nodes_ > kMaxConditionNodes || depth_ > kMaxConditionDepth || spent) {
    too_large_ = true;
    if (spent) {
      return Error(ast,
                   fmt::format("the conditions have more than {} parts in all, macros expanded",
                               kMaxSetNodes));
    }
    if (depth_ > kMaxConditionDepth) {
      return Error(ast, fmt::format("the condition nests deeper than {} levels, macros expanded",
                                    kMaxConditionDepth));
    }
    return Error(ast, fmt::format("the condition has more than {} parts, macros expanded",
                                  kMaxConditionNodes));
  }
  if (scope_.budget != nullptr) --scope_.budget->nodes;
  ++depth_;
  Value value = PartInside(ast);
  --depth_;
  return value;
}

ExprChecker::Value ExprChecker::PartInside(const Ast& ast) {
  switch (ast.kind) {
    case AstKind::kBool:
      return Truth(ast, ast.number != 0);
    case AstKind::kNumber:
      return Fixed(ast, ast.number);
    case AstKind::kString:
      return Fixed(ast, ast.text);
    case AstKind::kList:
      return ConstantList(ast);
    case AstKind::kName:
      return Name(ast);
    case AstKind::kNot:
      return Not(ast);
    case AstKind::kAnd:
    case AstKind::kOr:
      return Junction(ast);
    case AstKind::kCompare:
      return Compare(ast);
    case AstKind::kIn:
      return In(ast);
    case AstKind::kCall:
      return Call(ast);
    case AstKind::kIndex:
      return Index(ast);
    case AstKind::kMask:
      return Error(ast, "\"|\" joins masks in hasAll() and hasAny() only", "write || for or");
  }
  return {};
}

ExprChecker::Value ExprChecker::Condition(const Ast& ast) {
  Value value = Part(ast);
  if (value.kind == Kind::kBool || value.kind == Kind::kError) return value;
  const std::string name = ast.kind == AstKind::kName ? TerminalText(ast.text) : "x";
  std::string hint = "write a comparison";
  if (value.kind == Kind::kNumber) hint = fmt::format("write {} != 0", name);
  if (value.kind == Kind::kString) hint = fmt::format("write {} != \"\" or has({})", name, name);
  if (value.kind == Kind::kStringList) hint = fmt::format("write size({}) > 0", name);
  if (value.kind == Kind::kConstants) hint = fmt::format("write FIELD in {}", name);
  return Error(ast, fmt::format("{} is {}; a condition is expected", Operand(ast), KindText(value)),
               hint);
}

ExprChecker::Value ExprChecker::ConstantList(const Ast& ast) {
  Value list;
  list.kind = Kind::kConstants;
  for (const Ast& item : ast.args) {
    Value value = item.kind == AstKind::kName || item.kind == AstKind::kString ||
                          item.kind == AstKind::kNumber
                      ? PartInside(item)
                      : Value();
    if (value.kind == Kind::kConstants) {
      return Error(item, "a list can't hold a list", "only lists: take other lists: [$name, x]");
    }
    const bool wrong = !value.IsConstant() && value.kind != Kind::kError;
    if (wrong || (value.kind == Kind::kError && item.kind != AstKind::kName)) {
      return Error(item, "a list holds strings or numbers that are constant");
    }
    if (value.kind == Kind::kError) return {};
    const ValueType type = value.kind == Kind::kString ? ValueType::kString : ValueType::kNumber;
    if (list.list.empty()) list.list_type = type;
    if (type != list.list_type) return Error(item, "the list mixes strings and numbers");
    list.list.push_back(std::move(value.expr.values[0]));
  }
  if (!Spend(ast, list.list)) return {};
  return list;
}

ExprChecker::Value ExprChecker::Not(const Ast& ast) {
  Value inner = Part(ast.args[0]);
  if (inner.kind == Kind::kError) return inner;
  if (inner.kind != Kind::kBool) {
    return Error(ast.args[0],
                 fmt::format("\"!\" stands before {}, which is {}; it negates conditions",
                             Operand(ast.args[0]), KindText(inner)),
                 "\"!\" binds tightest: write !(a == b), !(a in b)");
  }
  Value value = Made(ast, ExprOp::kNot, Kind::kBool);
  value.expr.args.push_back(std::move(inner.expr));
  return value;
}

ExprChecker::Value ExprChecker::Junction(const Ast& ast) {
  Value value = Made(ast, ast.kind == AstKind::kAnd ? ExprOp::kAnd : ExprOp::kOr, Kind::kBool);
  bool wrong = false;
  for (const Ast& arg : ast.args) {
    Value part = Condition(arg);
    if (part.kind != Kind::kBool) {
      wrong = true;
    } else if (part.expr.op == value.expr.op) {
      for (Expr& inner : part.expr.args) value.expr.args.push_back(std::move(inner));
    } else {
      value.expr.args.push_back(std::move(part.expr));
    }
  }
  return wrong ? Value() : std::move(value);
}

namespace {

// How to write a constant that is compared with something of another kind.
std::string HintForConstant(const Ast& constant, const std::string& otherwise) {
  if (constant.kind == AstKind::kString) {
    return NumberOf(constant.text)
               ? fmt::format("write {} without quotes", TerminalText(constant.text))
               : "write a number, or the name of one: EACCES, SIGKILL";
  }
  if (constant.kind == AstKind::kNumber) {
    return fmt::format("write \"{}\" in quotes", NumberText(constant.number));
  }
  return constant.kind == AstKind::kBool ? "true and false are for fields of type bool" : otherwise;
}

}  // namespace

ExprChecker::Value ExprChecker::Compare(const Ast& ast) {
  Value left = Part(ast.args[0]);
  Value right = Part(ast.args[1]);
  if (left.kind == Kind::kError || right.kind == Kind::kError) return {};
  const Ast* const names[] = {&ast.args[0], &ast.args[1]};
  if (left.kind == Kind::kBool && right.kind == Kind::kBool) {
    return CompareBools(ast, std::move(left), std::move(right));
  }
  const bool same = left.kind == right.kind;
  if (same && (left.kind == Kind::kNumber || left.kind == Kind::kString)) {
    return Relation(ast, ast.op, std::move(left), std::move(right));
  }
  std::string hint = "both sides have to be of one kind";
  if (left.kind == Kind::kStringList || right.kind == Kind::kStringList) {
    const std::string list = TerminalText(Operand(*names[left.kind == Kind::kStringList ? 0 : 1]));
    const std::string name = list.size() > 2 ? list.substr(1, list.size() - 2) : "LIST";
    hint = fmt::format("write \"…\" in {}, or {}[1] == \"…\"", name, name);
  } else if (left.kind == Kind::kConstants || right.kind == Kind::kConstants) {
    hint = "write FIELD in LIST";
  } else if (left.IsConstant() || right.IsConstant()) {
    hint = HintForConstant(*names[left.IsConstant() ? 0 : 1], hint);
  }
  return Error(ast,
               fmt::format("{} is {}, {} is {}: they can't be compared", Operand(*names[0]),
                           KindText(left), Operand(*names[1]), KindText(right)),
               hint);
}

ExprChecker::Value ExprChecker::CompareBools(const Ast& ast, Value left, Value right) {
  const bool equal = ast.op == TokenKind::kEqual;
  if (!equal && ast.op != TokenKind::kNotEqual) {
    return Error(ast, "true and false have no order", "write == or !=");
  }
  const auto fixed = [](const Value& value) {
    return value.expr.op == ExprOp::kTrue || value.expr.op == ExprOp::kFalse;
  };
  if (fixed(left)) std::swap(left, right);
  if (fixed(right)) {
    const bool wanted = (right.expr.op == ExprOp::kTrue) == equal;
    left.expr.at = ast.at;
    if (!wanted) left.expr = Negated(std::move(left.expr));
    return left;
  }
  if (left.expr.op != ExprOp::kField || right.expr.op != ExprOp::kField) {
    return Error(ast, "== and != compare values; these are conditions",
                 "join conditions with && and ||");
  }
  return Relation(ast, ast.op, std::move(left), std::move(right));
}

ExprChecker::Value ExprChecker::Relation(const Ast& ast, TokenKind op, Value left, Value right) {
  const bool order = op != TokenKind::kEqual && op != TokenKind::kNotEqual;
  if (order && left.kind == Kind::kString) {
    return Error(ast, "strings have no order", "compare strings with == != in startsWith …");
  }
  if (left.IsConstant() && right.IsConstant()) {
    return Truth(ast, Holds(op, left.expr.values[0], right.expr.values[0]));
  }
  if (left.IsConstant()) {
    std::swap(left, right);
    op = Mirrored(op);
  }
  Value value = Made(ast, OpOf(op), Kind::kBool);
  value.expr.args.push_back(std::move(left.expr));
  if (right.IsConstant()) {
    if (!Spend(ast, right.expr.values)) return {};
    value.expr.values = std::move(right.expr.values);
  } else {
    value.expr.args.push_back(std::move(right.expr));
  }
  if (op == TokenKind::kNotEqual) value.expr = Negated(std::move(value.expr));
  return value;
}

ExprChecker::Value ExprChecker::In(const Ast& ast) {
  Value left = Part(ast.args[0]);
  marks_allowed_ = ast.args[1].kind == AstKind::kName;
  Value right = Part(ast.args[1]);
  marks_allowed_ = false;
  if (left.kind == Kind::kError || right.kind == Kind::kError) return {};
  if (right.kind == Kind::kStringList) {
    return InStringList(ast, std::move(left), std::move(right));
  }
  if (right.kind != Kind::kConstants) {
    return Error(ast.args[1],
                 fmt::format("{} is {}; a list is expected after \"in\"", Operand(ast.args[1]),
                             KindText(right)),
                 right.kind == Kind::kString ? "write a.contains(b) for a part of a string"
                                             : "write x in [1, 2]");
  }
  const Kind wanted = right.list_type == ValueType::kString ? Kind::kString : Kind::kNumber;
  if (!right.list.empty() && left.kind != wanted) {
    const char* const what = wanted == Kind::kString ? "strings" : "numbers";
    return Error(
        ast, fmt::format("{} is {}, the list holds {}", Operand(ast.args[0]), KindText(left), what),
        left.kind == Kind::kStringList
            ? fmt::format("write {}.exists(a, a in …)", TerminalText(ast.args[0].text))
            : "");
  }
  if (right.list.empty()) return Truth(ast, false);
  if (left.IsConstant()) {
    const auto found = std::find(right.list.begin(), right.list.end(), left.expr.values[0]);
    return Truth(ast, found != right.list.end());
  }
  Value value = Made(ast, ExprOp::kIn, Kind::kBool);
  value.expr.args.push_back(std::move(left.expr));
  value.expr.values = std::move(right.list);
  return value;
}

ExprChecker::Value ExprChecker::InStringList(const Ast& ast, Value left, Value right) {
  if (left.kind != Kind::kString) {
    return Error(ast.args[0],
                 fmt::format("{} is {}, {} holds strings", Operand(ast.args[0]), KindText(left),
                             Operand(ast.args[1])),
                 "write \"…\" in LIST");
  }
  const bool marks = right.expr.field == FieldId::kProcessMarks && !right.expr.ancestor;
  if (left.IsConstant()) {
    if (!Spend(ast, left.expr.values)) return {};
    Value value = Made(ast, marks ? ExprOp::kMarked : ExprOp::kHasElement, Kind::kBool);
    value.expr.values = std::move(left.expr.values);
    if (!marks) value.expr.args.push_back(std::move(right.expr));
    return value;
  }
  if (marks) return Error(ast.args[0], "a mark's name is constant", "write \"name\"");
  if (in_element_) {
    return Error(ast, "a list of the event can't be searched inside LIST.exists(…)");
  }
  Value same = Made(ast, ExprOp::kEqual, Kind::kBool);
  same.expr.args.push_back(Made(ast, ExprOp::kElement, Kind::kString).expr);
  same.expr.args.push_back(std::move(left.expr));
  Value value = Made(ast, ExprOp::kAnyElement, Kind::kBool);
  value.expr.args.push_back(std::move(right.expr));
  value.expr.args.push_back(std::move(same.expr));
  return value;
}

ExprChecker::Value ExprChecker::Index(const Ast& ast) {
  Value list = Part(ast.args[0]);
  if (list.kind == Kind::kError) return list;
  if (list.kind != Kind::kStringList) {
    return Error(ast, fmt::format("{} is {}; only lists of strings have elements",
                                  Operand(ast.args[0]), KindText(list)));
  }
  Value value = Made(ast, ExprOp::kIndex, Kind::kString);
  value.expr.index = static_cast<uint32_t>(ast.number);
  value.expr.args.push_back(std::move(list.expr));
  return value;
}

std::optional<Expr> CheckCondition(const Ast& ast, const CheckScope& scope) {
  return ExprChecker(scope).Check(ast);
}

void CheckMacros(Definitions* definitions, Reporter& reporter) {
  for (auto& [name, macro] : definitions->macros) {
    const CheckScope scope = {
        .definitions = *definitions, .reporter = reporter, .path = macro.path};
    bool wrong = false;
    for (const Ast& condition : macro.conditions) {
      wrong = !CheckCondition(condition, scope) || wrong;
    }
    macro.broken = macro.broken || wrong;
  }
}

}  // namespace kentry
