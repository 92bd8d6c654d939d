// SPDX-License-Identifier: Apache-2.0
#include "rules/match/prepare.h"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "rules/match/regex_hints.h"
#include "rules/match/regex_index.h"
#include "sensor/util/terminal.h"

namespace kentry {
namespace {

constexpr size_t kMaxShown = 80;  // bytes of a pattern in a message

std::string Shown(std::string_view text) {
  if (text.size() <= kMaxShown) return TerminalText(text);
  return TerminalText(text.substr(0, kMaxShown)) + "...";
}

class RegexChecker {
 public:
  explicit RegexChecker(Diagnostics* diagnostics) : diagnostics_(*diagnostics) {}

  void Check(const Rule& rule) { Visit(rule.when, fmt::format("rules[{}].when", rule.name)); }

 private:
  void Visit(const Expr& expr, const std::string& path) {
    for (const Expr& arg : expr.args) Visit(arg, path);
    if (expr.op != ExprOp::kMatches) return;
    for (const Literal& value : expr.values) {
      const std::string* pattern = std::get_if<std::string>(&value);
      if (pattern == nullptr) continue;
      // A macro's pattern comes back with every rule that uses the macro.
      if (!said_.emplace(expr.at.file, expr.at.line, expr.at.column, *pattern).second) continue;
      CheckPattern(*pattern, expr.at, path);
    }
  }

  void CheckPattern(const std::string& pattern, const SourcePos& at, const std::string& path) {
    const RE2 compiled(pattern, PatternOptions(kPatternMemory));
    if (!compiled.ok()) {
      return diagnostics_.Error(
          at, path,
          fmt::format("regular expression \"{}\" is refused: {}", Shown(pattern),
                      TerminalText(compiled.error())),
          compiled.error_code() == RE2::ErrorPatternTooLarge
              ? fmt::format("it needs more than {} KiB; use smaller repetitions",
                            kPatternMemory / 1024)
              : "RE2 has no back-references and no look-around");
    }
    const int before = instructions_;
    instructions_ += compiled.ProgramSize();
    if (before <= kMaxInstructions && instructions_ > kMaxInstructions) {
      return diagnostics_.Error(
          at, path,
          fmt::format("the regular expressions up to this one need more than {} instructions",
                      kMaxInstructions),
          "use fewer or shorter ones; lists with in, startsWith, endsWith cost nothing more");
    }
    WarnOfLiteral(pattern, at, path);
  }

  void WarnOfLiteral(const std::string& pattern, const SourcePos& at, const std::string& path) {
    const LiteralRegex literal = LiteralOf(pattern);
    if (!literal.literal) return;
    const std::string text = fmt::format("\"{}\"", Shown(literal.text));
    std::string instead = fmt::format("contains({})", text);
    if (literal.at_start && literal.at_end) {
      instead = fmt::format("== {}", text);
    } else if (literal.at_start) {
      instead = fmt::format("startsWith({})", text);
    } else if (literal.at_end) {
      instead = fmt::format("endsWith({})", text);
    }
    diagnostics_.Warning(at, path,
                         fmt::format("regular expression \"{}\" is a plain text", Shown(pattern)),
                         fmt::format("write {}", instead));
  }

  Diagnostics& diagnostics_;
  std::set<std::tuple<uint32_t, uint32_t, uint32_t, std::string>> said_;
  int instructions_ = 0;
};

}  // namespace

void CheckRegexes(const RuleSet& rules, Diagnostics* diagnostics) {
  RegexChecker checker(diagnostics);
  for (const Rule& rule : rules.rules) checker.Check(rule);
}

}  // namespace kentry
