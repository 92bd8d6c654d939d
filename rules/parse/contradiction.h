// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_CONTRADICTION_H_
#define KENTRY_RULES_PARSE_CONTRADICTION_H_

#include <span>

#include "rules/model/expr.h"

namespace kentry {

// A comparison, or its negation.
struct Atom {
  const Expr* expr = nullptr;
  bool negated = false;
};

// Whether the atoms can't hold all at once: no value of one of the fields they ask for satisfies
// those on it. false = none was found. Any thread.
bool Contradict(std::span<const Atom> atoms);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_CONTRADICTION_H_
