// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/expr_same.h"

#include <functional>
#include <string_view>
#include <type_traits>

namespace kentry {
namespace {

size_t Mix(size_t seed, size_t value) {
  return (seed ^ value) * 0x9e3779b97f4a7c15u + (seed >> 29);
}

size_t HashLiteral(const Literal& literal) {
  return std::visit(
      [](const auto& value) -> size_t {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return std::hash<std::string_view>()(value);
        } else if constexpr (std::is_same_v<T, IpPrefix>) {
          return std::hash<std::string_view>()(
              {reinterpret_cast<const char*>(value.address.data()), value.address.size()});
        } else {
          return static_cast<size_t>(static_cast<uint64_t>(value));
        }
      },
      literal);
}

}  // namespace

bool SameExpr(const Expr& a, const Expr& b) {
  if (a.op != b.op || a.field != b.field || a.ancestor != b.ancestor || a.index != b.index ||
      a.values != b.values || a.args.size() != b.args.size()) {
    return false;
  }
  for (size_t i = 0; i < a.args.size(); ++i) {
    if (!SameExpr(a.args[i], b.args[i])) return false;
  }
  return true;
}

size_t HashExpr(const Expr& expr) {
  size_t hash = Mix(static_cast<size_t>(expr.op), static_cast<size_t>(expr.field));
  hash = Mix(hash, expr.index * 2 + (expr.ancestor ? 1 : 0));
  for (const Literal& value : expr.values) hash = Mix(hash, HashLiteral(value));
  for (const Expr& arg : expr.args) hash = Mix(hash, HashExpr(arg));
  return hash;
}

}  // namespace kentry
