// SPDX-License-Identifier: Apache-2.0
// The marks of a rule set, and where a test of one can be decided.
#ifndef KENTRY_RULES_COMPILE_MARKS_H_
#define KENTRY_RULES_COMPILE_MARKS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/model/rule_set.h"

namespace kentry {

struct MarkInfo {
  std::string name;
  // A rule sets it on an event that the kernel doesn't judge: user space alone hears of it.
  bool set_outside = false;
  bool ends = false;        // a rule gives it a lifetime
  uint64_t lifetime_s = 0;  // the longest; 0 = a rule sets it for as long as the process lives
};

// Where a test of a mark is decided.
enum class MarkTest : uint8_t {
  // The kernel leaves out what can't hold; user space, which sees events in their order and knows
  // what was uncertain, finishes.
  kPartly,
  kTooMany,     // the kernel has no room for the mark, or for one more test
  kSetOutside,  // the kernel doesn't see every event that sets it
  kEnds,        // that a process is unmarked may be so because the mark's lifetime is over
};

// Where a test whether a process carries the mark is decided, or, `negated`, whether it doesn't.
// `mark` nullptr: the kernel doesn't have it.
//
// What the kernel keeps of a mark holds at least as often as the mark: it is set whenever a clause
// may hold. So a test for it leaves out rightly, as long as each event that sets it comes by the
// kernel. For a negated test it keeps of which processes the mark is certain, which is less than
// the truth; only an end that the kernel doesn't follow could make it more.
MarkTest DecideMark(const MarkInfo* mark, bool negated);
// Why not in the kernel; "" for kPartly.
std::string_view WhyNot(MarkTest test);

// The marks of the enabled rules, at most KE_MARKS_MAX, those that conditions on the kernel's
// classes test before those that are only set. Of the first as many are tested in the kernel as
// KE_MARK_TESTS_MAX tests allow. Immutable.
class MarkList {
 public:
  explicit MarkList(const RuleSet& rules);
  MarkList() = default;

  const std::vector<MarkInfo>& marks() const { return marks_; }
  // Place in marks(), or marks().size().
  size_t Find(std::string_view name) const;
  // The mark if the kernel tests it, or nullptr.
  const MarkInfo* Tested(std::string_view name) const;
  // Marks that rules set and that have no place.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  std::vector<MarkInfo> marks_;
  size_t tested_ = 0;  // the first of marks_
  std::vector<std::string> left_out_;
};

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_MARKS_H_
