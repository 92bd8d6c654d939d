// SPDX-License-Identifier: Apache-2.0
#include "rules/model/expr_text.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <utility>

#include "fmt/format.h"
#include "sensor/event/field_table.h"
#include "sensor/util/terminal.h"

namespace kentry {
namespace {

constexpr size_t kMaxValues = 4;      // of a list
constexpr size_t kMaxTextValue = 64;  // bytes of a string

class Writer {
 public:
  void Write(const Expr& expr);
  std::string Take() { return std::move(text_); }

 private:
  bool Full() const { return text_.size() >= kMaxExprText; }
  void Add(std::string_view text) { text_ += text; }
  void Joined(const Expr& expr, std::string_view by);
  void Inner(const Expr& expr);
  void Value(const Literal& value);
  void Values(const Expr& expr);
  void Operator(const Expr& expr, std::string_view op);
  void Method(const Expr& expr, std::string_view name);
  void Negation(const Expr& expr);
  void Membership(const Expr& expr);
  void Exists(const Expr& expr);

  std::string text_;
};

void Writer::Value(const Literal& value) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    Add(*flag ? "true" : "false");
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    const bool cut = text->size() > kMaxTextValue;
    Add(fmt::format("\"{}{}\"", TerminalText(std::string_view(*text).substr(0, kMaxTextValue)),
                    cut ? "..." : ""));
  } else if (const absl::int128* number = std::get_if<absl::int128>(&value)) {
    std::ostringstream digits;
    digits << *number;
    Add(digits.str());
  } else {
    Add("ADDRESS");
  }
}

void Writer::Values(const Expr& expr) {
  if (expr.values.size() == 1 && expr.op != ExprOp::kIn) return Value(expr.values.front());
  Add("[");
  for (size_t i = 0; i < expr.values.size() && i < kMaxValues; ++i) {
    if (i > 0) Add(", ");
    Value(expr.values[i]);
  }
  if (expr.values.size() > kMaxValues) {
    Add(fmt::format(", ... {} more", expr.values.size() - kMaxValues));
  }
  Add("]");
}

void Writer::Inner(const Expr& expr) {
  const bool group = expr.op == ExprOp::kAnd || expr.op == ExprOp::kOr;
  if (group) Add("(");
  Write(expr);
  if (group) Add(")");
}

void Writer::Joined(const Expr& expr, std::string_view by) {
  for (size_t i = 0; i < expr.args.size(); ++i) {
    if (i > 0) Add(by);
    if (Full()) return Add("...");
    Inner(expr.args[i]);
  }
}

void Writer::Operator(const Expr& expr, std::string_view op) {
  if (expr.args.empty()) return;
  Inner(expr.args[0]);
  Add(op);
  if (expr.args.size() > 1) return Inner(expr.args[1]);
  Values(expr);
}

void Writer::Method(const Expr& expr, std::string_view name) {
  if (expr.args.empty()) return;
  Inner(expr.args[0]);
  Add(name);
  Values(expr);
  Add(")");
}

struct Spelling {
  ExprOp op;
  std::string_view text;
};
constexpr Spelling kInfix[] = {
    {ExprOp::kEqual, " == "},  {ExprOp::kLess, " < "},          {ExprOp::kLessEqual, " <= "},
    {ExprOp::kGreater, " > "}, {ExprOp::kGreaterEqual, " >= "}, {ExprOp::kIn, " in "},
};
constexpr Spelling kMethods[] = {
    {ExprOp::kStartsWith, ".startsWith("}, {ExprOp::kEndsWith, ".endsWith("},
    {ExprOp::kContains, ".contains("},     {ExprOp::kMatches, ".matches("},
    {ExprOp::kHasAll, ".hasAll("},         {ExprOp::kHasAny, ".hasAny("},
    {ExprOp::kInPrefix, ".inAny("},
};

// "" when it is none of them.
std::string_view SpellingOf(ExprOp op, std::span<const Spelling> spellings) {
  for (const Spelling& spelling : spellings) {
    if (spelling.op == op) return spelling.text;
  }
  return "";
}

void Writer::Write(const Expr& expr) {
  if (Full()) return Add("...");
  const std::string_view infix = SpellingOf(expr.op, kInfix);
  if (!infix.empty()) return Operator(expr, infix);
  const std::string_view name = SpellingOf(expr.op, kMethods);
  if (!name.empty()) return Method(expr, name);
  switch (expr.op) {
    case ExprOp::kTrue:
      return Add("true");
    case ExprOp::kFalse:
      return Add("false");
    case ExprOp::kLiteral:
      return Values(expr);
    case ExprOp::kField:
      if (!expr.ancestor) return Add(GetField(expr.field).name);
      return Add(fmt::format("a.{}", GetField(expr.field).key));
    case ExprOp::kElement:
      return Add("a");
    case ExprOp::kIndex:
      Joined(expr, "");
      return Add(fmt::format("[{}]", expr.index));
    case ExprOp::kSize:
    case ExprOp::kHas:
      Add(expr.op == ExprOp::kSize ? "size(" : "has(");
      Joined(expr, "");
      return Add(")");
    case ExprOp::kAnd:
      return Joined(expr, " && ");
    case ExprOp::kOr:
      return Joined(expr, " || ");
    case ExprOp::kNot:
      return Negation(expr);
    case ExprOp::kHasElement:
    case ExprOp::kMarked:
      return Membership(expr);
    case ExprOp::kAnyElement:
    case ExprOp::kAnyAncestor:
      return Exists(expr);
    case ExprOp::kEqual:
    case ExprOp::kLess:
    case ExprOp::kLessEqual:
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual:
    case ExprOp::kIn:
    case ExprOp::kStartsWith:
    case ExprOp::kEndsWith:
    case ExprOp::kContains:
    case ExprOp::kMatches:
    case ExprOp::kHasAll:
    case ExprOp::kHasAny:
    case ExprOp::kInPrefix:
      return;  // written above
  }
}

void Writer::Negation(const Expr& expr) {
  if (expr.args.size() == 1 && expr.args[0].op == ExprOp::kEqual) {
    return Operator(expr.args[0], " != ");
  }
  Add("!");
  Joined(expr, "");
}

// The language has the list on the right.
void Writer::Membership(const Expr& expr) {
  if (expr.args.size() > 1) {
    Inner(expr.args[1]);
  } else {
    Values(expr);
  }
  Add(" in ");
  if (expr.op == ExprOp::kMarked) return Add(GetField(FieldId::kProcessMarks).name);
  if (!expr.args.empty()) Inner(expr.args[0]);
}

void Writer::Exists(const Expr& expr) {
  if (expr.args.empty()) return;
  if (expr.op == ExprOp::kAnyAncestor) {
    Add("ancestors");
  } else {
    Inner(expr.args[0]);
  }
  Add(".exists(a, ");
  Write(expr.args.back());
  Add(")");
}

}  // namespace

std::string ExprText(const Expr& expr) {
  Writer writer;
  writer.Write(expr);
  return writer.Take();
}

std::string JsonString(std::string_view bytes) {
  std::string text = "\"";
  while (!bytes.empty()) {
    const CodePoint point = DecodeUtf8(bytes);
    const std::string_view raw = bytes.substr(0, point.size);
    if (!point.valid) {
      for (const char byte : raw) {
        text += fmt::format("\\\\x{:02x}", static_cast<uint8_t>(byte));
      }
    } else if (point.value == '"' || point.value == '\\') {
      text += '\\';
      text += raw;
    } else if (point.value < 0x20 || point.value == 0x7f) {
      text += fmt::format("\\u{:04x}", static_cast<uint32_t>(point.value));
    } else {
      text += raw;
    }
    bytes.remove_prefix(point.size);
  }
  return text + "\"";
}

}  // namespace kentry
