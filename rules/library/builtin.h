// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_LIBRARY_BUILTIN_H_
#define KENTRY_RULES_LIBRARY_BUILTIN_H_

#include <vector>

#include "rules/model/source.h"

namespace kentry {

// The rule files that are part of the program, in the order of their names ("library/NAME.yaml").
// Any thread.
std::vector<SourceFile> BuiltinRules();

// The hardening set, whose rules deny and kill, likewise ("library/hardening/NAME.yaml"). It stands
// by itself, and shares no name with BuiltinRules, so that it can be put before any rule files.
std::vector<SourceFile> HardeningRules();

}  // namespace kentry

#endif  // KENTRY_RULES_LIBRARY_BUILTIN_H_
