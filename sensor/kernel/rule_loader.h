// SPDX-License-Identifier: Apache-2.0
// Puts compiled rules into the kernel's maps. Internal to sensor/kernel; Kernel's declarations say
// what its users may rely on.
#ifndef KENTRY_SENSOR_KERNEL_RULE_LOADER_H_
#define KENTRY_SENSOR_KERNEL_RULE_LOADER_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "rules/compile/tables.h"
#include "sensor/util/fd.h"

struct bpf_object;

namespace kentry {

class RuleLoader {
 public:
  RuleLoader() = default;
  ~RuleLoader();
  RuleLoader(const RuleLoader&) = delete;
  RuleLoader& operator=(const RuleLoader&) = delete;

  // `object` has the outer maps (bpf/lib/rules.h) and outlives the loader. Rules that another
  // process left in force stay so; what it was preparing is forgotten.
  absl::Status Attach(const bpf_object* object);

  // Fills the idle slot; execs and forks write ids for it from then on. On an error nothing has
  // changed.
  absl::Status Prepare(const RuleTables& tables);
  // Makes what was prepared the epoch in force, waits until no event is judged by the old one, and
  // frees that.
  absl::Status Commit();
  // Forgets what was prepared.
  void Abandon();
  uint32_t epoch() const { return epoch_; }
  uint32_t next() const { return next_; }

  // Into the epoch that is prepared, or else the one in force. Cached masks notice by Touch().
  absl::Status SetCgroup(uint64_t id, uint32_t value, std::span<const RowUpdate> rows);
  absl::Status ForgetCgroup(uint64_t id);
  absl::Status SetIdent(const ke_ident_key& key, const ke_ident& ident);
  absl::Status ForgetIdent(const ke_ident_key& key);
  // Replaces a row of the epoch in force.
  absl::Status SetRow(uint32_t number, const ke_row& row);
  // Makes all cached masks stale.
  void Touch();
  // From now on opens are judged by the hook that may refuse them.
  void LetOpensBeDenied();
  // This process: it is not judged.
  void SetSelf(uint32_t tgid, uint64_t start_ns);
  // Hooks only say what they would do.
  void SetPaused(bool paused);
  bool paused() const { return control_->paused != 0; }
  // Epochs that were used elsewhere are not used again; paused there is paused here.
  void ComeAfter(const ke_rule_control& other);

 private:
  struct Slot {
    std::vector<std::pair<int, Fd>> inner;  // outer map's fd, inner map
  };
  int Outer(const char* name) const;
  // The inner map of `name` in the epoch that is changed.
  int Inner(const char* name);
  absl::Status Fill(uint32_t epoch, Slot* slot, const RuleTables& tables);
  absl::Status Install(uint32_t at, const Slot& slot);
  void Stamp();
  absl::Status Resume();
  uint32_t UnusedEpoch() const;

  const bpf_object* object_ = nullptr;
  ke_rule_control* control_ = nullptr;
  Slot slots_[2];
  uint32_t epoch_ = 0;
  uint32_t next_ = 0;
  uint32_t used_ = 0;  // the highest one there ever was
  uint32_t version_ = 0;
  uint8_t flags_ = 0;       // KE_STAMP_* of the epoch in force
  uint8_t next_flags_ = 0;  // of the one prepared
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_RULE_LOADER_H_
