// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/kept_rules.h"

#include <cstring>

#include "sensor/util/packed_text.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr uint64_t kFormat = 2;
constexpr size_t kFilesMax = 1'000'000;

// Which rule each clause is of, and whether the kernel decides it alone.
uint64_t ClausesOf(const CompiledRules& compiled) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, of words
  const auto add = [&hash](uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
  for (const ke_rule_class cls : kRuledClasses) {
    add(compiled.clauses(cls).size());
    for (const Clause& clause : compiled.clauses(cls)) add(clause.rule * 2 + clause.exact);
  }
  return hash;
}

}  // namespace

std::string KeepRules(const RuleEngine& engine, const MarkPlaces& places) {
  PackedText text;
  text.Add(kFormat);
  text.Add(ClausesOf(engine.compiled()));
  text.Add(static_cast<uint64_t>(engine.rules().mode));
  text.Add(places.Save());
  text.Add(engine.rules().files.size());
  for (const SourceFile& file : engine.rules().files) {
    text.Add(file.name);
    text.Add(file.text);
  }
  return text.Take();
}

absl::StatusOr<KeptRules> ReadKeptRules(std::string_view text) {
  PackedReader reader(text);
  if (reader.Number() != kFormat) return absl::DataLossError("kept rules: another format");
  KeptRules kept;
  kept.clauses = reader.Number();
  const uint64_t mode = reader.Number();
  if (mode > static_cast<uint64_t>(RuleMode::kOff)) return absl::DataLossError("kept rules: mode");
  kept.mode = static_cast<RuleMode>(mode);
  ASSIGN_OR_RETURN(kept.places, MarkPlaces::Restore(reader.Text()));
  const uint64_t count = reader.Number();
  for (uint64_t i = 0; i < count && i < kFilesMax && reader.ok(); ++i) {
    SourceFile file;
    file.name = reader.Text();
    file.text = reader.Text();
    kept.files.push_back(std::move(file));
  }
  if (!reader.ok()) return absl::DataLossError("kept rules: not whole");
  return kept;
}

std::unique_ptr<RuleEngine> RestoreEngine(const KeptRules& kept, const EngineMaker& make) {
  if (make == nullptr) return nullptr;
  std::unique_ptr<RuleEngine> engine = make(kept.files, kept.mode);
  if (engine == nullptr || ClausesOf(engine->compiled()) != kept.clauses) return nullptr;
  return engine;
}

}  // namespace kentry
