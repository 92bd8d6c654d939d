// SPDX-License-Identifier: Apache-2.0
// Which place in the kernel's ke_marks a mark has, from one rule set to the next.
#ifndef KENTRY_RULES_COMPILE_MARK_PLACES_H_
#define KENTRY_RULES_COMPILE_MARK_PLACES_H_

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/abi/rules.h"
#include "rules/compile/marks.h"

namespace kentry {

struct MarkPlace {
  uint32_t bit = 0;
  // The kernel has seen all that set the mark, in this rule set and in those before.
  bool all_seen = true;
  // What is certain for the kernel at this place is the mark, and has not ended.
  bool certain = true;
};

// Marks outlive the rule set that set them, and a process is marked while rule sets change. A mark
// keeps its place, so that no moment of a reload, no event judged by the old set and read after the
// new one is in force, and no fork meanwhile needs to be told to anybody: the kernel's entry goes
// on. (Places of their own for each epoch would have to be filled from what user space knows, which
// is behind the kernel by what is in the rings.)
//
// A place whose mark no rule speaks of any more may be given to another one. Processes that carry
// the old mark then seem to carry the new one: for a test that user space finishes, that is too
// much, never too little. Of marks that lost their place the kernel doesn't know all carriers.
// One thread.
class MarkPlaces {
 public:
  // The places of a rule set's marks, in their order. The set is in force from now on.
  std::vector<MarkPlace> Place(const MarkList& list);

  // For a sensor that finds the kernel's entries of another one. kDataLoss: not whole.
  std::string Save() const;
  static absl::StatusOr<MarkPlaces> Restore(std::string_view text);

 private:
  static constexpr size_t kLostMax = 1024;
  struct Slot {
    std::string name;  // "" = nobody has had it
    bool all_seen = true;
    bool certain = true;
  };
  Slot* Find(std::string_view name);
  // One that no mark of `list` has.
  Slot* Free(const MarkList& list);
  void Lose(const std::string& name);
  bool IsLost(const std::string& name) const { return all_lost_ || lost_.contains(name); }

  std::array<Slot, KE_MARKS_MAX> slots_;
  std::set<std::string> lost_;  // set once without a place, or lost theirs
  bool all_lost_ = false;       // more than kLostMax
};

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_MARK_PLACES_H_
