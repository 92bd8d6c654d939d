// SPDX-License-Identifier: Apache-2.0
// Whether the hooks that rules asked for fire.
#include <cstdint>

#include "sensor/pipeline/pipeline.h"
#include "sensor/util/clock.h"

namespace kentry {
namespace {

// A run of a hook that another one interrupted is skipped, where hooks can be preempted (7.x).
constexpr int kTries = 3;

}  // namespace

Pipeline::HookState Pipeline::TryHook(ke_type type) {
  const auto runs = [this, type] {
    uint64_t sum = 0;
    for (int cpu = 0; cpu < kernel_->cpu_count(); ++cpu) {
      sum += kernel_->stats(cpu).classes[type].attempted;
    }
    return sum;
  };
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = runs();
    if (!canary_.Sing(type)) return HookState::kUntried;
    if (runs() != before) return HookState::kFires;
  }
  return HookState::kSilent;
}

void Pipeline::CheckHooks() {
  const uint32_t hooks = kernel_->AskedHooks();
  for (const ClassDef& cls : Classes()) {
    if ((hooks >> cls.record & 1) == 0) continue;
    const HookState now = TryHook(cls.record);
    HookState& before = hook_states_[cls.record];
    if (now == before) continue;
    before = now;
    EventBuilder& event = maker_.Begin(EventClass::kSensorHook, BootNowNs());
    event.AddText(FieldId::kHookClass, cls.name);
    event.AddNumber(FieldId::kHookTried, now != HookState::kUntried ? 1 : 0);
    if (now != HookState::kUntried) {
      event.AddNumber(FieldId::kHookFires, now == HookState::kFires ? 1 : 0);
    }
    event.header().flags |= kEventAlert;
    Append(maker_.Finish());
  }
}

}  // namespace kentry
