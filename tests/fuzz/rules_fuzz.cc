// SPDX-License-Identifier: Apache-2.0
// Any bytes as a rule file: no crash, no hang, places inside of the file; what is right comes out
// as a set whose conditions have the shape that their readers rely on.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "rules/parse/load.h"
#include "rules/parse/report.h"

namespace {

using kentry::Expr;
using kentry::ExprOp;

constexpr size_t kMaxBytes = 4096;
constexpr int kMaxDepth = 80;

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsComparison(ExprOp op) { return op >= ExprOp::kEqual && op <= ExprOp::kMatches; }

void CheckExpr(const Expr& expr, int depth) {
  Require(depth < kMaxDepth);
  const size_t args = expr.args.size();
  if (expr.op == ExprOp::kAnd || expr.op == ExprOp::kOr) {
    Require(args >= 2);
    for (const Expr& arg : expr.args) Require(arg.op != expr.op);
  } else if (expr.op == ExprOp::kNot) {
    Require(args == 1);
  } else if (IsComparison(expr.op)) {
    Require((args == 1 && !expr.values.empty()) || (args == 2 && expr.values.empty()));
    Require(expr.args[0].op != ExprOp::kLiteral);
  } else if (expr.op == ExprOp::kField) {
    Require(expr.field != kentry::FieldId::kInvalid);
  }
  for (const Expr& arg : expr.args) CheckExpr(arg, depth + 1);
}

void CheckPlaces(std::string_view text, const kentry::LoadResult& result) {
  for (const kentry::Diagnostic& each : result.diagnostics.all()) {
    Require(each.at.file == 0 && !each.message.empty());
    if (each.at.line == 0) continue;
    size_t start = 0;
    for (uint32_t line = 1; line < each.at.line; ++line) {
      start = text.find('\n', start);
      Require(start != std::string_view::npos);
      ++start;
    }
    Require(each.at.column >= 1 && start + each.at.column - 1 <= text.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kMaxBytes) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const kentry::LoadResult result = kentry::ParseRules({{.name = "fuzz.yaml", .text = text}});
  Require((result.rules == nullptr) == (result.diagnostics.errors() > 0));
  CheckPlaces(text, result);
  for (const kentry::Rule& rule : result.readable->rules) CheckExpr(rule.when, 0);
  const std::string report =
      kentry::FormatDiagnostics(result.readable->files, result.diagnostics, false);
  for (const char c : report) Require(c == '\n' || static_cast<uint8_t>(c) >= 0x20);
  kentry::DiagnosticsJson(result.readable->files, result.diagnostics);
  return 0;
}
