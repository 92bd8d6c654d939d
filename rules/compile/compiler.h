// SPDX-License-Identifier: Apache-2.0
// A checked rule set to the kernel's tables.
#ifndef KENTRY_RULES_COMPILE_COMPILER_H_
#define KENTRY_RULES_COMPILE_COMPILER_H_

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/compile/clauses.h"
#include "rules/compile/enforce.h"
#include "rules/compile/mark_places.h"
#include "rules/compile/marks.h"
#include "rules/compile/tables.h"
#include "rules/model/rule_set.h"

namespace kentry {

// What conditions on a container's cgroup may ask.
struct ContainerStrings {
  std::string_view id;
  std::string_view runtime;
  std::string_view pod_uid;
};

// Strings that rules name, and their ids from 1 on.
using StringIds = std::map<std::string, uint32_t, std::less<>>;

// One rule set as the kernel filters by it. Not thread-safe: CgroupValue changes it.
class CompiledRules {
 public:
  // Compiles all enabled rules. Says in `diagnostics` what keeps the set from the kernel (more
  // clauses than fit a class, more strings than ids, an action that it can't do): then nothing is
  // returned. Warns of rules that leave the kernel nothing to decide. `seed` is that of the string
  // hash: two random words.
  static std::unique_ptr<CompiledRules> Compile(std::shared_ptr<const RuleSet> rules,
                                                const PatternEndsFunction& ends,
                                                const std::array<uint64_t, 2>& seed,
                                                Diagnostics* diagnostics);

  // The tables of clauses that no rule spells, for dimensions that no class has yet: all of the
  // object but what is said of rules works. Nullptr: something doesn't fit.
  static std::unique_ptr<CompiledRules> OfClauses(
      std::array<std::vector<Clause>, KE_RC_MAX> clauses);

  const RuleSet& rules() const { return *rules_; }
  std::shared_ptr<const RuleSet> shared_rules() const { return rules_; }
  const RuleTables& tables() const { return tables_; }
  // Clause number of the class to its clause.
  const std::vector<Clause>& clauses(ke_rule_class cls) const { return clauses_[cls]; }
  // The plan of a rule; nothing for a class that user space judges alone, and for a disabled rule.
  const RulePlan* plan(size_t rule) const {
    return plans_[rule].clauses.empty() && !plans_[rule].kernel_decides ? nullptr : &plans_[rule];
  }
  // What is in effect of a rule's action.
  const RuleEffect& effect(size_t rule) const { return effects_[rule]; }
  // The row tables().config.acts[cls].quiet for when, beside what the set's mode says, the rules
  // `silenced` are only to say what they would do.
  ke_row QuietRow(ke_rule_class cls, const std::set<uint32_t>& silenced) const;
  // Enabled rules of a class that user space judges alone.
  const std::vector<uint32_t>& RulesOf(EventClass cls) const {
    return by_class_[static_cast<size_t>(cls)];
  }

  // Ids of a binary's path, as the kernel would find them at its exec.
  ke_path_ids IdsOf(std::string_view path) const;
  // Those of them that later events of the process, or its children's, are judged by.
  ke_path_ids LaterIdsOf(std::string_view path) const;

  // Every path that a condition on file.path names exactly, and every directory that one of them or
  // a prefix stands in: the user of the sensor's own eyes, who looks up their inodes.
  struct KnownPath {
    std::string path;  // a directory without a slash at its end; "" = the root
    bool directory = false;
  };
  const std::vector<KnownPath>& known_paths() const { return known_paths_; }
  // What the kernel is to know of the inode that `paths` lead to.
  ke_ident IdentOf(std::string_view path, bool directory) const;
  // The names behind the ids of ke_file_open.alias and alias_prefix ("" = none).
  std::string_view ExactName(uint32_t id) const;
  std::string_view PrefixName(uint32_t id) const;

  const MarkList& marks() const { return marks_; }
  // Where the kernel keeps them, in the order of marks(); before the tables are put into it.
  // Without this each mark has its own number for a place.
  void PlaceMarks(const std::vector<MarkPlace>& places);

  bool asks_for_cgroups() const { return !cgroup_conditions_.empty(); }
  // The value for a cgroup with these strings. When a row is needed that the kernel doesn't have,
  // it is put into `update`. 0 (judged by user space) when there are too many kinds.
  uint32_t CgroupValue(const ContainerStrings& container, std::vector<RowUpdate>* updates);

 private:
  friend class TableBuilder;
  CompiledRules() = default;
  // False: `diagnostics` got an error.
  bool Plan(const PatternEndsFunction& ends, Diagnostics* diagnostics);
  bool Fits(Diagnostics* diagnostics) const;
  void FindKnownPaths();

  std::shared_ptr<const RuleSet> rules_;
  MarkList marks_;
  std::vector<RulePlan> plans_;
  std::vector<RuleEffect> effects_;
  std::array<std::vector<Clause>, KE_RC_MAX> clauses_;
  std::array<std::vector<uint32_t>, kEventClassCount> by_class_;
  RuleTables tables_;
  std::vector<std::string> exact_names_;   // id - 1
  std::vector<std::string> prefix_names_;  // id - 1
  StringIds exact_ids_;
  StringIds prefix_ids_;
  StringIds suffix_ids_;
  StringIds dir_ids_;
  std::array<std::set<uint32_t>, 3> later_ids_;  // exact, prefix, suffix: with KE_ID_LATER
  std::vector<KnownPath> known_paths_;
  std::vector<const Expr*> cgroup_conditions_;
  StringIds cgroup_values_;  // truth of the conditions → value
  uint32_t cgroup_next_row_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_COMPILER_H_
