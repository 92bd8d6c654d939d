// SPDX-License-Identifier: Apache-2.0
// Inside of expr_check: the checker that its two files share.
#ifndef KENTRY_RULES_PARSE_EXPR_CHECKER_H_
#define KENTRY_RULES_PARSE_EXPR_CHECKER_H_

#include <string>
#include <string_view>
#include <vector>

#include "rules/parse/expr_check.h"

namespace kentry {

class ExprChecker {
 public:
  explicit ExprChecker(const CheckScope& scope) : scope_(scope) {}

  std::optional<Expr> Check(const Ast& ast);

 private:
  enum class Kind : uint8_t { kError, kBool, kNumber, kString, kStringList, kConstants, kPrefix };
  // What a part of a condition is. kConstants: `list`; else `expr`.
  struct Value {
    Kind kind = Kind::kError;
    Expr expr;
    std::vector<Literal> list;
    ValueType list_type = ValueType::kString;
    bool IsConstant() const { return expr.op == ExprOp::kLiteral; }
  };

  // Every part; checks depth and number.
  Value Part(const Ast& ast);
  Value PartInside(const Ast& ast);
  // A part that must be a condition; kError otherwise.
  Value Condition(const Ast& ast);

  // Names.
  Value Name(const Ast& ast);
  Value DottedName(const Ast& ast);
  Value FieldValue(const Ast& ast, const FieldDef& field, bool ancestor);
  Value AncestorField(const Ast& ast, std::string_view key);
  Value UnknownName(const Ast& ast);
  Value Macro(const Ast& ast, const std::string& name, const MacroDef& macro);
  Value NamedList(const Ast& ast, const ListDef& list);
  Value ConstantList(const Ast& ast);

  // Operators.
  Value Not(const Ast& ast);
  Value Junction(const Ast& ast);
  Value Compare(const Ast& ast);
  Value CompareBools(const Ast& ast, Value left, Value right);
  Value Relation(const Ast& ast, TokenKind op, Value left, Value right);
  Value In(const Ast& ast);
  Value InStringList(const Ast& ast, Value left, Value right);
  Value Index(const Ast& ast);

  // Calls; expr_methods.cc.
  Value Call(const Ast& ast);
  Value Function(const Ast& ast);
  Value Has(const Ast& ast);
  Value Size(const Ast& ast);
  Value StringMethod(const Ast& ast, ExprOp op);
  Value MaskMethod(const Ast& ast, ExprOp op);
  Value Exists(const Ast& ast);
  Value AnyAncestor(const Ast& ast);
  Value AnyElement(const Ast& ast, Value list);
  Value ContainsIp(const Ast& ast);
  bool BindName(const Ast& ast, std::string* name);
  bool Mask(const Ast& ast, absl::int128* mask);
  // Whether the call has `count` arguments; says how it is written if not.
  bool HasArguments(const Ast& ast, size_t count, std::string_view usage);
  // The strings of an argument that is one string or a list of them.
  bool Strings(const Ast& ast, std::string_view method, std::vector<Literal>* strings);

  Value Error(const Ast& ast, std::string message, std::string hint = "");
  // Counts values that go into the condition; an error when they are too many.
  bool Spend(const Ast& ast, const std::vector<Literal>& values);
  // "process.uid" for a name, else "this".
  static std::string NameOf(const Ast& ast);
  static std::string_view KindText(const Value& value);
  static Value Fixed(const Ast& ast, Literal literal);
  static Value Truth(const Ast& ast, bool value);
  static Value Made(const Ast& ast, ExprOp op, Kind kind);

  const CheckScope& scope_;
  const Ast* macro_use_ = nullptr;  // the outermost macro's name that is being expanded
  std::string macro_name_;
  std::string element_;      // name bound by LIST.exists(name, …)
  std::string ancestor_;     // name bound by ancestors.exists(name, …)
  bool in_element_ = false;  // also inside a macro, which doesn't see the names
  bool in_ancestor_ = false;
  bool marks_allowed_ = false;
  size_t nodes_ = 0;
  int depth_ = 0;
  bool too_large_ = false;
};

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_EXPR_CHECKER_H_
