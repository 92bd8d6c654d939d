// SPDX-License-Identifier: Apache-2.0
// Decides whether an event meets a rule's condition. It is the reference for the kernel's filter,
// and it finishes what the kernel can't decide.
#ifndef KENTRY_RULES_MATCH_EVALUATOR_H_
#define KENTRY_RULES_MATCH_EVALUATOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "rules/match/event_fields.h"
#include "rules/match/truth.h"
#include "rules/model/rule_set.h"

namespace kentry {

// The conditions of one rule set, compiled. One thread.
//
// Meaning. A field that the event doesn't carry has its type's zero value; a value that is not
// known (EventFields::IsUnknown) makes its comparison unknown. A condition on file.path also holds
// when it holds for one of file.aliases. Regular expressions are RE2's, unanchored; they see bytes
// (Latin-1), so that a path that is not UTF-8 can be matched; `.` doesn't match a newline, `$` is
// the end of the value only.
//
// Cost. Evaluate allocates nothing once the automata of the regular expressions have grown to what
// the events need, up to their limit; a regular expression that matches makes RE2 allocate its list
// of results. It takes no lock but RE2's own, which nobody else wants. All patterns on one field
// run together, at most once an event, and only when a condition asks.
class Evaluator {
 public:
  struct Counters {
    uint64_t evaluations = 0;   // calls of Evaluate
    uint64_t pattern_sets = 0;  // runs of a field's patterns over one text
    // Runs in which RE2 had too little memory for the patterns together; each pattern was tried on
    // its own then, so the result is right and only slower.
    uint64_t sets_out_of_memory = 0;
  };

  // Compiles all rules, the disabled ones too. Error: a pattern that RE2 refuses or patterns that
  // need too much memory (rules that passed CheckRegexes have none), or a condition that compares
  // what can't be compared.
  static absl::StatusOr<std::unique_ptr<Evaluator>> Create(std::shared_ptr<const RuleSet> rules);

  ~Evaluator();

  // Turns to another event. Both must outlive the calls of Evaluate for it; `ancestors` may be
  // nullptr: the process has none.
  void BeginEvent(const EventFields* event, const AncestorSource* ancestors);
  // Whether the event meets the condition of rules().rules[rule_index]. Only the condition counts:
  // not `on`, not `enabled`. After BeginEvent.
  Truth Evaluate(size_t rule_index);

  const RuleSet& rules() const;
  const Counters& counters() const;

 private:
  class Impl;
  explicit Evaluator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kentry

#endif  // KENTRY_RULES_MATCH_EVALUATOR_H_
