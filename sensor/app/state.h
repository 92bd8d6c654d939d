// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_APP_STATE_H_
#define KENTRY_SENSOR_APP_STATE_H_

#include <string>
#include <utility>
#include <vector>

#include "exporters/sink/output.h"
#include "sensor/api/state.h"
#include "sensor/app/rule_source.h"
#include "sensor/journal/journal.h"
#include "sensor/pipeline/pipeline.h"

namespace kentry {

// An output under the name that users know it by.
struct NamedOutput {
  std::string name;
  std::unique_ptr<Output> output;
};

// Same thread as Pipeline::kills.
KillStatus KillStatusOf(const KillTimes& kills);

// Answers the API's questions out of the running parts, which must outlive it. Any thread.
class AppState final : public SensorState {
 public:
  AppState(Pipeline* pipeline, const Journal* journal, const std::vector<NamedOutput>* outputs,
           size_t journal_bytes, uint64_t started_boot_ns);

  SensorStatus Status() override;
  std::vector<ProcessRow> Processes(bool with_exited) override;
  absl::StatusOr<std::string> ReloadRules() override;
  absl::Status SetPaused(bool paused) override;
  absl::Status SetTrusted(const std::string& path, bool trusted) override;

  // Before the first call; must outlive this.
  void set_rules(RuleSource* rules) { rules_ = rules; }

 private:
  void FillKernel(SensorStatus* status);
  void FillTables(SensorStatus* status);
  void FillRules(RulesStatus* status);

  Pipeline& pipeline_;
  const Journal& journal_;
  const std::vector<NamedOutput>& outputs_;
  const size_t journal_bytes_;
  const uint64_t started_boot_ns_;
  RuleSource* rules_ = nullptr;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_STATE_H_
