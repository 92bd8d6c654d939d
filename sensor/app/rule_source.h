// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_APP_RULE_SOURCE_H_
#define KENTRY_SENSOR_APP_RULE_SOURCE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "rules/parse/load.h"
#include "sensor/cli/options.h"
#include "sensor/pipeline/pipeline.h"
#include "sensor/util/mutex.h"

namespace kentry {

// The rules of the paths; of none: of /etc/kentry/rules when it exists, else kentry's own. With
// hardening, that set comes before them, and the mode of them all is what the choice says.
LoadResult LoadChosenRules(const RuleChoice& choice);

// The engine of a rule set's files in a mode, for PipelineOptions::engine_of; nullptr with an error
// in them.
std::unique_ptr<RuleEngine> EngineOf(std::vector<SourceFile> files, RuleMode mode);

// Where a running sensor's rules come from, and their way into it. Any thread.
class RuleSource {
 public:
  // The pipeline must outlive this.
  RuleSource(RuleChoice choice, Pipeline* pipeline)
      : choice_(std::move(choice)), pipeline_(*pipeline) {}

  // Reads the files and puts them in force, in one step; with an error the rules before stay.
  // `running`: the pipeline's thread runs. The answer is for people: what is in force now, or, with
  // InvalidArgument, everything that is wrong; FailedPrecondition: this kernel can't have them.
  absl::StatusOr<std::string> Load(bool running) ABSL_LOCKS_EXCLUDED(mu_);
  // The last Load, if it left the rules before in force; unix_ns is 0 if it did not. Never waits
  // for a Load.
  struct Refusal {
    int64_t unix_ns = 0;
    std::string error;  // what is wrong, the first of it
  };
  Refusal refusal() const ABSL_LOCKS_EXCLUDED(refusal_mu_);
  // Whether a file came, went or changed since the last Load.
  bool Changed() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::StatusOr<std::string> LoadNone();
  // Names, sizes and times of all rule files.
  std::string Look() const;
  // `first` gets the first error of the files, if it is them that are wrong.
  absl::StatusOr<std::string> Try(bool running, std::string* first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const RuleChoice choice_;
  bool cleared_ = false;  // of rules that were in force before the start
  Pipeline& pipeline_;
  Mutex mu_;
  std::string looked_ ABSL_GUARDED_BY(mu_);
  mutable Mutex refusal_mu_;
  Refusal refusal_ ABSL_GUARDED_BY(refusal_mu_);
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_RULE_SOURCE_H_
