// SPDX-License-Identifier: Apache-2.0
#include "rules/match/program.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr int kMaxDepth = 200;  // of a condition; the parser allows less

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("malformed condition: {}", what));
}

class Compiler {
 public:
  explicit Compiler(MatchProgram* program) : program_(*program) {}

  absl::Status Compile(const Expr& expr, uint32_t slot, int depth);

 private:
  absl::Status CompileData(const Expr& expr, uint32_t slot);
  absl::Status CompileLiteral(const Expr& expr, MatchNode* node);
  absl::Status AddTexts(const Expr& expr, TextSet::Kind kind, MatchNode* node);
  absl::Status AddNumbers(const Expr& expr, MatchNode* node);
  absl::Status AddComparison(const Expr& expr, MatchNode* node);
  absl::Status AddPatterns(const Expr& expr, MatchNode* node);
  // Checks the types and the number of arguments.
  absl::Status CheckArgs(const MatchNode& node) const;
  absl::Status CheckTwo(const MatchNode& node) const;
  const MatchNode& Arg(const MatchNode& node, uint32_t i) const {
    return program_.nodes[node.args + i];
  }
  uint32_t GroupOf(std::pair<FieldId, bool> source);  // field, ancestor

  MatchProgram& program_;
  std::pair<FieldId, bool> element_of_ = {FieldId::kInvalid, false};  // kElement's list
  std::map<std::pair<FieldId, bool>, uint32_t> groups_;
};

// Of the expression's value, but for kField.
ValueType TypeOf(const Expr& expr) {
  if (expr.op == ExprOp::kElement || expr.op == ExprOp::kIndex) return ValueType::kString;
  if (expr.op == ExprOp::kSize) return ValueType::kNumber;
  if (expr.op != ExprOp::kLiteral || expr.values.empty()) return ValueType::kBool;
  if (std::holds_alternative<std::string>(expr.values.front())) return ValueType::kString;
  return std::holds_alternative<bool>(expr.values.front()) ? ValueType::kBool : ValueType::kNumber;
}

bool IsCondition(const MatchNode& node) { return node.type == ValueType::kBool; }

absl::Status Compiler::Compile(const Expr& expr, uint32_t slot, int depth) {
  if (depth > kMaxDepth) return Malformed("nested too deeply");
  MatchNode node;
  node.op = expr.op;
  node.type = TypeOf(expr);
  node.ancestor = expr.ancestor;
  node.field = expr.field;
  node.index = expr.index;
  node.count = static_cast<uint32_t>(expr.args.size());
  node.args = static_cast<uint32_t>(program_.nodes.size());
  if (expr.op == ExprOp::kField) {
    if (expr.field == FieldId::kInvalid || expr.field >= FieldId::kCount) {
      return Malformed("a field without id");
    }
    node.type = ValueTypeOf(expr.field);
  }
  program_.nodes.resize(program_.nodes.size() + expr.args.size());
  program_.nodes[slot] = node;
  const std::pair<FieldId, bool> outer = element_of_;
  for (uint32_t i = 0; i < node.count; ++i) {
    RETURN_IF_ERROR(Compile(expr.args[i], node.args + i, depth + 1));
    if (node.op == ExprOp::kAnyElement) element_of_ = {Arg(node, 0).field, Arg(node, 0).ancestor};
  }
  element_of_ = outer;
  RETURN_IF_ERROR(CheckArgs(node));
  return CompileData(expr, slot);
}

absl::Status Compiler::CheckTwo(const MatchNode& node) const {
  if (node.count < 1 || node.count > 2) return Malformed("a comparison of nothing");
  const ValueType type = Arg(node, 0).type;
  if (type == ValueType::kIp) return Malformed("no field holds an address");
  const bool list = type == ValueType::kStringList;
  if (list != (node.op == ExprOp::kHasElement)) return Malformed("a string list is no value");
  const ValueType other = list ? ValueType::kString : type;
  if (node.count == 2 && Arg(node, 1).type != other) return Malformed("two types compared");
  return absl::OkStatus();
}

absl::Status Compiler::CheckArgs(const MatchNode& node) const {
  const auto arg_is = [&](uint32_t i, ValueType type) {
    return i < node.count && Arg(node, i).type == type;
  };
  bool good = true;
  switch (node.op) {
    case ExprOp::kTrue:
    case ExprOp::kFalse:
    case ExprOp::kLiteral:
    case ExprOp::kField:
    case ExprOp::kElement:
    case ExprOp::kMarked:
      good = node.count == 0;
      break;
    case ExprOp::kAnd:
    case ExprOp::kOr:
    case ExprOp::kNot:
      good = node.count >= 1 && (node.op != ExprOp::kNot || node.count == 1);
      for (uint32_t i = 0; i < node.count; ++i) good = good && IsCondition(Arg(node, i));
      break;
    case ExprOp::kEqual:
    case ExprOp::kLess:
    case ExprOp::kLessEqual:
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual:
    case ExprOp::kIn:
    case ExprOp::kHasElement:
      return CheckTwo(node);
    case ExprOp::kStartsWith:
    case ExprOp::kEndsWith:
    case ExprOp::kContains:
    case ExprOp::kMatches:
      good = arg_is(0, ValueType::kString) && node.count == 1;
      break;
    case ExprOp::kIndex:
      good = arg_is(0, ValueType::kStringList) && node.count == 1;
      break;
    case ExprOp::kSize:
      good =
          (arg_is(0, ValueType::kStringList) || arg_is(0, ValueType::kString)) && node.count == 1;
      break;
    case ExprOp::kHas:
      good = node.count == 1 &&
             (Arg(node, 0).op == ExprOp::kField || Arg(node, 0).type == ValueType::kString);
      break;
    case ExprOp::kHasAll:
    case ExprOp::kHasAny:
      good = arg_is(0, ValueType::kNumber) && node.count == 1;
      break;
    case ExprOp::kInPrefix:
      return Malformed("no field holds an address");
    case ExprOp::kAnyElement:
      good = node.count == 2 && arg_is(0, ValueType::kStringList) && IsCondition(Arg(node, 1));
      break;
    case ExprOp::kAnyAncestor:
      good = node.count == 1 && IsCondition(Arg(node, 0));
      break;
  }
  return good ? absl::OkStatus() : Malformed("arguments of the wrong number or type");
}

absl::Status Compiler::CompileData(const Expr& expr, uint32_t slot) {
  MatchNode* node = &program_.nodes[slot];
  switch (expr.op) {
    case ExprOp::kLiteral:
      return CompileLiteral(expr, node);
    case ExprOp::kEqual:
    case ExprOp::kLess:
    case ExprOp::kLessEqual:
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual:
    case ExprOp::kIn:
    case ExprOp::kHasElement:
      return AddComparison(expr, node);
    case ExprOp::kMarked:
      return AddTexts(expr, TextSet::Kind::kEqual, node);
    case ExprOp::kStartsWith:
      return AddTexts(expr, TextSet::Kind::kPrefix, node);
    case ExprOp::kEndsWith:
      return AddTexts(expr, TextSet::Kind::kSuffix, node);
    case ExprOp::kContains:
      return AddTexts(expr, TextSet::Kind::kPart, node);
    case ExprOp::kMatches:
      return AddPatterns(expr, node);
    case ExprOp::kHasAll:
    case ExprOp::kHasAny:
      if (expr.values.size() != 1) return Malformed("one mask is wanted");
      return AddNumbers(expr, node);
    case ExprOp::kField:
    case ExprOp::kElement:
    case ExprOp::kIndex:
    case ExprOp::kSize:
    case ExprOp::kAnd:
    case ExprOp::kOr:
    case ExprOp::kNot:
    case ExprOp::kHas:
    case ExprOp::kInPrefix:
    case ExprOp::kAnyElement:
    case ExprOp::kAnyAncestor:
    case ExprOp::kTrue:
    case ExprOp::kFalse:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Compiler::CompileLiteral(const Expr& expr, MatchNode* node) {
  if (expr.values.size() != 1) return Malformed("a constant without value");
  const Literal& value = expr.values.front();
  if (const bool* flag = std::get_if<bool>(&value)) {
    node->data = *flag ? 1 : 0;
    return absl::OkStatus();
  }
  if (const std::string* text = std::get_if<std::string>(&value)) {
    node->data = static_cast<uint32_t>(program_.literals.size());
    program_.literals.push_back(*text);
    return absl::OkStatus();
  }
  return AddNumbers(expr, node);
}

absl::Status Compiler::AddTexts(const Expr& expr, TextSet::Kind kind, MatchNode* node) {
  std::vector<std::string_view> texts;
  for (const Literal& value : expr.values) {
    const std::string* text = std::get_if<std::string>(&value);
    if (text == nullptr) return Malformed("a string is wanted");
    texts.push_back(*text);
  }
  node->data = static_cast<uint32_t>(program_.texts.size());
  program_.texts.emplace_back(kind, std::move(texts));
  return absl::OkStatus();
}

absl::Status Compiler::AddNumbers(const Expr& expr, MatchNode* node) {
  std::vector<absl::int128> numbers;
  for (const Literal& value : expr.values) {
    const absl::int128* number = std::get_if<absl::int128>(&value);
    if (number == nullptr) return Malformed("a number is wanted");
    numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  node->data = static_cast<uint32_t>(program_.numbers.size());
  program_.numbers.push_back(std::move(numbers));
  return absl::OkStatus();
}

absl::Status Compiler::AddComparison(const Expr& expr, MatchNode* node) {
  if (node->count == 2) {
    return expr.values.empty() ? absl::OkStatus() : Malformed("constants beside two fields");
  }
  const bool any = node->op == ExprOp::kIn || node->op == ExprOp::kHasElement;
  if (!any && expr.values.size() != 1) return Malformed("one value is wanted");
  switch (Arg(*node, 0).type) {
    case ValueType::kBool: {
      const bool* flag = any ? nullptr : std::get_if<bool>(&expr.values.front());
      if (flag == nullptr || node->op != ExprOp::kEqual) return Malformed("a bool is wanted");
      node->data = *flag ? 1 : 0;
      return absl::OkStatus();
    }
    case ValueType::kNumber:
      return AddNumbers(expr, node);
    case ValueType::kString:
    case ValueType::kStringList:
      if (!any && node->op != ExprOp::kEqual) return Malformed("strings have no order");
      return AddTexts(expr, TextSet::Kind::kEqual, node);
    case ValueType::kIp:
      break;
  }
  return Malformed("no field holds an address");
}

uint32_t Compiler::GroupOf(std::pair<FieldId, bool> source) {
  const auto [at, is_new] =
      groups_.try_emplace(source, static_cast<uint32_t>(program_.groups.size()));
  if (is_new) {
    FieldPatterns& group = program_.groups.emplace_back();
    group.field = source.first;
    group.ancestor = source.second;
  }
  return at->second;
}

absl::Status Compiler::AddPatterns(const Expr& expr, MatchNode* node) {
  const MatchNode& subject = Arg(*node, 0);
  const MatchNode& source = subject.op == ExprOp::kIndex ? Arg(subject, 0) : subject;
  PatternUse use;
  use.whole_field = subject.op == ExprOp::kField && !subject.ancestor;
  use.group = GroupOf(source.op == ExprOp::kElement ? element_of_
                                                    : std::pair(source.field, source.ancestor));
  for (const Literal& value : expr.values) {
    const std::string* pattern = std::get_if<std::string>(&value);
    if (pattern == nullptr) return Malformed("a regular expression is wanted");
    use.ids.push_back(program_.groups[use.group].regexes.Add(*pattern));
  }
  node->data = static_cast<uint32_t>(program_.patterns.size());
  program_.patterns.push_back(std::move(use));
  return absl::OkStatus();
}

}  // namespace

ValueType ValueTypeOf(FieldId id) {
  switch (GetField(id).type) {
    case FieldType::kBool:
      return ValueType::kBool;
    case FieldType::kString:
      return ValueType::kString;
    case FieldType::kStringList:
      return ValueType::kStringList;
    case FieldType::kUint:
    case FieldType::kInt:
    case FieldType::kDuration:
    case FieldType::kHex:
    case FieldType::kDevice:
      return ValueType::kNumber;
  }
  return ValueType::kNumber;
}

absl::StatusOr<MatchProgram> CompileRules(const RuleSet& rules) {
  MatchProgram program;
  Compiler compiler(&program);
  for (const Rule& rule : rules.rules) {
    const auto root = static_cast<uint32_t>(program.nodes.size());
    program.nodes.emplace_back();
    program.roots.push_back(root);
    if (const absl::Status status = compiler.Compile(rule.when, root, 0); !status.ok()) {
      // The reason alone does not say which of thousands of rules it is.
      return absl::Status(status.code(), fmt::format("rule \"{}\": {}", rule.name,
                                                     std::string_view(status.message().data(),
                                                                      status.message().size())));
    }
  }
  for (const uint32_t root : program.roots) {
    if (!IsCondition(program.nodes[root])) return Malformed("a rule that is no condition");
  }
  int instructions_left = kMaxInstructions;
  for (FieldPatterns& group : program.groups) {
    RETURN_IF_ERROR(group.regexes.Compile(&instructions_left));
  }
  return program;
}

}  // namespace kentry
