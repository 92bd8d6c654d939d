// SPDX-License-Identifier: Apache-2.0
// Calls in conditions.
#include <array>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/cidr.h"
#include "rules/parse/expr_checker.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 8> kMethods = {
    "startsWith", "endsWith", "contains", "matches", "exists", "hasAll", "hasAny", "containsIP"};
constexpr std::array<std::string_view, 3> kFunctions = {"has", "size", "cidr"};

template <size_t kCount>
bool IsOneOf(std::string_view name, const std::array<std::string_view, kCount>& names) {
  for (const std::string_view known : names) {
    if (known == name) return true;
  }
  return false;
}

template <size_t kCount>
std::vector<std::string_view> All(const std::array<std::string_view, kCount>& names) {
  return {names.begin(), names.end()};
}

}  // namespace

ExprChecker::Value ExprChecker::Call(const Ast& ast) {
  if (!ast.method) return Function(ast);
  if (ast.text == "startsWith") return StringMethod(ast, ExprOp::kStartsWith);
  if (ast.text == "endsWith") return StringMethod(ast, ExprOp::kEndsWith);
  if (ast.text == "contains") return StringMethod(ast, ExprOp::kContains);
  if (ast.text == "matches") return StringMethod(ast, ExprOp::kMatches);
  if (ast.text == "exists") return Exists(ast);
  if (ast.text == "hasAll") return MaskMethod(ast, ExprOp::kHasAll);
  if (ast.text == "hasAny") return MaskMethod(ast, ExprOp::kHasAny);
  if (ast.text == "containsIP") return ContainsIp(ast);
  std::string hint = fmt::format("methods are {}", fmt::join(kMethods, ", "));
  if (IsOneOf(ast.text, kFunctions)) hint = fmt::format("write {}(x)", ast.text);
  if (ast.text == "all") hint = "write !LIST.exists(a, !CONDITION)";
  return Error(ast,
               fmt::format("unknown method {}{}", Shown(ast.text),
                           scope_.reporter.Nearest(ast.text, [] { return All(kMethods); })),
               hint);
}

ExprChecker::Value ExprChecker::Function(const Ast& ast) {
  if (ast.text == "has") return Has(ast);
  if (ast.text == "size") return Size(ast);
  if (ast.text == "cidr") {
    return Error(ast, "an address block is no condition",
                 "write cidr(\"10.0.0.0/8\").containsIP(FIELD)");
  }
  std::string hint = fmt::format("functions are {}", fmt::join(kFunctions, ", "));
  if (IsOneOf(ast.text, kMethods)) hint = fmt::format("write x.{}(…)", ast.text);
  return Error(ast,
               fmt::format("unknown function {}{}", Shown(ast.text),
                           scope_.reporter.Nearest(ast.text, [] { return All(kFunctions); })),
               hint);
}

bool ExprChecker::HasArguments(const Ast& ast, size_t count, std::string_view usage) {
  const size_t given = ast.args.size() - (ast.method ? 1 : 0);
  if (given == count) return true;
  Error(ast,
        fmt::format("{} takes {} argument{}, not {}", TerminalText(ast.text), count,
                    count == 1 ? "" : "s", given),
        fmt::format("write {}", usage));
  return false;
}

ExprChecker::Value ExprChecker::Has(const Ast& ast) {
  if (!HasArguments(ast, 1, "has(FIELD)")) return {};
  Value field = Part(ast.args[0]);
  if (field.kind == Kind::kError) return field;
  if (field.expr.op != ExprOp::kField || field.kind == Kind::kConstants) {
    return Error(ast.args[0], "has() takes a field", "write has(process.script)");
  }
  Value value = Made(ast, ExprOp::kHas, Kind::kBool);
  value.expr.args.push_back(std::move(field.expr));
  return value;
}

ExprChecker::Value ExprChecker::Size(const Ast& ast) {
  if (!HasArguments(ast, 1, "size(process.args)")) return {};
  Value part = Part(ast.args[0]);
  if (part.kind == Kind::kError) return part;
  if (part.kind == Kind::kConstants) {
    return Fixed(ast, absl::int128(part.list.size()));
  }
  if (part.kind != Kind::kString && part.kind != Kind::kStringList) {
    return Error(ast.args[0], fmt::format("this is {}; size() is of a string or a list of strings",
                                          KindText(part)));
  }
  if (part.IsConstant()) {
    return Fixed(ast, absl::int128(std::get<std::string>(part.expr.values[0]).size()));
  }
  Value value = Made(ast, ExprOp::kSize, Kind::kNumber);
  value.expr.args.push_back(std::move(part.expr));
  return value;
}

bool ExprChecker::Strings(const Ast& ast, std::string_view method, std::vector<Literal>* strings) {
  const Ast& argument = ast.args[1];
  Value value = Part(argument);
  if (value.kind == Kind::kError) return false;
  if (value.kind == Kind::kConstants) {
    if (value.list_type == ValueType::kString || value.list.empty()) {
      *strings = std::move(value.list);
      return true;
    }
    Error(argument, fmt::format("{} takes strings; this list holds numbers", method));
    return false;
  }
  if (value.kind == Kind::kString && value.IsConstant()) {
    if (!Spend(argument, value.expr.values)) return false;
    *strings = std::move(value.expr.values);
    return true;
  }
  Error(argument,
        fmt::format("{} takes a constant string or a list of them; this is {}", method,
                    value.kind == Kind::kString ? "not constant" : KindText(value)),
        fmt::format("write x.{}(\"…\") or x.{}([\"…\", \"…\"])", method, method));
  return false;
}

ExprChecker::Value ExprChecker::StringMethod(const Ast& ast, ExprOp op) {
  if (!HasArguments(ast, 1, fmt::format("x.{}(\"…\")", ast.text))) return {};
  Value receiver = Part(ast.args[0]);
  std::vector<Literal> strings;
  const bool good = Strings(ast, ast.text, &strings);
  if (receiver.kind == Kind::kError) return {};
  if (receiver.kind != Kind::kString || receiver.IsConstant()) {
    std::string hint = "it is called on a field of type string";
    if (receiver.kind == Kind::kStringList) {
      hint =
          fmt::format("write {}.exists(a, a.{}(\"…\"))", TerminalText(ast.args[0].text), ast.text);
    }
    return Error(ast.args[0],
                 fmt::format("{} needs a string before it; this is {}", ast.text,
                             receiver.IsConstant() ? "a constant" : KindText(receiver)),
                 hint);
  }
  if (!good) return {};
  if (strings.empty()) return Truth(ast, false);
  if (op != ExprOp::kMatches) {
    // Every string begins with, ends with and contains the empty one.
    for (const Literal& text : strings) {
      if (std::get<std::string>(text).empty()) return Truth(ast, true);
    }
  }
  Value value = Made(ast, op, Kind::kBool);
  value.expr.args.push_back(std::move(receiver.expr));
  value.expr.values = std::move(strings);
  return value;
}

bool ExprChecker::Mask(const Ast& ast, absl::int128* mask) {
  if (ast.kind == AstKind::kMask) {
    for (const Ast& part : ast.args) {
      if (!Mask(part, mask)) return false;
    }
    return true;
  }
  Value value = Part(ast);
  if (value.kind == Kind::kError) return false;
  const bool number = value.kind == Kind::kNumber && value.IsConstant();
  if (!number || std::get<absl::int128>(value.expr.values[0]) < 0) {
    Error(ast, fmt::format("a mask is made of constants; this is {}", KindText(value)),
          "write CAP_SYS_ADMIN | CAP_NET_ADMIN");
    return false;
  }
  *mask |= std::get<absl::int128>(value.expr.values[0]);
  return true;
}

ExprChecker::Value ExprChecker::MaskMethod(const Ast& ast, ExprOp op) {
  if (!HasArguments(ast, 1, fmt::format("x.{}(CAP_SYS_ADMIN | CAP_NET_ADMIN)", ast.text))) {
    return {};
  }
  Value receiver = Part(ast.args[0]);
  absl::int128 mask = 0;
  const bool good = Mask(ast.args[1], &mask);
  if (receiver.kind == Kind::kError) return {};
  bool is_mask = receiver.kind == Kind::kNumber && receiver.expr.op == ExprOp::kField;
  if (is_mask) {
    const FieldDef& field = GetField(receiver.expr.field);
    is_mask = field.type == FieldType::kHex || (field.ops & kOpMask) != 0;
  }
  if (!is_mask) {
    return Error(ast.args[0], fmt::format("{} needs a mask before it", ast.text),
                 "masks are process.cap_effective and its kin, process.binary_mode, file.mode");
  }
  if (!good) return {};
  if (mask == 0) return Truth(ast, op == ExprOp::kHasAll);
  Value value = Made(ast, op, Kind::kBool);
  value.expr.args.push_back(std::move(receiver.expr));
  value.expr.values.emplace_back(mask);
  return value;
}

bool ExprChecker::BindName(const Ast& ast, std::string* name) {
  const Ast& bound = ast.args[1];
  if (bound.kind != AstKind::kName || bound.text.find('.') != std::string::npos) {
    Error(bound, "the first argument of exists() is a name for the element",
          "write process.args.exists(a, a == \"…\")");
    return false;
  }
  const Definitions& known = scope_.definitions;
  if (IsTakenName(bound.text) || known.macros.count(bound.text) > 0 ||
      known.lists.count(bound.text) > 0 || bound.text == element_ || bound.text == ancestor_) {
    Error(bound, fmt::format("the name {} stands for something else already", Shown(bound.text)),
          "choose another, like a");
    return false;
  }
  *name = bound.text;
  return true;
}

ExprChecker::Value ExprChecker::Exists(const Ast& ast) {
  if (!HasArguments(ast, 2, "process.args.exists(a, a == \"…\")")) return {};
  if (ast.args[0].kind == AstKind::kName && ast.args[0].text == "ancestors") {
    return AnyAncestor(ast);
  }
  Value list = Part(ast.args[0]);
  if (list.kind == Kind::kError) return list;
  if (list.kind != Kind::kStringList) {
    return Error(ast.args[0],
                 fmt::format("exists() is of a list of strings; this is {}", KindText(list)),
                 list.kind == Kind::kConstants ? "write FIELD in LIST" : "");
  }
  return AnyElement(ast, std::move(list));
}

ExprChecker::Value ExprChecker::AnyElement(const Ast& ast, Value list) {
  if (in_element_) {
    return Error(ast, "LIST.exists(…) can't stand inside another LIST.exists(…)");
  }
  std::string name;
  if (!BindName(ast, &name)) return {};
  element_ = std::move(name);
  in_element_ = true;
  Value condition = Condition(ast.args[2]);
  element_.clear();
  in_element_ = false;
  if (condition.kind != Kind::kBool) return {};
  Value value = Made(ast, ExprOp::kAnyElement, Kind::kBool);
  value.expr.args.push_back(std::move(list.expr));
  value.expr.args.push_back(std::move(condition.expr));
  return value;
}

ExprChecker::Value ExprChecker::AnyAncestor(const Ast& ast) {
  if (in_ancestor_) {
    return Error(ast, "ancestors.exists(…) can't stand inside another ancestors.exists(…)");
  }
  std::string name;
  if (!BindName(ast, &name)) return {};
  ancestor_ = std::move(name);
  in_ancestor_ = true;
  Value condition = Condition(ast.args[2]);
  ancestor_.clear();
  in_ancestor_ = false;
  if (condition.kind != Kind::kBool) return {};
  Value value = Made(ast, ExprOp::kAnyAncestor, Kind::kBool);
  value.expr.args.push_back(std::move(condition.expr));
  return value;
}

ExprChecker::Value ExprChecker::ContainsIp(const Ast& ast) {
  constexpr std::string_view kUsage = "cidr(\"10.0.0.0/8\").containsIP(FIELD)";
  if (!HasArguments(ast, 1, kUsage)) return {};
  const Ast& block = ast.args[0];
  const bool is_cidr = block.kind == AstKind::kCall && !block.method && block.text == "cidr" &&
                       block.args.size() == 1 && block.args[0].kind == AstKind::kString;
  if (!is_cidr) {
    return Error(block, "containsIP needs an address block before it",
                 fmt::format("write {}", kUsage));
  }
  IpPrefix prefix;
  const std::string wrong = ParseCidr(block.args[0].text, &prefix);
  if (!wrong.empty()) Error(block.args[0], wrong, "write an address block like \"10.0.0.0/8\"");
  const Value address = Part(ast.args[1]);
  if (address.kind == Kind::kError) return {};
  return Error(ast.args[1], fmt::format("this is {}; containsIP takes an IP address, and no class "
                                        "has a field with one yet",
                                        KindText(address)));
}

}  // namespace kentry
