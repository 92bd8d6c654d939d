// SPDX-License-Identifier: Apache-2.0
// The pipeline's part in pins: what it leaves for the next sensor, and takes from the one before.
#include <unistd.h>

#include "sensor/pipeline/loss_reasons.h"
#include "sensor/pipeline/pipeline.h"
#include "sensor/util/clock.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// Longer than a hook runs that has begun.
constexpr useconds_t kHooksEndUs = 20'000;

static_assert(int{KE_SITE_MAX} <= int{KE_TYPE_MAX}, "counts by site stand beside those by class");

}  // namespace

void Pipeline::WriteNotes() {
  if (!kernel_->pinned()) return;
  for (int cpu = 0; cpu < kernel_->cpu_count(); ++cpu) {
    ReaderNote* notes = kernel_->notes(cpu);
    for (uint16_t type = 0; type < KE_TYPE_MAX; ++type) {
      const Noted noted = accounting_.Note(static_cast<uint32_t>(cpu), type);
      notes[type] = {.last = noted.last, .lost = noted.lost};
    }
  }
  ReaderNote* missed = kernel_->notes(kernel_->cpu_count());
  for (size_t type = 0; type < KE_TYPE_MAX; ++type) missed[type].lost = missed_[type];
  for (size_t site = 0; site < KE_SITE_MAX; ++site) missed[site].last = strict_told_[site];
}

void Pipeline::ResumeAccounting() {
  std::vector<uint64_t> waiting(snapshot_.size() * KE_TYPE_MAX);
  for (uint32_t cpu = 0; cpu < snapshot_.size(); ++cpu) {
    snapshot_[cpu] = kernel_->stats(static_cast<int>(cpu));
  }
  // Who had a number then has sent its record.
  usleep(kHooksEndUs);
  kernel_->rings().Peek([&](std::span<const uint8_t> record) {
    const auto& hdr = *reinterpret_cast<const ke_hdr*>(record.data());
    if (hdr.cpu >= snapshot_.size() || hdr.type >= KE_TYPE_MAX) return;
    const bool open = hdr.seq > kernel_->notes(static_cast<int>(hdr.cpu))[hdr.type].last;
    if (open && hdr.seq <= snapshot_[hdr.cpu].classes[hdr.type].seq) {
      ++waiting[hdr.cpu * KE_TYPE_MAX + hdr.type];
    }
  });
  for (uint32_t cpu = 0; cpu < snapshot_.size(); ++cpu) {
    for (uint16_t type = 0; type < KE_TYPE_MAX; ++type) {
      const ReaderNote& note = kernel_->notes(static_cast<int>(cpu))[type];
      const uint64_t taken =
          accounting_.Resume(cpu, type, {.last = note.last, .lost = note.lost},
                             snapshot_[cpu].classes[type], waiting[cpu * KE_TYPE_MAX + type]);
      if (taken == 0) continue;
      ReportLoss({.cpu = cpu, .type = type, .first = note.last + 1, .last = note.last + taken},
                 kReaderDied);
    }
  }
  const ReaderNote* missed = kernel_->notes(kernel_->cpu_count());
  for (size_t type = 0; type < KE_TYPE_MAX; ++type) missed_[type] = missed[type].lost;
  for (size_t site = 0; site < KE_SITE_MAX; ++site) strict_told_[site] = missed[site].last;
}

void Pipeline::TakeUp() {
  const uint32_t in_force = kernel_->rules().epoch();
  for (const auto& [epoch, text] : kernel_->KeptRules()) {
    if (epoch <= in_force) rules_.Adopt(epoch, text, options_.engine_of);
  }
  // Without those in force the older ones would be taken for them.
  if (rules_.epoch() != in_force) rules_.ForgetAll();
  ResumeAccounting();
  Poll(BootNowNs());
}

absl::Status Pipeline::TakeOver() {
  if (!kernel_->has_others()) return kernel_->Publish();
  const uint64_t now = BootNowNs();
  RETURN_IF_ERROR(kernel_->Publish());
  told_by_others_ns_ = now;
  return kernel_->FromOthers([this, now](OtherRings* rings) { ReadOthers(rings, now); });
}

void Pipeline::ReadOthers(OtherRings* rings, uint64_t until_ns) {
  uint64_t unread = rings->UntoldLosses();
  usleep(kHooksEndUs);
  if (rings->readable()) {
    for (const auto& [epoch, text] : rings->rules()) {
      rules_.AddOlder(epoch, text, options_.engine_of);
    }
    rings->Drain(until_ns, [this](std::span<const uint8_t> record) {
      if (CheckRecord(record) == RecordError::kNone) {
        Handle(record);
      } else {
        ++stats_.malformed;
        ReportLoss({.first = 1, .last = 1}, kMalformed);
      }
    });
  } else {
    unread += rings->Pending();
  }
  if (unread != 0) ReportLoss({.first = 1, .last = unread}, kOtherBuild);
  journal_.Commit();
}

}  // namespace kentry
