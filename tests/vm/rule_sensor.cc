// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/rule_sensor.h"

#include <algorithm>

#include "rules/parse/load.h"

namespace kentry::vm {

std::unique_ptr<RuleEngine> MakeEngine(const std::string& yaml) {
  LoadResult result = ParseRules({{"test.yaml", yaml}});
  std::unique_ptr<RuleEngine> engine;
  if (result.rules != nullptr) engine = RuleEngine::Create(result.rules, &result.diagnostics);
  if (engine == nullptr) {
    for (const Diagnostic& diagnostic : result.diagnostics.all()) {
      ADD_FAILURE() << diagnostic.at.line << ":" << diagnostic.at.column << " "
                    << diagnostic.message;
    }
  }
  return engine;
}

void LoadRules(LiveSensor& sensor, const std::string& yaml) {
  std::unique_ptr<RuleEngine> engine = MakeEngine(yaml);
  ASSERT_NE(engine, nullptr);
  absl::Status status;
  const auto load = [&] { status = sensor.pipeline().LoadRules(std::move(engine)); };
  ASSERT_TRUE(sensor.pipeline().Ask(load));
  ASSERT_TRUE(status.ok()) << status.ToString();
}

namespace {

uint64_t RuleErrors(LiveSensor& sensor) {
  uint64_t errors = 0;
  sensor.pipeline().Ask([&] { errors = sensor.pipeline().rules().errors(); });
  return errors;
}

}  // namespace

void RuleTest::SetUp() {
  ASSERT_NE(LiveSensor::Shared(), nullptr);
  sensor().Clear();
  errors_ = RuleErrors(sensor());
}

void RuleTest::StartAnew() {
  LiveSensor::StopShared();
  SetUp();
}

void RuleTest::TearDown() {
  if (LiveSensor::Shared() == nullptr) return;
  EXPECT_EQ(RuleErrors(sensor()), errors_);
  Load("rules: []\n");
}

std::vector<Seen> RuleTest::Alerts(const std::string& rule) {
  sensor().Settle();
  return sensor().Events([&](const Seen& seen) {
    const std::vector<std::string> rules = seen.List(FieldId::kAlertRules);
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  });
}

}  // namespace kentry::vm
