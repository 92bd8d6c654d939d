// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/contradiction.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rules/parse/expr_same.h"

namespace kentry {
namespace {

using absl::int128;

// How many pairs of constants are tried for one value: bounds the time that long lists take.
constexpr size_t kMaxPairs = 100000;

bool HoldsText(const Expr& test, std::string_view text) {
  return std::any_of(test.values.begin(), test.values.end(), [&](const Literal& literal) {
    const std::string_view value = std::get<std::string>(literal);
    if (test.op == ExprOp::kStartsWith) return text.starts_with(value);
    if (test.op == ExprOp::kEndsWith) return text.ends_with(value);
    if (test.op == ExprOp::kContains) return text.find(value) != std::string_view::npos;
    return text == value;
  });
}

// Whether a string can begin in one of both ways.
bool PrefixesMeet(const Expr& a, const Expr& b) {
  for (const Literal& left : a.values) {
    for (const Literal& right : b.values) {
      const std::string_view one = std::get<std::string>(left);
      const std::string_view two = std::get<std::string>(right);
      if (one.starts_with(two) || two.starts_with(one)) return true;
    }
  }
  return false;
}

bool SuffixesMeet(const Expr& a, const Expr& b) {
  for (const Literal& left : a.values) {
    for (const Literal& right : b.values) {
      const std::string_view one = std::get<std::string>(left);
      const std::string_view two = std::get<std::string>(right);
      if (one.ends_with(two) || two.ends_with(one)) return true;
    }
  }
  return false;
}

bool IsTextTest(ExprOp op) {
  return op == ExprOp::kEqual || op == ExprOp::kIn || op == ExprOp::kStartsWith ||
         op == ExprOp::kEndsWith || op == ExprOp::kContains;
}

// Longest text that the value can hold; for fields of a fixed room.
size_t Room(const Expr& value) {
  if (value.op != ExprOp::kField) return std::numeric_limits<size_t>::max();
  const Place& place = GetField(value.field).place;
  return place.inline_text ? place.size - size_t{1} : std::numeric_limits<size_t>::max();
}

// The positive == or in with the fewest texts; nullptr when there is none.
const Expr* NarrowestChoice(std::span<const Atom> atoms) {
  const Expr* exact = nullptr;
  for (const Atom& atom : atoms) {
    const bool is = atom.expr->op == ExprOp::kEqual || atom.expr->op == ExprOp::kIn;
    if (!is || atom.negated) continue;
    if (exact == nullptr || atom.expr->values.size() < exact->values.size()) exact = atom.expr;
  }
  return exact;
}

// Two positive conditions whose beginnings or ends can't be those of one text.
bool EndsContradict(const Atom& one, const Atom& other) {
  const Expr& a = *one.expr;
  const Expr& b = *other.expr;
  if (one.negated || other.negated || a.op != b.op) return false;
  return (a.op == ExprOp::kStartsWith && !PrefixesMeet(a, b)) ||
         (a.op == ExprOp::kEndsWith && !SuffixesMeet(a, b));
}

bool StringsContradict(const Expr& value, std::span<const Atom> atoms) {
  // file.path stands for several paths at once: one condition may hold for one, another for
  // another.
  const bool several = value.op == ExprOp::kField && value.field == FieldId::kFilePath;
  const Expr* const exact = NarrowestChoice(atoms);
  size_t tests = 0;
  for (const Atom& atom : atoms) tests += atom.expr->values.size();
  if (exact != nullptr) {
    if (exact->values.size() * tests > kMaxPairs) return false;
    return std::none_of(exact->values.begin(), exact->values.end(), [&](const Literal& literal) {
      const std::string_view text = std::get<std::string>(literal);
      return text.size() <= Room(value) &&
             std::all_of(atoms.begin(), atoms.end(), [&](const Atom& atom) {
               if (several && !atom.negated) return true;
               return HoldsText(*atom.expr, text) != atom.negated;
             });
    });
  }
  if (several || tests * tests > kMaxPairs) return false;
  for (size_t i = 0; i < atoms.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (EndsContradict(atoms[i], atoms[j])) return true;
    }
  }
  return false;
}

int128 LowestOf(const Expr& value) {
  const bool is_signed =
      value.op == ExprOp::kField && GetField(value.field).type == FieldType::kInt;
  return is_signed ? int128(std::numeric_limits<int64_t>::min()) : int128(0);
}

int128 HighestOf(const Expr& value) {
  const bool is_signed =
      value.op == ExprOp::kField && GetField(value.field).type == FieldType::kInt;
  if (is_signed) return int128(std::numeric_limits<int64_t>::max());
  const size_t bytes = value.op == ExprOp::kField ? GetField(value.field).place.size : 0;
  if (bytes > 0 && bytes < 8) return (int128(1) << static_cast<int>(8 * bytes)) - 1;
  return int128(std::numeric_limits<uint64_t>::max());
}

int128 NumberOf(const Literal& literal) {
  const auto* const number = std::get_if<int128>(&literal);
  return number == nullptr ? int128(0) : *number;
}

bool IsNumberTest(ExprOp op) {
  return op == ExprOp::kEqual || op == ExprOp::kIn || op == ExprOp::kLess ||
         op == ExprOp::kLessEqual || op == ExprOp::kGreater || op == ExprOp::kGreaterEqual;
}

bool HoldsNumber(const Expr& test, int128 number) {
  return std::any_of(test.values.begin(), test.values.end(), [&](const Literal& literal) {
    const int128 value = NumberOf(literal);
    if (test.op == ExprOp::kLess) return number < value;
    if (test.op == ExprOp::kLessEqual) return number <= value;
    if (test.op == ExprOp::kGreater) return number > value;
    if (test.op == ExprOp::kGreaterEqual) return number >= value;
    return number == value;
  });
}

// Whether a satisfying number exists is settled by the constants and their neighbours: between two
// of those nothing changes.
bool NumbersContradict(const Expr& value, std::span<const Atom> atoms) {
  const int128 lowest = LowestOf(value);
  const int128 highest = HighestOf(value);
  std::vector<int128> tries = {lowest, highest};
  size_t tests = 0;
  for (const Atom& atom : atoms) tests += atom.expr->values.size();
  if (tests * tests * 3 > kMaxPairs) return false;
  for (const Atom& atom : atoms) {
    for (const Literal& literal : atom.expr->values) {
      const int128 number = NumberOf(literal);
      tries.insert(tries.end(), {number - 1, number, number + 1});
    }
  }
  return std::none_of(tries.begin(), tries.end(), [&](int128 number) {
    return number >= lowest && number <= highest &&
           std::all_of(atoms.begin(), atoms.end(), [&](const Atom& atom) {
             return HoldsNumber(*atom.expr, number) != atom.negated;
           });
  });
}

// The same condition once as it is and once negated.
bool OppositesMeet(std::span<const Atom> atoms) {
  std::unordered_multimap<size_t, const Expr*> negated;
  for (const Atom& atom : atoms) {
    if (atom.negated) negated.emplace(HashExpr(*atom.expr), atom.expr);
  }
  if (negated.empty()) return false;
  for (const Atom& atom : atoms) {
    if (atom.negated) continue;
    const auto [begin, end] = negated.equal_range(HashExpr(*atom.expr));
    for (auto it = begin; it != end; ++it) {
      if (SameExpr(*it->second, *atom.expr)) return true;
    }
  }
  return false;
}

bool IsComparison(const Expr& expr) {
  return expr.args.size() == 1 && !expr.values.empty() &&
         (IsTextTest(expr.op) || IsNumberTest(expr.op));
}

}  // namespace

bool Contradict(std::span<const Atom> atoms) {
  if (OppositesMeet(atoms)) return true;
  // Atoms by the value that they compare; equal hashes are told apart below.
  std::unordered_map<size_t, std::vector<Atom>> by_value;
  for (const Atom& atom : atoms) {
    if (IsComparison(*atom.expr)) by_value[HashExpr(atom.expr->args[0])].push_back(atom);
  }
  for (auto& [hash, group] : by_value) {
    const Expr& value = group[0].expr->args[0];
    std::erase_if(group,
                  [&value](const Atom& atom) { return !SameExpr(atom.expr->args[0], value); });
    if (value.type == ValueType::kString && StringsContradict(value, group)) return true;
    if (value.type == ValueType::kNumber && NumbersContradict(value, group)) return true;
  }
  return false;
}

}  // namespace kentry
