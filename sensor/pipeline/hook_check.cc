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

bool Pipeline::HookFires(ke_type type) {
  const auto runs = [this, type] {
    uint64_t sum = 0;
    for (int cpu = 0; cpu < kernel_->cpu_count(); ++cpu) {
      sum += kernel_->stats(cpu).classes[type].attempted;
    }
    return sum;
  };
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = runs();
    if (!canary_.Sing(type)) return true;  // not known
    if (runs() != before) return true;
  }
  return false;
}

void Pipeline::CheckHooks() {
  const uint32_t hooks = kernel_->AskedHooks();
  for (const ClassDef& cls : Classes()) {
    const uint32_t bit = 1u << cls.record;
    if ((hooks & bit) == 0) continue;
    const bool fires = HookFires(cls.record);
    if (fires == ((silent_ & bit) == 0)) continue;
    silent_ ^= bit;
    EventBuilder& event = maker_.Begin(EventClass::kSensorHook, BootNowNs());
    event.AddText(FieldId::kHookClass, cls.name);
    event.AddNumber(FieldId::kHookFires, fires ? 1 : 0);
    event.header().flags |= kEventAlert;
    Append(maker_.Finish());
  }
}

}  // namespace kentry
