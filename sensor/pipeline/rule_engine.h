// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PIPELINE_RULE_ENGINE_H_
#define KENTRY_SENSOR_PIPELINE_RULE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/compile/compiler.h"
#include "rules/match/evaluator.h"
#include "rules/match/limiter.h"
#include "sensor/event/event.h"
#include "sensor/pipeline/guard.h"

namespace kentry {

// What the kernel says of an event.
struct KernelView {
  std::span<const uint64_t> clauses;  // of the record; empty for a class user space judges alone
  bool undecided = false;             // it lacked a value: its clauses say too much
  uint32_t verdict = 0;               // KE_VERDICT_*
};

struct RuleCounters {
  uint64_t hits = 0;       // events that met the condition, those a limit held back among them
  uint64_t uncertain = 0;  // of those: a value was cut or not known
};

// One rule set in force: takes the clauses that the kernel found, finishes what it left, and says
// what the rules have to say of the event. One thread: the pipeline's.
class RuleEngine {
 public:
  // Compiles; null when `diagnostics` got an error, or has one.
  static std::unique_ptr<RuleEngine> Create(std::shared_ptr<const RuleSet> rules,
                                            Diagnostics* diagnostics);
  // The errors of Create that a rule has by itself, also of a set that is not whole.
  static void Check(const RuleSet& rules, Diagnostics* diagnostics);

  const RuleSet& rules() const { return compiled_->rules(); }
  CompiledRules& compiled() { return *compiled_; }
  const CompiledRules& compiled() const { return *compiled_; }

  enum class Result : uint8_t {
    kNone,   // no rule matches, or its limit holds it back, and nothing was done
    kAlert,  // Describe has something to add
    kDrop,   // a rule says that the event is not to be exported
  };
  // Of an event at which the kernel acted, or should have, neither a drop rule nor a limit has a
  // say. Views into `event` are not kept.
  Result Judge(const EventView& event, const KernelView& kernel, const AncestorSource* ancestors);
  // Adds the alert's fields to the event that was judged last.
  void Describe(EventBuilder* event) const;

  // The most severe of the rules that matched the event judged last and send a signal; "" = none.
  std::string_view Killer() const;

  // The marks that the rules which matched the event judged last set on its process; those of
  // uncertain matches are not among them.
  const std::vector<const RuleMark*>& marks() const { return marks_; }

  // Rules that act on too many processes, by the event judged last; told once. Their rows are for
  // the caller to silence.
  const std::vector<uint32_t>& runaways() const { return runaways_; }
  // All that were told of so.
  const std::set<uint32_t>& silenced() const { return guard_.tripped(); }

  // Limits that held back alerts, since the last call.
  void TakeSuppressed(uint64_t now_ns, std::vector<Limiter::Suppressed>* out) {
    limiter_.TakeSuppressed(now_ns, out);
  }
  void TakeAllSuppressed(std::vector<Limiter::Suppressed>* out) { limiter_.TakeAll(out); }
  const std::vector<RuleCounters>& counters() const { return counters_; }
  // Alerts that limits held back: of all rules, of one.
  uint64_t suppressed() const { return limiter_.counters().suppressed; }
  uint64_t suppressed(size_t rule) const { return limiter_.suppressed(rule); }

 private:
  RuleEngine(std::unique_ptr<CompiledRules> compiled, std::unique_ptr<Evaluator> evaluator);
  struct Found {
    uint32_t rule = 0;
    bool uncertain = false;
  };
  void Consider(uint32_t rule, bool exact);
  void Match(EventClass cls, const KernelView& kernel);
  void CountActions(const EventView& event);
  bool Enforced(const Found& found) const { return Enforces(compiled_->effect(found.rule).action); }
  // Whether a rule should have acted and the kernel couldn't tell.
  bool Missed(uint32_t verdict) const;
  void Text();

  std::unique_ptr<CompiledRules> compiled_;
  std::unique_ptr<Evaluator> evaluator_;
  Limiter limiter_;
  Guard guard_;
  std::vector<uint32_t> runaways_;
  std::vector<RuleCounters> counters_;
  EventFields fields_;
  std::vector<Found> matches_;
  std::vector<const RuleMark*> marks_;
  std::string message_;
  // What Describe adds: lists with a NUL behind each entry.
  std::string names_, severities_, actions_, messages_, tags_, uncertain_;
  RuleSeverity severity_ = RuleSeverity::kInfo;
  EventClass cls_ = EventClass::kNone;
  uint32_t verdict_ = 0;
  bool missed_ = false;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_RULE_ENGINE_H_
