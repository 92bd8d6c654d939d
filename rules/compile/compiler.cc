// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/compiler.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"
#include "rules/compile/string_key.h"
#include "rules/compile/table_builder.h"

namespace kentry {
namespace {

// The rules with the most clauses of a class, for who has to shorten something.
std::string LargestRules(const RuleSet& rules, const std::vector<Clause>& clauses) {
  std::vector<std::pair<size_t, std::string_view>> sizes;
  for (size_t i = 0; i < clauses.size();) {
    size_t end = i;
    while (end < clauses.size() && clauses[end].rule == clauses[i].rule) ++end;
    sizes.emplace_back(end - i, rules.rules[clauses[i].rule].name);
    i = end;
  }
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(sizes.size(), 5); ++i) {
    text += fmt::format("{}\"{}\" ({})", i == 0 ? "" : ", ", sizes[i].second, sizes[i].first);
  }
  return text;
}

bool ContainerHolds(const Expr& expr, const ContainerStrings& container) {
  const Expr& operand = expr.op == ExprOp::kField ? expr : expr.args[0];
  if (operand.field == FieldId::kProcessInContainer) {
    const bool in_container = !container.id.empty();
    if (expr.op == ExprOp::kEqual) return in_container == std::get<bool>(expr.values[0]);
    return in_container;
  }
  const std::string_view value = operand.field == FieldId::kContainerId        ? container.id
                                 : operand.field == FieldId::kContainerRuntime ? container.runtime
                                                                               : container.pod_uid;
  if (expr.op == ExprOp::kHas) return !value.empty();
  return std::any_of(expr.values.begin(), expr.values.end(), [&](const Literal& literal) {
    const auto& text = std::get<std::string>(literal);
    switch (expr.op) {
      case ExprOp::kStartsWith:
        return value.starts_with(text);
      case ExprOp::kEndsWith:
        return value.ends_with(text);
      case ExprOp::kContains:
        return value.find(text) != std::string_view::npos;
      default:
        return value == text;
    }
  });
}

uint32_t Longest(const StringIds& ids, std::string_view path, size_t longest, bool prefix) {
  for (size_t len = std::min(path.size(), longest); len > 0; --len) {
    const auto at = ids.find(prefix ? path.substr(0, len) : path.substr(path.size() - len));
    if (at != ids.end()) return at->second;
  }
  return 0;
}

}  // namespace

bool CompiledRules::Plan(const PatternEndsFunction& ends, Diagnostics* diagnostics) {
  const RuleSet& set = *rules_;
  const size_t errors = diagnostics->errors();
  plans_.resize(set.rules.size());
  effects_.resize(set.rules.size());
  for (uint32_t i = 0; i < set.rules.size(); ++i) {
    const Rule& rule = set.rules[i];
    effects_[i].action = rule.action;
    if (!rule.enabled) continue;
    const auto cls = KernelClass(rule.on);
    if (!cls) {
      effects_[i] = DecideEffect(rule, nullptr, diagnostics);
      CheckStrict(rule, nullptr, diagnostics);
      by_class_[static_cast<size_t>(rule.on)].push_back(i);
      continue;
    }
    RulePlan& plan = plans_[i] = PlanRule(rule, i, ends, marks_);
    effects_[i] = DecideEffect(rule, &plan, diagnostics);
    CheckStrict(rule, &plan, diagnostics);
    if (!plan.kernel_decides) {
      diagnostics->Warning(
          rule.when_at, fmt::format("rules.{}.when", rule.name),
          fmt::format("rule \"{}\" leaves the kernel nothing to decide: every {} of every process "
                      "goes to user space",
                      rule.name, GetClass(rule.on).name),
          "add a condition with ==, in, startsWith or endsWith on process.binary or a path");
    }
    clauses_[*cls].insert(clauses_[*cls].end(), plan.clauses.begin(), plan.clauses.end());
  }
  clauses_[KE_RC_CHANGE_TO] = NewNameClauses(clauses_[KE_RC_CHANGE]);
  return diagnostics->errors() == errors;
}

bool CompiledRules::Fits(Diagnostics* diagnostics) const {
  bool fits = true;
  for (size_t i = 0; i < clauses_.size(); ++i) {
    const std::vector<Clause>& clauses = clauses_[i];
    if (clauses.size() <= KE_CLAUSES || i == KE_RC_CHANGE_TO) continue;
    fits = false;
    const EventClass cls = rules_->rules[clauses[0].rule].on;
    diagnostics->Error({}, "",
                       fmt::format("the rules on {} need {} clauses; {} fit. Largest: {}",
                                   IsChangeClass(cls) ? "changes of files" : GetClass(cls).name,
                                   clauses.size(), KE_CLAUSES, LargestRules(*rules_, clauses)),
                       "write alternatives on one field as \"in [...]\" instead of with ||");
  }
  return fits;
}

void CompiledRules::FindKnownPaths() {
  std::set<std::string> dirs;
  const auto take = [&](const KernelCondition& c) {
    if (c.subject != KernelCondition::Subject::kFile) return;
    for (const std::string& text : c.strings) {
      if (!text.starts_with('/')) continue;
      if (c.kind == KernelCondition::Kind::kExact) known_paths_.push_back({text, false});
      if (c.kind != KernelCondition::Kind::kSuffix) dirs.insert(std::string(DirOf(text)));
    }
  };
  for (const auto& clauses : clauses_) {
    for (const Clause& clause : clauses) {
      std::for_each(clause.conditions.begin(), clause.conditions.end(), take);
    }
  }
  for (const std::string& dir : dirs) known_paths_.push_back({dir, true});
}

std::unique_ptr<CompiledRules> CompiledRules::Compile(std::shared_ptr<const RuleSet> rules,
                                                      const PatternEndsFunction& ends,
                                                      const std::array<uint64_t, 2>& seed,
                                                      Diagnostics* diagnostics) {
  std::unique_ptr<CompiledRules> out(new CompiledRules);
  out->rules_ = std::move(rules);
  out->marks_ = MarkList(*out->rules_);
  const bool planned = out->Plan(ends, diagnostics);
  if (!out->Fits(diagnostics) || !planned) return nullptr;
  out->tables_.config.seed[0] = seed[0];
  out->tables_.config.seed[1] = seed[1];
  std::string why;
  if (!TableBuilder(out.get()).Build(&why)) {
    diagnostics->Error({}, "", why);
    return nullptr;
  }
  out->FindKnownPaths();
  return out;
}

std::unique_ptr<CompiledRules> CompiledRules::OfClauses(
    std::array<std::vector<Clause>, KE_RC_MAX> clauses) {
  std::unique_ptr<CompiledRules> out(new CompiledRules);
  out->clauses_ = std::move(clauses);
  const bool fits = std::all_of(out->clauses_.begin(), out->clauses_.end(),
                                [](const auto& of_class) { return of_class.size() <= KE_CLAUSES; });
  std::string why;
  return fits && TableBuilder(out.get()).Build(&why) ? std::move(out) : nullptr;
}

ke_row CompiledRules::QuietRow(ke_rule_class cls, const std::set<uint32_t>& silenced) const {
  ke_row row{};
  const bool all = rules_->mode != RuleMode::kEnforce;
  for (size_t i = 0; i < clauses_[cls].size(); ++i) {
    const uint32_t rule = clauses_[cls][i].rule;
    if (!Enforces(effects_[rule].action) || (!all && !silenced.contains(rule))) continue;
    row.words[i / 64] |= uint64_t{1} << (i % 64);
  }
  return row;
}

ke_path_ids CompiledRules::IdsOf(std::string_view path) const {
  ke_path_ids ids{};
  const uint32_t asks = tables_.config.image_asks;
  const auto exact = exact_ids_.find(path);
  if ((asks & KE_ASK_EXACT) != 0 && exact != exact_ids_.end()) {
    ids.exact = static_cast<uint16_t>(exact->second);
  }
  if ((asks & KE_ASK_PREFIX) != 0) {
    ids.prefix = static_cast<uint16_t>(Longest(prefix_ids_, path, KE_PREFIX_BYTES - 1, true));
  }
  if ((asks & KE_ASK_SUFFIX) != 0) {
    ids.suffix = static_cast<uint16_t>(Longest(suffix_ids_, path, KE_SUFFIX_BYTES, false));
  }
  return ids;
}

ke_path_ids CompiledRules::LaterIdsOf(std::string_view path) const {
  ke_path_ids ids = IdsOf(path);
  if (!later_ids_[0].contains(ids.exact)) ids.exact = 0;
  if (!later_ids_[1].contains(ids.prefix)) ids.prefix = 0;
  if (!later_ids_[2].contains(ids.suffix)) ids.suffix = 0;
  return ids;
}

void CompiledRules::PlaceMarks(const std::vector<MarkPlace>& places) {
  const auto moved = [&places](const ke_test& test) {
    uint64_t mask = 0;
    for (uint64_t bits = test.mask; bits != 0; bits &= bits - 1) {
      const MarkPlace& place = places[static_cast<size_t>(__builtin_ctzll(bits))];
      const uint64_t bit = uint64_t{1} << place.bit;
      if (test.word == KE_WORD_MARKS) mask |= place.all_seen ? bit : KE_MARK_ALWAYS;
      if (test.word == KE_WORD_MARKED) mask |= place.certain ? bit : 0;
    }
    return mask;
  };
  ke_rule_config& config = tables_.config;
  for (size_t i = 0; i < places.size(); ++i) {
    config.marks[i].bit = static_cast<uint16_t>(places[i].bit);
    config.marks[i].certain &= places[i].certain ? 1 : 0;
  }
  for (uint32_t i = 0; i < config.tests_used; ++i) {
    ke_test& test = config.tests[i];
    if (test.word == KE_WORD_MARKS || test.word == KE_WORD_MARKED) test.mask = moved(test);
  }
}

ke_ident CompiledRules::IdentOf(std::string_view path, bool directory) const {
  ke_ident ident{};
  if (!directory) {
    const auto exact = exact_ids_.find(path);
    if (exact == exact_ids_.end()) return ident;
    ident.exact = static_cast<uint16_t>(exact->second);
    ident.exact_prefix =
        static_cast<uint16_t>(Longest(prefix_ids_, path, KE_PREFIX_BYTES - 1, true));
    ident.exact_suffix = static_cast<uint16_t>(Longest(suffix_ids_, path, KE_SUFFIX_BYTES, false));
    return ident;
  }
  const auto dir = dir_ids_.find(path);
  if (dir != dir_ids_.end()) ident.dir = static_cast<uint16_t>(dir->second);
  ident.prefix = static_cast<uint16_t>(
      Longest(prefix_ids_, std::string(path) + "/", KE_PREFIX_BYTES - 1, true));
  return ident;
}

std::string_view CompiledRules::ExactName(uint32_t id) const {
  return id == 0 || id > exact_names_.size() ? std::string_view() : exact_names_[id - 1];
}

std::string_view CompiledRules::PrefixName(uint32_t id) const {
  return id == 0 || id > prefix_names_.size() ? std::string_view() : prefix_names_[id - 1];
}

uint32_t CompiledRules::CgroupValue(const ContainerStrings& container,
                                    std::vector<RowUpdate>* updates) {
  std::string truth;
  for (const Expr* condition : cgroup_conditions_) {
    truth += ContainerHolds(*condition, container) ? '1' : '0';
  }
  const auto known = cgroup_values_.find(truth);
  if (known != cgroup_values_.end()) return known->second;
  const auto value = static_cast<uint32_t>(cgroup_values_.size() + 1);
  if (value >= kCgroupPatternsMax) return 0;
  for (int cls = 0; cls < KE_RC_MAX; ++cls) {
    const uint32_t base = tables_.config.base[cls][KE_DIM_CGROUP];
    if (base == 0) continue;
    RowUpdate update{.index = base + value, .number = cgroup_next_row_++};
    for (size_t i = 0; i < clauses_[cls].size(); ++i) {
      const auto& conditions = clauses_[cls][i].conditions;
      const bool all = std::all_of(conditions.begin(), conditions.end(), [&](const auto& c) {
        return c.kind != KernelCondition::Kind::kCgroup ||
               ContainerHolds(*c.expr, container) != c.negated;
      });
      if (all) update.row.words[i / 64] |= uint64_t{1} << (i % 64);
    }
    updates->push_back(update);
  }
  cgroup_values_.emplace(std::move(truth), value);
  return value;
}

}  // namespace kentry
