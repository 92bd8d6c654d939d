// SPDX-License-Identifier: Apache-2.0
// What became of calls that strict rules cover and that the rings had no room for.
#include <array>
#include <utility>

#include "sensor/pipeline/loss_reasons.h"
#include "sensor/pipeline/pipeline.h"
#include "sensor/util/clock.h"

namespace kentry {
namespace {

constexpr std::array<std::pair<ke_site, std::string_view>, 3> kReasons = {
    {{KE_SITE_STRICT_REFUSED, kStrictRefused},
     {KE_SITE_STRICT_STALLED, kStrictStalled},
     {KE_SITE_STRICT_WATCHED, kStrictWatched}}};

}  // namespace

void Pipeline::CheckStrict() {
  for (const auto& [site, reason] : kReasons) {
    uint64_t now = 0;
    for (const ke_cpu_stats& stats : snapshot_) now += stats.sites[site];
    uint64_t& before = strict_told_[site];
    if (now == before) continue;
    EventBuilder& event = maker_.Begin(EventClass::kSensorLoss, BootNowNs());
    // Of which classes, the losses by ring_full of the same records say.
    event.AddNumber(FieldId::kLossCount, now - before);
    event.AddText(FieldId::kLossReason, reason);
    Append(maker_.Finish());
    before = now;
  }
}

}  // namespace kentry
