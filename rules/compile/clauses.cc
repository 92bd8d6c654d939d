// SPDX-License-Identifier: Apache-2.0
#include "rules/compile/clauses.h"

#include <algorithm>
#include <array>
#include <utility>

#include "rules/compile/address.h"

namespace kentry {
namespace {

using Kind = KernelCondition::Kind;
using Subject = KernelCondition::Subject;
using enum FieldId;

constexpr std::array<std::pair<FieldId, ke_number>, KE_NUM_MAX> kNumbers = {{
    {kProcessUid, KE_NUM_UID},
    {kProcessGid, KE_NUM_GID},
    {kProcessSuid, KE_NUM_SUID},
    {kProcessSgid, KE_NUM_SGID},
    {kProcessEuid, KE_NUM_EUID},
    {kProcessEgid, KE_NUM_EGID},
    {kProcessFsuid, KE_NUM_FSUID},
    {kProcessFsgid, KE_NUM_FSGID},
    {kProcessLoginUid, KE_NUM_LOGINUID},
    {kProcessSession, KE_NUM_SESSIONID},
    {kProcessNsMnt, KE_NUM_NS_MNT},
    {kProcessNsPidNs, KE_NUM_NS_PID},
    {kProcessNsNet, KE_NUM_NS_NET},
    {kProcessNsUts, KE_NUM_NS_UTS},
    {kProcessNsIpc, KE_NUM_NS_IPC},
    {kProcessNsUser, KE_NUM_NS_USER},
    {kProcessNsCgroup, KE_NUM_NS_CGROUP},
    {kProcessNsTime, KE_NUM_NS_TIME},
    {kSignalNumber, KE_NUM_SIGNAL},
    {kTargetUid, KE_NUM_TARGET_UID},
}};

constexpr std::array<std::pair<FieldId, ke_word>, 5> kMasks = {{
    {kProcessCapInheritable, KE_WORD_CAP_INHERITABLE},
    {kProcessCapPermitted, KE_WORD_CAP_PERMITTED},
    {kProcessCapEffective, KE_WORD_CAP_EFFECTIVE},
    {kProcessCapBounding, KE_WORD_CAP_BOUNDING},
    {kProcessCapAmbient, KE_WORD_CAP_AMBIENT},
}};

// No class has an address yet; one that does puts its fields here.
constexpr std::array<std::pair<FieldId, ke_address_place>, 0> kAddresses = {};

template <size_t N, typename T>
std::optional<T> Lookup(const std::array<std::pair<FieldId, T>, N>& table, FieldId field) {
  for (const auto& [id, value] : table) {
    if (id == field) return value;
  }
  return std::nullopt;
}

std::optional<Subject> SubjectOf(FieldId field) {
  if (field == kProcessBinary) return Subject::kOwn;
  if (field == kParentBinary) return Subject::kParent;
  if (field == kFilePath) return Subject::kFile;
  if (field == kFileNewPath) return Subject::kNewFile;
  return std::nullopt;
}

bool IsFile(Subject subject) { return subject == Subject::kFile || subject == Subject::kNewFile; }

// enum ke_change_kind.
uint32_t ChangeOf(EventClass cls) {
  return static_cast<uint32_t>(cls) - static_cast<uint32_t>(EventClass::kFileUnlink);
}

// Where the bits that kAccess compares stand in the class's records.
std::optional<uint16_t> AccessPlace(ke_rule_class cls) {
  if (cls == KE_RC_OPEN || cls == KE_RC_CHANGE) return KE_OFFSETOF(ke_file_open, access);
  if (cls >= KE_RC_PTRACE && cls <= KE_RC_BPF) return KE_OFFSETOF(ke_deed, access);
  return std::nullopt;
}

// Does it compare something of the event, not of the process?
bool OfTheEvent(const KernelCondition& c) {
  return c.kind == Kind::kAccess || c.kind == Kind::kAddress || IsFile(c.subject) ||
         (c.kind == Kind::kNumber && c.number >= KE_NUM_SIGNAL);
}

bool IsContainerField(FieldId field) {
  return field == kContainerId || field == kContainerRuntime || field == kContainerPodUid ||
         field == kProcessInContainer;
}

std::vector<std::string> Strings(const Expr& expr) {
  std::vector<std::string> strings;
  for (const Literal& value : expr.values) strings.push_back(std::get<std::string>(value));
  return strings;
}

// What the kernel can do about one comparison.
struct Classified {
  std::optional<KernelCondition> condition;
  bool whole = true;     // false: the condition holds whenever the comparison does, and more often
  std::string_view why;  // no condition: Decision::why
};

class Planner {
 public:
  Planner(ke_rule_class cls, const PatternEndsFunction& ends, const MarkList& marks)
      : class_(cls), ends_(ends), marks_(marks) {}

  Classified Classify(const Expr& expr, bool negated) const {
    if (expr.op == ExprOp::kMarked) return Marked(expr, negated);
    Classified result = Bare(expr);
    if (!result.condition) return {.whole = false};
    // The negation of what holds too often would hold too rarely.
    if (negated && !result.whole) return {.whole = false};
    result.condition->negated ^= negated;
    return result;
  }

 private:
  Classified Bare(const Expr& expr) const {
    if (expr.ancestor) return {};
    if (expr.op == ExprOp::kField) return Bool(expr.field, true, expr);
    if (expr.args.empty() || expr.args[0].op != ExprOp::kField || expr.args[0].ancestor) return {};
    if (expr.args.size() > 1) return {};
    const FieldId field = expr.args[0].field;
    if (IsContainerField(field)) return Container(expr);
    if (const auto subject = SubjectOf(field)) return Path(expr, *subject);
    if (const auto word = Lookup(kMasks, field)) return Mask(expr, *word);
    if (field == kProcessScript && class_ == KE_RC_EXEC) return Script(expr);
    if (const auto number = Lookup(kNumbers, field)) return Number(expr, *number);
    if (const auto place = Lookup(kAddresses, field)) {
      return {.condition = AddressCondition(expr, *place)};
    }
    if (expr.op == ExprOp::kEqual && GetField(field).type == FieldType::kBool) {
      return Bool(field, std::get<bool>(expr.values[0]), expr);
    }
    return {};
  }

  // Each way asks another word, and holds more often than the truth: see DecideMark.
  Classified Marked(const Expr& expr, bool negated) const {
    KernelCondition condition{.kind = Kind::kTest, .negated = negated};
    condition.test.word = negated ? KE_WORD_MARKED : KE_WORD_MARKS;
    Classified none{.whole = false};
    for (const Literal& value : expr.values) {
      const MarkInfo* mark = marks_.Tested(std::get<std::string>(value));
      const MarkTest where = DecideMark(mark, negated);
      if (where == MarkTest::kPartly) {
        condition.test.mask |= uint64_t{1} << marks_.Find(mark->name);
        continue;
      }
      none.why = WhyNot(where);
      if (!negated) return none;  // one that nobody knows may be the one carried
    }
    if (condition.test.mask == 0) return none;
    return {.condition = std::move(condition), .whole = false};
  }

  Classified Path(const Expr& expr, Subject subject) const {
    KernelCondition condition{.subject = subject};
    bool whole = true;
    switch (expr.op) {
      case ExprOp::kEqual:
      case ExprOp::kIn:
        condition.kind = Kind::kExact;
        condition.strings = Strings(expr);
        break;
      case ExprOp::kStartsWith:
        condition.kind = Kind::kPrefix;
        condition.strings = Strings(expr);
        break;
      case ExprOp::kEndsWith:
        condition.kind = Kind::kSuffix;
        condition.strings = Strings(expr);
        break;
      case ExprOp::kMatches:
        whole = false;
        condition.hint = true;
        condition.expr = &expr;
        if (!Pattern(expr, &condition)) return {};
        break;
      default:
        return {};
    }
    const size_t longest = condition.kind == Kind::kPrefix   ? KE_PREFIX_BYTES - 1
                           : condition.kind == Kind::kSuffix ? KE_SUFFIX_BYTES
                                                             : KE_EXACT_BYTES;
    for (std::string& text : condition.strings) {
      if (text.empty()) return {};  // also said of who has no binary: the kernel can't tell
      if (text.size() <= longest) continue;
      whole = false;
      if (condition.kind == Kind::kExact) return {};
      text = condition.kind == Kind::kPrefix ? text.substr(0, longest)
                                             : text.substr(text.size() - longest);
    }
    std::sort(condition.strings.begin(), condition.strings.end());
    return {.condition = std::move(condition), .whole = whole};
  }

  // The literal ends of all patterns, when each has one.
  bool Pattern(const Expr& expr, KernelCondition* condition) const {
    std::vector<std::string> prefixes;
    std::vector<std::string> suffixes;
    for (const Literal& value : expr.values) {
      PatternEnds ends = ends_(std::get<std::string>(value));
      if (!ends.prefix.empty()) prefixes.push_back(std::move(ends.prefix));
      if (!ends.suffix.empty()) suffixes.push_back(std::move(ends.suffix));
    }
    if (prefixes.size() == expr.values.size()) {
      condition->kind = Kind::kPrefix;
      condition->strings = std::move(prefixes);
      return true;
    }
    condition->kind = Kind::kSuffix;
    condition->strings = std::move(suffixes);
    return condition->strings.size() == expr.values.size();
  }

  static Classified Mask(const Expr& expr, ke_word word) {
    if (expr.op != ExprOp::kHasAll && expr.op != ExprOp::kHasAny) return {};
    KernelCondition condition{.kind = Kind::kTest};
    condition.test = {
        .mask = static_cast<uint64_t>(std::get<absl::int128>(expr.values[0])),
        .word = static_cast<uint32_t>(word),
        .all = expr.op == ExprOp::kHasAll ? 1u : 0u,
    };
    return {.condition = std::move(condition)};
  }

  // Whatever is said of a script's name, it is said of a script.
  static Classified Script(const Expr& expr) {
    const bool about_empty =
        std::any_of(expr.values.begin(), expr.values.end(),
                    [](const Literal& v) { return v == Literal(std::string()); });
    if (expr.values.empty() || about_empty || expr.op == ExprOp::kMatches) return {};
    KernelCondition condition{.kind = Kind::kTest};
    condition.test = {.mask = KE_F_SCRIPT, .word = KE_WORD_IMAGE, .all = 0};
    return {.condition = std::move(condition), .whole = false};
  }

  static Classified Number(const Expr& expr, ke_number number) {
    switch (expr.op) {
      case ExprOp::kEqual:
      case ExprOp::kIn:
      case ExprOp::kLess:
      case ExprOp::kLessEqual:
      case ExprOp::kGreater:
      case ExprOp::kGreaterEqual: {
        if (expr.values.empty()) return {};
        KernelCondition condition{.kind = Kind::kNumber, .number = number, .expr = &expr};
        return {.condition = std::move(condition)};
      }
      default:
        return {};
    }
  }

  static Classified Container(const Expr& expr) {
    switch (expr.op) {
      case ExprOp::kEqual:
      case ExprOp::kIn:
      case ExprOp::kStartsWith:
      case ExprOp::kEndsWith:
      case ExprOp::kContains:
      case ExprOp::kHas: {
        KernelCondition condition{.kind = Kind::kCgroup, .expr = &expr};
        return {.condition = std::move(condition)};
      }
      default:
        return {};
    }
  }

  Classified Bool(FieldId field, bool wanted, const Expr& expr) const {
    if (field == kProcessInContainer) {
      KernelCondition condition{.kind = Kind::kCgroup, .negated = !wanted, .expr = &expr};
      if (expr.op == ExprOp::kEqual) condition.negated = false;
      return {.condition = std::move(condition)};
    }
    const FieldDef& def = GetField(field);
    if (def.type != FieldType::kBool || def.place.size == 0) return {};
    if (def.source == FieldSource::kEvent) {
      if (AccessPlace(class_) != def.place.offset) return {};
      KernelCondition condition{
          .kind = Kind::kAccess, .negated = !wanted, .access = def.place.mask};
      return {.condition = std::move(condition)};
    }
    if (def.source != FieldSource::kProcess || def.place.offset != KE_OFFSETOF(ke_process, flags)) {
      return {};
    }
    if (class_ != KE_RC_EXEC && (def.place.mask & ~KE_F_IMAGE) != 0) return {};
    KernelCondition condition{.kind = Kind::kTest, .negated = !wanted};
    condition.test = {.mask = def.place.mask, .word = KE_WORD_IMAGE, .all = 0};
    return {.condition = std::move(condition)};
  }

  ke_rule_class class_;
  const PatternEndsFunction& ends_;
  const MarkList& marks_;
};

using Conjunction = std::vector<KernelCondition>;
struct Alternative {
  Conjunction conditions;
  bool exact = true;
};
using Alternatives = std::vector<Alternative>;

Alternatives Anything() { return {{.exact = false}}; }

// The alternatives of `expr`, or of its negation.
class Normaliser {
 public:
  explicit Normaliser(const Planner& planner) : planner_(planner) {}

  Alternatives Of(const Expr& expr, bool negated) const {
    switch (expr.op) {
      case ExprOp::kTrue:
        return negated ? Alternatives{} : Alternatives{{}};
      case ExprOp::kFalse:
        return negated ? Alternatives{{}} : Alternatives{};
      case ExprOp::kNot:
        return Of(expr.args[0], !negated);
      case ExprOp::kAnd:
      case ExprOp::kOr:
        return (expr.op == ExprOp::kAnd) != negated ? All(expr, negated) : Any(expr, negated);
      default: {
        Classified atom = planner_.Classify(expr, negated);
        if (!atom.condition) return Anything();
        Alternative one{.exact = atom.whole};
        one.conditions.push_back(std::move(*atom.condition));
        return {std::move(one)};
      }
    }
  }

 private:
  Alternatives Any(const Expr& expr, bool negated) const {
    Alternatives all;
    for (const Expr& arg : expr.args) {
      Alternatives part = Of(arg, negated);
      for (Alternative& one : part) all.push_back(std::move(one));
      if (all.size() > kClausesPerRule) return Anything();
    }
    return all;
  }

  Alternatives All(const Expr& expr, bool negated) const {
    Alternatives product = {{}};
    for (const Expr& arg : expr.args) {
      const Alternatives part = Of(arg, negated);
      if (product.size() * part.size() > kClausesPerRule) {
        for (Alternative& one : product) one.exact = false;
        continue;
      }
      Alternatives next;
      for (const Alternative& left : product) {
        for (const Alternative& right : part) {
          Alternative both = left;
          both.exact = left.exact && right.exact;
          both.conditions.insert(both.conditions.end(), right.conditions.begin(),
                                 right.conditions.end());
          next.push_back(std::move(both));
        }
      }
      product = std::move(next);
    }
    return product;
  }

  const Planner& planner_;
};

// A pattern's end says nothing more of a path that is compared whole, and costs a look at it.
void DropNeedlessHints(Conjunction* conditions) {
  const auto needless = [conditions](const KernelCondition& c) {
    return c.hint && std::any_of(conditions->begin(), conditions->end(), [&](const auto& other) {
             return other.kind == Kind::kExact && !other.negated && other.subject == c.subject;
           });
  };
  Conjunction kept;
  for (const KernelCondition& c : *conditions) {
    if (!needless(c)) kept.push_back(c);
  }
  *conditions = std::move(kept);
}

// A file may have several names, and each condition may hold by another. A row tells of one name
// whether all conditions of a kind hold: so a clause has one of a kind that isn't negated, and what
// is left out is for user space. False: nothing was.
bool DropOtherNames(Conjunction* conditions) {
  Conjunction kept;
  for (const KernelCondition& c : *conditions) {
    const bool string =
        c.kind == Kind::kExact || c.kind == Kind::kPrefix || c.kind == Kind::kSuffix;
    const bool another =
        string && IsFile(c.subject) && !c.negated &&
        std::any_of(kept.begin(), kept.end(), [&c](const KernelCondition& other) {
          return other.kind == c.kind && other.subject == c.subject && !other.negated;
        });
    if (!another) kept.push_back(c);
  }
  const bool dropped = kept.size() != conditions->size();
  *conditions = std::move(kept);
  return dropped;
}

bool IsHintIn(const std::vector<Clause>& clauses, const Expr* expr) {
  return std::any_of(clauses.begin(), clauses.end(), [expr](const Clause& clause) {
    return std::any_of(clause.conditions.begin(), clause.conditions.end(),
                       [expr](const KernelCondition& c) { return c.hint && c.expr == expr; });
  });
}

void Decide(const Expr& expr, bool negated, const Planner& planner, std::vector<Decision>* out) {
  if (expr.op == ExprOp::kAnd || expr.op == ExprOp::kOr || expr.op == ExprOp::kNot) {
    const bool turned = negated != (expr.op == ExprOp::kNot);
    for (const Expr& arg : expr.args) Decide(arg, turned, planner, out);
    return;
  }
  if (expr.op == ExprOp::kTrue || expr.op == ExprOp::kFalse) return;
  // Only of a mark other things are known than of its negation.
  const Classified atom = planner.Classify(expr, negated && expr.op == ExprOp::kMarked);
  Decision decision{.expr = &expr, .why = atom.why};
  if (atom.condition) {
    decision.where = !atom.whole                   ? DecidedIn::kPartly
                     : OfTheEvent(*atom.condition) ? DecidedIn::kEvent
                                                   : DecidedIn::kProcess;
  }
  out->push_back(decision);
}

}  // namespace

std::optional<ke_rule_class> KernelClass(EventClass cls) {
  if (cls == EventClass::kProcessExec) return KE_RC_EXEC;
  if (cls == EventClass::kFileOpen) return KE_RC_OPEN;
  if (IsChangeClass(cls)) return KE_RC_CHANGE;
  if (cls == EventClass::kProcessPtrace) return KE_RC_PTRACE;
  if (cls == EventClass::kProcessSignal) return KE_RC_SIGNAL;
  if (cls == EventClass::kProcessBpf) return KE_RC_BPF;
  return std::nullopt;
}

std::vector<Clause> NewNameClauses(const std::vector<Clause>& changes) {
  std::vector<Clause> names;
  bool asked = false;
  for (const Clause& clause : changes) {
    Clause& name = names.emplace_back(
        Clause{.rule = clause.rule, .change = clause.change, .exact = clause.exact});
    for (const KernelCondition& c : clause.conditions) {
      if (c.subject != Subject::kNewFile) continue;
      asked = true;
      name.conditions.push_back(c);
      name.conditions.back().subject = Subject::kFile;
    }
  }
  if (!asked) names.clear();
  return names;
}

RulePlan PlanRule(const Rule& rule, uint32_t index, const PatternEndsFunction& ends,
                  const MarkList& marks) {
  RulePlan plan;
  const Planner planner(*KernelClass(rule.on), ends, marks);
  Decide(rule.when, false, planner, &plan.decisions);
  plan.kernel_decides = true;
  for (Alternative& one : Normaliser(planner).Of(rule.when, false)) {
    plan.kernel_decides &= !one.conditions.empty();
    DropNeedlessHints(&one.conditions);
    if (DropOtherNames(&one.conditions)) one.exact = false;
    plan.clauses.push_back({.rule = index,
                            .change = IsChangeClass(rule.on) ? ChangeOf(rule.on) : 0,
                            .exact = one.exact,
                            .conditions = std::move(one.conditions)});
  }
  for (Decision& decision : plan.decisions) {
    const bool dropped = decision.where == DecidedIn::kPartly &&
                         decision.expr->op == ExprOp::kMatches &&
                         !IsHintIn(plan.clauses, decision.expr);
    if (dropped) decision.where = DecidedIn::kUserSpace;
  }
  return plan;
}

}  // namespace kentry
