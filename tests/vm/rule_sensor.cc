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

void RuleTest::SetUp() {
  OwnSensorTest::SetUp();
  sensor_ = LiveSensor::Start();
  ASSERT_NE(sensor_, nullptr);
  sensor_->Go();
}

void RuleTest::TearDown() {
  if (sensor_ == nullptr) return;
  sensor_->Stop();
  EXPECT_EQ(sensor_->pipeline().rules().errors(), 0u);
}

std::vector<Seen> RuleTest::Alerts(const std::string& rule) {
  sensor_->Settle();
  return sensor_->Events([&](const Seen& seen) {
    const std::vector<std::string> rules = seen.List(FieldId::kAlertRules);
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  });
}

}  // namespace kentry::vm
