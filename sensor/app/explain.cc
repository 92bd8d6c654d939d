// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/explain.h"

#include <algorithm>

#include "fmt/format.h"
#include "rules/model/expr_text.h"

namespace kentry {
namespace {

struct Where {
  std::string_view key;
  std::string_view text;
};

Where WhereOf(DecidedIn decided) {
  switch (decided) {
    case DecidedIn::kProcess:
      return {"kernel_process", "in the kernel, once a process"};
    case DecidedIn::kEvent:
      return {"kernel_event", "in the kernel, at each event"};
    case DecidedIn::kPartly:
      return {"kernel_partly", "in the kernel as far as it goes, then in user space"};
    case DecidedIn::kUserSpace:
      return {"user_space", "in user space"};
  }
  return {"", ""};
}

// `denies`: the set refuses events of the class, so that another hook judges all of them (opens),
// or judges them too (execs).
std::string_view HookOf(EventClass cls, bool denies) {
  switch (cls) {
    case EventClass::kProcessExec:
      return denies
                 ? "raw tracepoint sched_process_exec, before it BPF LSM bprm_creds_from_file or "
                   "fmod_ret security_bprm_creds_from_file"
                 : "raw tracepoint sched_process_exec";
    case EventClass::kProcessFork:
      return "raw tracepoint sched_process_fork";
    case EventClass::kProcessExit:
      return "raw tracepoint sched_process_exit";
    case EventClass::kProcessExecFailed:
      return "fexit or kretprobe on the exec system calls";
    case EventClass::kFileOpen:
      return denies ? "BPF LSM file_open, or fmod_ret security_file_open"
                    : "fentry security_file_open";
    case EventClass::kFileSetxattr:
      return "BPF LSM inode_setxattr, or fmod_ret security_inode_setxattr";
    case EventClass::kFileMmapExec:
      return "BPF LSM mmap_file and file_mprotect, or fmod_ret on what asks them";
    case EventClass::kFileMount:
      return "BPF LSM sb_mount and move_mount, or fmod_ret on what asks them";
    case EventClass::kFileUmount:
      return "BPF LSM sb_umount, or fmod_ret security_sb_umount";
    case EventClass::kProcessBpf:
      return "BPF LSM bpf_map and bpf_prog, or fmod_ret on what asks them";
    case EventClass::kProcessPtrace:
      return "BPF LSM ptrace_access_check and ptrace_traceme, or fmod_ret on what asks them";
    case EventClass::kProcessSignal:
      return "BPF LSM task_kill, or fmod_ret security_task_kill";
    default:
      return IsChangeClass(cls) ? "BPF LSM path_*, or fmod_ret security_path_*" : "";
  }
}

// What a rule leaves to user space, in a sentence.
std::string_view Guarantee(const RulePlan* plan) {
  if (plan == nullptr) return "every event of the class is judged by user space";
  if (!plan->kernel_decides) return "every event of the class goes to user space";
  const bool exact = std::all_of(plan->clauses.begin(), plan->clauses.end(),
                                 [](const Clause& clause) { return clause.exact; });
  if (exact) return "decided in the kernel alone";
  return "user space finishes what the kernel lets through";
}

// How the kernel does what a rule says.
std::string_view HowOf(EventClass cls, RuleAction action) {
  if (action == RuleAction::kDeny && cls == EventClass::kProcessExec) {
    return "refused with EPERM before the program runs, by a BPF LSM or fmod_ret hook";
  }
  if (cls == EventClass::kProcessBpf) {
    return action == RuleAction::kDeny
               ? "refused with EPERM before there is a descriptor, by a BPF LSM or fmod_ret hook"
               : "sent from the hook; the process gets its descriptor all the same";
  }
  if (IsDeedClass(cls)) {
    return action == RuleAction::kDeny
               ? "refused with EPERM before the other process is touched, by a BPF LSM or fmod_ret "
                 "hook"
               : "sent from the hook; what is done to the other process goes on";
  }
  if (action == RuleAction::kDeny) {
    return "refused with EPERM before the file is opened or made, by a BPF LSM or fmod_ret hook";
  }
  return cls == EventClass::kProcessExec
             ? "sent from the hook, before the program's first instruction"
             : "sent from the hook; the open itself goes on";
}

std::string ActionText(RuleAction action, int signal) {
  if (action != RuleAction::kSignal) return std::string(ActionName(action));
  return fmt::format("{} {}", ActionName(action), SignalText(signal));
}

std::string EnforcementText(const Rule& rule, const RuleEffect& effect, RuleMode mode) {
  std::string text = fmt::format("  then: {}", ActionText(rule.action, rule.signal));
  if (!effect.why.empty()) {
    text += fmt::format(", in effect its fallback {}: {}", ActionName(effect.action), effect.why);
  }
  text += '\n';
  if (!Enforces(effect.action)) return text;
  return text + fmt::format("  {}: {}; mode {}{}\n", ActionText(effect.action, effect.signal),
                            HowOf(rule.on, effect.action), ModeName(mode),
                            mode == RuleMode::kEnforce ? "" : ": it is only said what it would do");
}

std::string EnforcementJson(const Rule& rule, const RuleEffect& effect) {
  std::string text = fmt::format("\"action\":\"{}\",\"effective_action\":\"{}\",",
                                 ActionName(rule.action), ActionName(effect.action));
  if (effect.signal != 0) text += fmt::format("\"signal\":{},", effect.signal);
  if (!effect.why.empty()) text += fmt::format("\"fallback_why\":{},", JsonString(effect.why));
  return text;
}

bool AsksForFile(const KernelCondition& condition) {
  return condition.kind == KernelCondition::Kind::kAccess ||
         condition.subject == KernelCondition::Subject::kFile;
}

// Rules on opens of which a clause holds for any process.
std::vector<std::string_view> ConcernAll(const RuleEngine& engine) {
  std::vector<std::string_view> names;
  for (const Clause& clause : engine.compiled().clauses(KE_RC_OPEN)) {
    const bool limited =
        std::any_of(clause.conditions.begin(), clause.conditions.end(),
                    [](const KernelCondition& c) { return !AsksForFile(c) && !c.negated; });
    const std::string_view name = engine.rules().rules[clause.rule].name;
    if (!limited && (names.empty() || names.back() != name)) names.push_back(name);
  }
  return names;
}

std::string Summary(const RuleEngine& engine) {
  const size_t opens = engine.compiled().clauses(KE_RC_OPEN).size();
  const auto count = [&engine](ke_rule_class cls) { return engine.compiled().clauses(cls).size(); };
  std::string text = fmt::format(
      "clauses, of {} for each: process.exec {}, file.open {}, changes of files {}, process.ptrace "
      "{}, process.signal {}, process.bpf {}\n",
      KE_CLAUSES, count(KE_RC_EXEC), opens, count(KE_RC_CHANGE), count(KE_RC_PTRACE),
      count(KE_RC_SIGNAL), count(KE_RC_BPF));
  if (opens == 0) {
    return text + "no rule asks for file.open: opens are not hooked and cost nothing\n";
  }
  const std::vector<std::string_view> all = ConcernAll(engine);
  if (all.empty()) {
    return text +
           "an open of a process that no rule concerns: one look at its mask (the first row of the "
           "table in docs/performance.md)\n";
  }
  text += fmt::format(
      "every process is concerned by {} of the rules on file.open, so every open costs the second "
      "row of the table in docs/performance.md:\n",
      all.size());
  for (const std::string_view name : all) text += fmt::format("  {}\n", name);
  return text;
}

}  // namespace

std::string ExplainText(const RuleEngine& engine, bool color) {
  const RuleSet& rules = engine.rules();
  const std::string_view bold = color ? "\x1b[1m" : "";
  const std::string_view reset = color ? "\x1b[0m" : "";
  std::string text;
  const auto denies = [&](EventClass cls) {
    const auto filtered = KernelClass(cls);
    return filtered && rules.mode == RuleMode::kEnforce &&
           engine.compiled().tables().config.acts[*filtered].deny != 0;
  };
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    const RulePlan* plan = engine.compiled().plan(i);
    text += fmt::format("{}{}{}  {}, by {}\n", bold, rule.name, reset, GetClass(rule.on).name,
                        HookOf(rule.on, denies(rule.on)));
    if (!rule.enabled) {
      text += "  disabled\n\n";
      continue;
    }
    if (plan != nullptr) {
      for (const Decision& decision : plan->decisions) {
        text +=
            fmt::format("  {:<52}  {}{}\n", ExprText(*decision.expr), WhereOf(decision.where).text,
                        decision.why.empty() ? "" : fmt::format(": {}", decision.why));
      }
    }
    if (Enforces(rule.action)) {
      text += EnforcementText(rule, engine.compiled().effect(i), rules.mode);
    }
    text += fmt::format("  => {}\n\n", Guarantee(plan));
  }
  return text + Summary(engine);
}

std::string ExplainJson(const RuleEngine& engine) {
  const RuleSet& rules = engine.rules();
  std::string text =
      fmt::format("{{\"rule_set\":{},\"revision\":{},\"mode\":\"{}\",\"rules\":[",
                  JsonString(rules.name), JsonString(rules.revision), ModeName(rules.mode));
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    const RulePlan* plan = engine.compiled().plan(i);
    text += fmt::format(
        "{}{{\"name\":{},\"class\":{},\"enabled\":{},\"guarantee\":{},{}\"conditions\":[",
        i == 0 ? "" : ",", JsonString(rule.name), JsonString(GetClass(rule.on).name), rule.enabled,
        JsonString(rule.enabled ? Guarantee(plan) : "disabled"),
        EnforcementJson(rule, engine.compiled().effect(i)));
    bool first = true;
    if (plan != nullptr) {
      for (const Decision& decision : plan->decisions) {
        text += fmt::format(
            "{}{{\"condition\":{},\"decided\":\"{}\"{}}}", first ? "" : ",",
            JsonString(ExprText(*decision.expr)), WhereOf(decision.where).key,
            decision.why.empty() ? "" : fmt::format(",\"why\":{}", JsonString(decision.why)));
        first = false;
      }
    }
    text += "]}";
  }
  text += "],\"concern_every_process\":[";
  bool first = true;
  for (const std::string_view name : ConcernAll(engine)) {
    text += fmt::format("{}{}", first ? "" : ",", JsonString(name));
    first = false;
  }
  return text + "]}\n";
}

}  // namespace kentry
