// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/expr_parser.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

// Recursive descent; every production returns false once something is wrong.
class Parser {
 public:
  Parser(std::string_view text, const ScalarMap& map, TextError* error)
      : text_(text), map_(map), error_(error) {}

  std::optional<Ast> Parse() {
    if (auto error = SplitTokens(text_, &tokens_)) {
      *error_ = std::move(*error);
      return std::nullopt;
    }
    if (Peek().kind == TokenKind::kEnd) {
      Fail("a condition is empty", "write true for a rule that always holds");
      return std::nullopt;
    }
    Ast ast;
    if (!Or(&ast)) return std::nullopt;
    if (Peek().kind != TokenKind::kEnd) {
      FailTrailing();
      return std::nullopt;
    }
    return ast;
  }

 private:
  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool Take(TokenKind kind) {
    if (Peek().kind != kind) return false;
    ++at_;
    return true;
  }

  bool Fail(std::string message, std::string hint = "") {
    return Fail(Peek().begin, Peek().end, std::move(message), std::move(hint));
  }
  bool Fail(size_t begin, size_t end, std::string message, std::string hint = "") {
    *error_ = {begin, end, std::move(message), std::move(hint)};
    return false;
  }

  std::string Found() const {
    const Token& token = Peek();
    if (token.kind == TokenKind::kEnd) return "the condition ends";
    return fmt::format("{} stands", Shown(text_.substr(token.begin, token.end - token.begin), 32));
  }

  void FailTrailing() {
    const Token& token = Peek();
    if (token.kind == TokenKind::kRightParen) {
      Fail("\")\" closes nothing");
    } else if (token.kind == TokenKind::kPipe) {
      Fail("\"|\" joins masks in hasAll() and hasAny() only", "write || for or");
    } else if (token.kind == TokenKind::kName) {
      Fail(fmt::format("{} where an operator is expected", Found()),
           "operators are == != < <= > >= in && ||");
    } else {
      Fail(fmt::format("{} where the condition should end", Found()));
    }
  }

  bool Expect(TokenKind kind, std::string_view after) {
    if (Take(kind)) return true;
    return Fail(fmt::format("{} where \"{}\" is expected {}", Found(), TokenText(kind), after));
  }

  // Completes a node that starts at token `first` and ends with the last token taken.
  bool Finish(size_t begin, Ast* ast) {
    // Items of lists have a limit of their own.
    if (ast->kind != AstKind::kString && ast->kind != AstKind::kNumber &&
        ++nodes_ > kMaxConditionNodes) {
      return Fail(begin, begin + 1,
                  fmt::format("the condition has more than {} parts", kMaxConditionNodes),
                  "use lists, or several rules");
    }
    ast->begin = begin;
    ast->end = tokens_[at_ - 1].end;
    ast->at = map_.At(ast->begin, ast->end);
    return true;
  }

  bool Deeper() {
    if (++depth_ <= kMaxConditionDepth) return true;
    return Fail(fmt::format("the condition nests deeper than {} levels", kMaxConditionDepth));
  }

  bool Or(Ast* out) { return Joined(TokenKind::kOr, AstKind::kOr, &Parser::And, out); }
  bool And(Ast* out) { return Joined(TokenKind::kAnd, AstKind::kAnd, &Parser::Relation, out); }

  bool Joined(TokenKind sign, AstKind kind, bool (Parser::*part)(Ast*), Ast* out) {
    const size_t begin = Peek().begin;
    if (!(this->*part)(out)) return false;
    if (Peek().kind != sign) return true;
    Ast joined;
    joined.kind = kind;
    joined.args.push_back(std::move(*out));
    while (Take(sign)) {
      Ast next;
      if (!(this->*part)(&next)) return false;
      joined.args.push_back(std::move(next));
    }
    *out = std::move(joined);
    return Finish(begin, out);
  }

  static bool IsRelation(TokenKind kind) {
    return kind >= TokenKind::kEqual && kind <= TokenKind::kIn;
  }

  bool Relation(Ast* out) {
    const size_t begin = Peek().begin;
    if (!Unary(out)) return false;
    if (!IsRelation(Peek().kind)) return true;
    const TokenKind op = Peek().kind;
    ++at_;
    Ast right;
    if (!Unary(&right)) return false;
    if (IsRelation(Peek().kind)) {
      return Fail("comparisons can't be chained", "join them with &&: a < b && b < c");
    }
    Ast relation;
    relation.kind = op == TokenKind::kIn ? AstKind::kIn : AstKind::kCompare;
    relation.op = op;
    relation.args.push_back(std::move(*out));
    relation.args.push_back(std::move(right));
    *out = std::move(relation);
    return Finish(begin, out);
  }

  bool Unary(Ast* out) {
    const size_t begin = Peek().begin;
    if (!Take(TokenKind::kNot)) return Postfix(out);
    if (!Deeper()) return false;
    Ast inner;
    if (!Unary(&inner)) return false;
    --depth_;
    out->kind = AstKind::kNot;
    out->args.push_back(std::move(inner));
    return Finish(begin, out);
  }

  bool Postfix(Ast* out) {
    const size_t begin = Peek().begin;
    if (!Primary(out)) return false;
    // Bounds the chain a.b().c()…, which nests like parentheses.
    const int depth = depth_;
    while (true) {
      if (Take(TokenKind::kDot)) {
        if (!Deeper() || !Member(begin, out)) return false;
      } else if (Take(TokenKind::kLeftBracket)) {
        if (!Deeper() || !Subscript(begin, out)) return false;
      } else {
        break;
      }
    }
    depth_ = depth;
    return true;
  }

  // Behind the dot: a part of a dotted name, or a method.
  bool Member(size_t begin, Ast* out) {
    if (Peek().kind != TokenKind::kName && Peek().kind != TokenKind::kIn) {
      return Fail(fmt::format("{} where a name is expected after \".\"", Found()));
    }
    std::string name = Peek().kind == TokenKind::kIn ? "in" : Peek().text;
    ++at_;
    if (Peek().kind == TokenKind::kLeftParen) {
      Ast call;
      call.kind = AstKind::kCall;
      call.method = true;
      call.text = std::move(name);
      call.args.push_back(std::move(*out));
      *out = std::move(call);
      return Arguments(out) && Finish(begin, out);
    }
    if (out->kind != AstKind::kName) {
      return Fail(tokens_[at_ - 1].begin, tokens_[at_ - 1].end,
                  fmt::format("{} is no part of a name here", Shown(name)),
                  "methods are called with parentheses: x.startsWith(\"…\")");
    }
    out->text += "." + name;
    return Finish(begin, out);
  }

  bool Subscript(size_t begin, Ast* out) {
    if (Peek().kind != TokenKind::kNumber || Peek().number < 0 || Peek().number > 65535 ||
        Peek().unit != NumberUnit::kNone) {
      return Fail("an index is a number from 0 to 65535");
    }
    Ast index;
    index.kind = AstKind::kIndex;
    index.number = Peek().number;
    ++at_;
    if (!Expect(TokenKind::kRightBracket, "after the index")) return false;
    index.args.push_back(std::move(*out));
    *out = std::move(index);
    return Finish(begin, out);
  }

  // "(" arguments ")"; appended to out->args.
  bool Arguments(Ast* out) {
    if (!Expect(TokenKind::kLeftParen, "before arguments") || !Deeper()) return false;
    while (Peek().kind != TokenKind::kRightParen) {
      Ast argument;
      if (!Argument(&argument)) return false;
      out->args.push_back(std::move(argument));
      if (!Take(TokenKind::kComma)) break;
    }
    --depth_;
    return Expect(TokenKind::kRightParen, "after the arguments");
  }

  bool Argument(Ast* out) {
    const size_t begin = Peek().begin;
    if (!Or(out)) return false;
    if (Peek().kind != TokenKind::kPipe) return true;
    Ast mask;
    mask.kind = AstKind::kMask;
    mask.args.push_back(std::move(*out));
    while (Take(TokenKind::kPipe)) {
      Ast next;
      if (!Postfix(&next)) return false;
      mask.args.push_back(std::move(next));
    }
    *out = std::move(mask);
    return Finish(begin, out);
  }

  bool Primary(Ast* out) {
    const Token& token = Peek();
    if (token.kind == TokenKind::kName) return Name(out);
    if (token.kind == TokenKind::kLeftParen) return Parentheses(out);
    if (token.kind == TokenKind::kLeftBracket) return List(out);
    if (token.kind == TokenKind::kNumber) {
      out->kind = AstKind::kNumber;
      out->number = token.number;
      out->unit = token.unit;
    } else if (token.kind == TokenKind::kString) {
      out->kind = AstKind::kString;
      out->text = token.text;
    } else {
      return Fail(fmt::format("{} where a value is expected", Found()));
    }
    ++at_;
    return Finish(token.begin, out);
  }

  bool Name(Ast* out) {
    const Token& token = Peek();
    ++at_;
    if (token.text == "true" || token.text == "false") {
      out->kind = AstKind::kBool;
      out->number = token.text == "true" ? 1 : 0;
      return Finish(token.begin, out);
    }
    out->text = token.text;
    out->kind = AstKind::kName;
    if (Peek().kind == TokenKind::kLeftParen) {
      out->kind = AstKind::kCall;
      if (!Arguments(out)) return false;
    }
    return Finish(token.begin, out);
  }

  bool Parentheses(Ast* out) {
    const size_t open = at_++;
    if (!Deeper() || !Or(out)) return false;
    --depth_;
    if (Take(TokenKind::kRightParen)) return true;
    if (Peek().kind != TokenKind::kEnd) return Expect(TokenKind::kRightParen, "to close \"(\"");
    return Fail(tokens_[open].begin, tokens_[open].end, "\"(\" is never closed");
  }

  bool List(Ast* out) {
    const size_t open = at_++;
    out->kind = AstKind::kList;
    while (Peek().kind != TokenKind::kRightBracket) {
      Ast item;
      if (Peek().kind == TokenKind::kLeftBracket) return Fail("a list can't hold a list");
      if (!Postfix(&item)) return false;
      if (++items_ > kMaxListItems) {
        return Fail(
            fmt::format("the lists of the condition have more than {} items", kMaxListItems));
      }
      out->args.push_back(std::move(item));
      if (!Take(TokenKind::kComma)) break;
    }
    if (Peek().kind == TokenKind::kEnd) {
      return Fail(tokens_[open].begin, tokens_[open].end, "\"[\" is never closed");
    }
    return Expect(TokenKind::kRightBracket, "after the list") && Finish(tokens_[open].begin, out);
  }

  const std::string_view text_;
  const ScalarMap& map_;
  TextError* const error_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t nodes_ = 0;
  size_t items_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<Ast> ParseCondition(std::string_view text, const ScalarMap& map, TextError* error) {
  return Parser(text, map, error).Parse();
}

}  // namespace kentry
