// SPDX-License-Identifier: Apache-2.0
// Fills a CompiledRules' tables from its clauses. Internal to rules/compile.
#ifndef KENTRY_RULES_COMPILE_TABLE_BUILDER_H_
#define KENTRY_RULES_COMPILE_TABLE_BUILDER_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/compile/address.h"
#include "rules/compile/compiler.h"

namespace kentry {

// Clauses by a string or block that a condition of theirs names.
using ClausesByNetwork = std::map<ke_address_key, std::vector<size_t>, decltype(&AddressLess)>;
using AddressIds = std::map<ke_address_key, uint32_t, decltype(&AddressLess)>;
using ClausesByString = std::map<std::string_view, std::vector<size_t>>;

// Classes whose clauses are about files by name.
inline constexpr ke_rule_class kFileClasses[] = {KE_RC_OPEN, KE_RC_CHANGE, KE_RC_CHANGE_TO};

class TableBuilder {
 public:
  explicit TableBuilder(CompiledRules* compiled) : out_(*compiled) {}

  // False: something doesn't fit; `why` says what.
  bool Build(std::string* why);

 private:
  using Condition = KernelCondition;
  // Whether a condition of the dimension holds for the value at hand (before its negation).
  using Holds = std::function<bool(const Condition&)>;

  uint32_t AddRow(const ke_row& row);
  // The row of those clauses of `cls` whose conditions chosen by `mine` all hold.
  ke_row RowOf(ke_rule_class cls, const std::function<bool(const Condition&)>& mine,
               const Holds& holds) const;
  // Appends `rows` to the index and makes them the dimension's, when any clause asks for it.
  void AddDimension(ke_rule_class cls, ke_dim dim, const std::vector<ke_row>& rows);
  bool Asks(ke_rule_class cls, const std::function<bool(const Condition&)>& mine) const;
  // The same of the classes whose hooks cache what a process allows.
  bool CachingAsks(const std::function<bool(const Condition&)>& mine) const {
    return Asks(KE_RC_OPEN, mine) || Asks(KE_RC_CHANGE, mine);
  }

  void CollectStrings();
  void CollectStringsOf(const Condition& condition);
  ClausesByString ClausesOf(ke_rule_class cls, Condition::Kind kind,
                            Condition::Subject subject) const;
  // Rows by id, 0 first; of all conditions of the kind, or of the negated ones.
  std::vector<ke_row> StringRows(ke_rule_class cls, Condition::Kind kind,
                                 Condition::Subject subject, const StringIds& ids,
                                 bool negated_only) const;
  void BuildExcluded(ke_rule_class cls, Condition::Kind kind, const StringIds& ids, size_t place);
  void BuildStrings(ke_rule_class cls, Condition::Subject subject);
  void BuildSuffixRow(ke_rule_class cls);
  void AddEnd(std::string_view suffix);
  void BuildFileDirectories(ke_rule_class cls);
  StringIds CollectHints();
  void BuildHints(ke_rule_class cls, const StringIds& ids);
  void BuildAccess(ke_rule_class cls, uint32_t values);
  void BuildChanges();
  bool BuildNumbers(std::string* why);
  void BuildNumber(ke_number number, const std::set<uint64_t>& bounds);
  void AddStretch(uint32_t place, uint64_t from, uint64_t end, uint32_t id);
  bool BuildTests(std::string* why);
  void AddTestGroup(ke_rule_class cls, const std::vector<ke_test>& tests, size_t first);
  void BuildCgroups();
  // Rows by id, 0 first.
  std::vector<ke_row> AddressRows(ke_rule_class cls, ke_address_place place,
                                  const AddressIds& ids) const;
  void BuildAddresses(ke_address_place place);
  void BuildMarks();
  void BuildMarks(ke_rule_class cls);
  bool BuildActs(std::string* why);
  void BuildActs(ke_rule_class cls);
  void BuildSending(ke_rule_class cls);
  void BuildStrict();
  bool BuildSignals(std::string* why);
  void BuildKeys();

  CompiledRules& out_;
  std::map<std::string, uint32_t> rows_by_content_;
};

}  // namespace kentry

#endif  // KENTRY_RULES_COMPILE_TABLE_BUILDER_H_
