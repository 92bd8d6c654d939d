// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/verdict.h"

#include <csignal>
#include <string_view>

#include "bpf/abi/event.h"

namespace kentry {
namespace {

constexpr uint32_t kActed = KE_VERDICT_DENIED | KE_VERDICT_SIGNALED | KE_VERDICT_WOULD_DENY |
                            KE_VERDICT_WOULD_SIGNAL | KE_VERDICT_FAILED;

// The strongest of what was done.
std::string_view Name(uint32_t verdict, bool missed) {
  if ((verdict & KE_VERDICT_DENIED) != 0) return "denied";
  if ((verdict & KE_VERDICT_SIGNALED) != 0) return Killed(verdict) ? "killed" : "signaled";
  if ((verdict & KE_VERDICT_FAILED) != 0 || missed) return "failed";
  if ((verdict & KE_VERDICT_WOULD_DENY) != 0) return "would_deny";
  if ((verdict & KE_VERDICT_WOULD_SIGNAL) != 0) {
    return KE_VERDICT_WOULD(verdict) == SIGKILL ? "would_kill" : "would_signal";
  }
  return (verdict & KE_VERDICT_EXEMPT) != 0 ? "exempt" : "observed";
}

uint32_t Signal(uint32_t verdict) {
  if ((verdict & (KE_VERDICT_SIGNALED | KE_VERDICT_FAILED)) != 0) return KE_VERDICT_SIGNAL(verdict);
  return (verdict & KE_VERDICT_WOULD_SIGNAL) != 0 ? KE_VERDICT_WOULD(verdict) : 0;
}

// Nothing is known of what happens behind the hook of an open, a change or a deed.
std::string_view Outcome(EventClass cls, uint32_t verdict) {
  if ((verdict & KE_VERDICT_DENIED) != 0) return "eperm";
  if (IsFileClass(cls) || IsDeedClass(cls)) return "attempted";
  return cls == EventClass::kProcessExec ? "ok" : "";
}

}  // namespace

bool Acted(uint32_t verdict) { return (verdict & kActed) != 0; }

bool Killed(uint32_t verdict) {
  return (verdict & KE_VERDICT_SIGNALED) != 0 && KE_VERDICT_SIGNAL(verdict) == SIGKILL;
}

void AddVerdict(EventClass cls, uint32_t verdict, bool missed, EventBuilder* event) {
  event->AddText(FieldId::kAlertVerdict, Name(verdict, missed));
  if (const uint32_t signal = Signal(verdict); signal != 0) {
    event->AddNumber(FieldId::kAlertSignal, signal);
  }
  if ((verdict & KE_VERDICT_FAILED) != 0) {
    event->AddNumber(FieldId::kAlertError, KE_VERDICT_ERRNO(verdict));
  }
  const std::string_view outcome = Outcome(cls, verdict);
  if (!outcome.empty()) event->AddText(FieldId::kAlertOutcome, outcome);
  if (Acted(verdict) || missed) event->header().flags |= kEventAlert;
}

}  // namespace kentry
