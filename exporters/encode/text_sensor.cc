// SPDX-License-Identifier: Apache-2.0
// What TextEncoder writes of the sensor's own events.
#include "exporters/encode/text.h"

namespace kentry {

using enum FieldId;

void TextEncoder::WriteSensor(EventClass cls, Line& line) const {
  const bool start = cls == EventClass::kSensorStart;
  line.Text(start ? "started" : "stopped");
  if (!start && Has(kSensorEventCount)) {
    line.Text(": ");
    line.Number(Number(kSensorEventCount));
    line.Text(" events, ");
    line.Number(Number(kSensorLost));
    line.Text(" lost");
  }
  line.Text(", kentry ");
  line.Text(Text(kSensorVersion));
  line.Text(" on ");
  line.Text(Text(kSensorHost));
  line.Text(", kernel ");
  line.Text(Text(kSensorKernel));
}

void TextEncoder::WriteLoss(Line& line) const {
  line.Text("lost ");
  line.Number(Number(kLossCount));
  line.Put(" ", 1);
  line.Text(Text(kLossClass).empty() ? "events" : Text(kLossClass));
  if (Has(kLossCpu)) {
    line.Text(" on cpu ");
    line.Number(Number(kLossCpu));
  }
  if (Number(kLossFirst) != 0) {
    line.Text(" (#");
    line.Number(Number(kLossFirst));
    line.Text("–#");
    line.Number(Number(kLossLast));
    line.Text(")");
  }
  line.Text(": ");
  line.Text(Text(kLossReason));
}

void TextEncoder::WriteRules(Line& line) const {
  line.Text("rules ");
  line.Text(Text(kRulesName));
  line.Text(" in force: ");
  line.Number(Number(kRulesCount));
  line.Text(", ");
  line.Text(Text(kRulesMode));
  line.Text(", revision ");
  line.Text(Text(kRulesRevision));
}

void TextEncoder::WriteGuard(Line& line) const {
  line.Text("rule ");
  line.Text(Text(kGuardRule));
  line.Text(" acted on more than ");
  line.Number(Number(kGuardProcesses));
  line.Text(" processes in its first minute: it only watches now");
}

void TextEncoder::WriteEnforcement(Line& line) const {
  line.Text("enforcement ");
  line.Text(Text(kEnforcementChange));
  if (!Text(kEnforcementPath).empty()) {
    line.Text(" ");
    line.Word(Text(kEnforcementPath));
  }
}

void TextEncoder::WriteHook(Line& line) const {
  line.Text("the hook of ");
  line.Text(Text(kHookClass));
  if (Number(kHookTried) == 0) return line.Text(" can't be tried: whether it fires is not known");
  line.Text(Number(kHookFires) != 0
                ? " fires again"
                : " does not fire: what it watches is neither seen nor stopped");
}

void TextEncoder::WriteSuppressed(Line& line) const {
  line.Text("rule ");
  line.Text(Text(kSuppressedRule));
  line.Text(": limit held back ");
  line.Number(Number(kSuppressedCount));
  line.Text(Number(kSuppressedCount) == 1 ? " alert" : " alerts");
  if (!Text(kSuppressedKey).empty()) {
    line.Text(" of ");
    line.Word(Text(kSuppressedKey));
  }
}

}  // namespace kentry
