// SPDX-License-Identifier: Apache-2.0
// A rule set as it is pinned beside the kernel's tables: what the next sensor needs to name the
// rules that judged what it finds in the rings, and to keep marks where they are.
#ifndef KENTRY_SENSOR_PIPELINE_KEPT_RULES_H_
#define KENTRY_SENSOR_PIPELINE_KEPT_RULES_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rules/compile/mark_places.h"
#include "sensor/pipeline/rule_engine.h"

namespace kentry {

// The files of a rule set, and the mode that it is in, whatever they say, to its engine; nullptr
// when they are not a rule set any more.
using EngineMaker = std::function<std::unique_ptr<RuleEngine>(std::vector<SourceFile>, RuleMode)>;

std::string KeepRules(const RuleEngine& engine, const MarkPlaces& places);

struct KeptRules {
  std::vector<SourceFile> files;
  RuleMode mode = RuleMode::kMonitor;
  MarkPlaces places;
  uint64_t clauses = 0;  // fingerprint of what the clauses are numbered by
};
// kDataLoss: the text isn't whole, or another version's.
absl::StatusOr<KeptRules> ReadKeptRules(std::string_view text);

// The engine that the rules were kept of, or nullptr: this build makes other clauses of them.
std::unique_ptr<RuleEngine> RestoreEngine(const KeptRules& kept, const EngineMaker& make);

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_KEPT_RULES_H_
