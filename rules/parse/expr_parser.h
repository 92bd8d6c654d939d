// SPDX-License-Identifier: Apache-2.0
// A condition's text as a tree, before anything is known of names and types.
#ifndef KENTRY_RULES_PARSE_EXPR_PARSER_H_
#define KENTRY_RULES_PARSE_EXPR_PARSER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "rules/model/source.h"
#include "rules/parse/lexer.h"
#include "rules/parse/source_text.h"

namespace kentry {

enum class AstKind : uint8_t {
  kBool,     // number
  kNumber,   // number, unit
  kString,   // text
  kList,     // args
  kName,     // text: "shells", "process.binary"
  kNot,      // args[0]
  kAnd,      // args, two or more
  kOr,       // args, two or more
  kCompare,  // op; args[0] and args[1]
  kIn,       // args[0] in args[1]
  kCall,     // text(args…); with `method` args[0].text(args[1]…)
  kIndex,    // args[0][number]
  kMask,     // args joined by |
};

struct Ast {
  AstKind kind = AstKind::kBool;
  TokenKind op = TokenKind::kEnd;
  NumberUnit unit = NumberUnit::kNone;
  bool method = false;
  SourcePos at;
  size_t begin = 0;  // bytes of the text
  size_t end = 0;
  absl::int128 number = 0;
  std::string text;
  std::vector<Ast> args;
};

// Parses a condition. Places in the tree are places in the file, by `map`. On failure says so in
// `*error` and returns nothing. Any thread.
std::optional<Ast> ParseCondition(std::string_view text, const ScalarMap& map, TextError* error);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_EXPR_PARSER_H_
