// SPDX-License-Identifier: Apache-2.0
// Text of rules for people and for JSON.
#ifndef KENTRY_RULES_MODEL_EXPR_TEXT_H_
#define KENTRY_RULES_MODEL_EXPR_TEXT_H_

#include <string>
#include <string_view>

#include "rules/model/expr.h"

namespace kentry {

// Bytes at which ExprText stops.
inline constexpr size_t kMaxExprText = 200;

// The condition as one could have written it, with macros and lists expanded; what is long is cut,
// and says "...". Safe for a terminal. Any thread.
std::string ExprText(const Expr& expr);

// The bytes as a JSON string, quotes included; bytes that are not UTF-8 as the text \xNN. Any
// thread.
std::string JsonString(std::string_view bytes);

}  // namespace kentry

#endif  // KENTRY_RULES_MODEL_EXPR_TEXT_H_
