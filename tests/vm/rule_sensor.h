// SPDX-License-Identifier: Apache-2.0
// Rules given as text, put in force in a running sensor.
#ifndef KENTRY_TESTS_VM_RULE_SENSOR_H_
#define KENTRY_TESTS_VM_RULE_SENSOR_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/vm/live_sensor.h"

namespace kentry::vm {

// Parses and compiles; fails the test and returns nullptr on an error.
std::unique_ptr<RuleEngine> MakeEngine(const std::string& yaml);
// Puts the rules in force; fails the test when that can't be done.
void LoadRules(LiveSensor& sensor, const std::string& yaml);

// The shared sensor, without rules at first and at last: hooks that a test's rules asked for stay.
class RuleTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  LiveSensor& sensor() { return *LiveSensor::Shared(); }
  // From here on a sensor that had no rules yet.
  void StartAnew();
  void Load(const std::string& yaml) { LoadRules(sensor(), yaml); }
  // Events with an alert of that rule, after all that happened before the call was read.
  std::vector<Seen> Alerts(const std::string& rule);

 private:
  uint64_t errors_ = 0;  // of the sensor's rules, before the test
};

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_RULE_SENSOR_H_
