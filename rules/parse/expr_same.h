// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_EXPR_SAME_H_
#define KENTRY_RULES_PARSE_EXPR_SAME_H_

#include <cstddef>

#include "rules/model/expr.h"

namespace kentry {

// Whether both say the same in the same words; where they stand doesn't count. Any thread.
bool SameExpr(const Expr& a, const Expr& b);
// Equal for expressions that are the same.
size_t HashExpr(const Expr& expr);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_EXPR_SAME_H_
