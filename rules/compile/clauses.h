// SPDX-License-Identifier: Apache-2.0
// A rule's condition as clauses: conjunctions of comparisons that the kernel can make. What it
// can't make is left out of a clause, which then says more than the rule: user space finishes it.
#ifndef KENTRY_RULES_COMPILE_CLAUSES_H_
#define KENTRY_RULES_COMPILE_CLAUSES_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/rules.h"
#include "rules/compile/marks.h"
#include "rules/model/rule_set.h"

namespace kentry {

// What every match of a regular expression begins and ends with; "" = nothing is known.
struct PatternEnds {
  std::string prefix;
  std::string suffix;
};
using PatternEndsFunction = std::function<PatternEnds(std::string_view pattern)>;

// One comparison that the kernel makes.
struct KernelCondition {
  enum class Kind : uint8_t {
    kExact,
    kPrefix,
    kSuffix,
    kNumber,
    kTest,
    kCgroup,
    kAccess,
    kAddress
  };
  enum class Subject : uint8_t { kOwn, kParent, kFile, kNewFile };

  Kind kind = Kind::kExact;
  Subject subject = Subject::kOwn;   // kExact, kPrefix, kSuffix
  bool negated = false;              // it must not hold
  ke_number number = KE_NUM_UID;     // kNumber
  ke_test test{};                    // kTest
  uint32_t access = 0;               // kAccess: KE_FILE_*, KE_CHANGE_* or KE_DEED_* bits, any
  std::vector<std::string> strings;  // kExact, kPrefix, kSuffix: any of them; sorted
  const Expr* expr = nullptr;        // kNumber, kCgroup, a pattern's end: the comparison itself
  bool hint = false;                 // a pattern's literal end: user space finishes it
  ke_address_place place = KE_ADDRESS_REMOTE;  // kAddress
  std::vector<ke_address_key> networks;        // kAddress: in any of them; sorted by AddressLess
};

struct Clause {
  uint32_t rule = 0;    // index in the rule set
  uint32_t change = 0;  // enum ke_change_kind, of a clause of KE_RC_CHANGE
  bool exact = true;    // the conditions are the whole of it: nothing left for user space
  std::vector<KernelCondition> conditions;
};

// Where a comparison of a rule is decided.
enum class DecidedIn : uint8_t {
  kProcess,  // in the kernel, once a process (exec, change of credentials or container)
  kEvent,    // in the kernel, at each event
  kPartly,   // in the kernel as far as it goes (a literal prefix of an expression), then outside
  kUserSpace,
};
struct Decision {
  const Expr* expr = nullptr;
  DecidedIn where = DecidedIn::kUserSpace;
  std::string_view why;  // kUserSpace, where it isn't the comparison's nature
};

struct RulePlan {
  std::vector<Clause> clauses;
  std::vector<Decision> decisions;  // one for each comparison, in the order of the text
  bool kernel_decides = false;      // each clause has a condition: not every event comes up
};

// More clauses than this a rule has its widest alternatives left to user space.
inline constexpr size_t kClausesPerRule = 64;

// The kernel's class for an event class; nothing for those that user space judges alone.
std::optional<ke_rule_class> KernelClass(EventClass cls);

// The classes of the kernel that have clauses of their own.
inline constexpr ke_rule_class kRuledClasses[] = {KE_RC_EXEC,   KE_RC_OPEN,   KE_RC_CHANGE,
                                                  KE_RC_PTRACE, KE_RC_SIGNAL, KE_RC_BPF};

// KE_RC_CHANGE's clauses as conditions on the new name, for KE_RC_CHANGE_TO: the same numbers, and
// nothing in them but what is asked of that name. Empty when nothing is.
std::vector<Clause> NewNameClauses(const std::vector<Clause>& changes);

// `rule` must be of a class that has a kernel class; `index` is its place in its set, `marks` are
// the set's. The plan refers to the rule's expressions.
RulePlan PlanRule(const Rule& rule, uint32_t index, const PatternEndsFunction& ends,
                  const MarkList& marks);

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_CLAUSES_H_
