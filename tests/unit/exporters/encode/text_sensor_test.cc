// SPDX-License-Identifier: Apache-2.0
// The lines of the sensor's own events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/exporters/encode/sample_events.h"
#include "tests/unit/exporters/encode/text_line.h"

namespace kentry {
namespace {

using enum FieldId;
using testing::EndsWith;

TEST(TextSensorTest, LossIsRedAndSaysWhat) {
  EventBuilder builder;
  const EventView loss =
      Sample(builder, EventClass::kSensorLoss,
             {Str(kLossClass, "process.exec"), Num(kLossCpu, 1), Num(kLossFirst, 100),
              Num(kLossLast, 111), Num(kLossCount, 12), Str(kLossReason, "ring_full")});
  EXPECT_THAT(Encode(loss),
              EndsWith("sensor lost 12 process.exec on cpu 1 (#100–#111): ring_full\n"));
  const std::string colored = Encode(loss, {.color = true});
  EXPECT_TRUE(colored.starts_with("\x1b[1;31m"));
  EXPECT_THAT(colored, EndsWith("ring_full\x1b[0m\n"));
}

TEST(TextSensorTest, SensorStartAndStopAreReadable) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kSensorStart,
                            {Str(kSensorVersion, "0.1.0"), Str(kSensorKernel, "6.1.0"),
                             Str(kSensorHost, "box")})),
              EndsWith("sensor started, kentry 0.1.0 on box, kernel 6.1.0\n"));
  EXPECT_THAT(
      Encode(Sample(builder, EventClass::kSensorStop,
                    {Str(kSensorVersion, "0.1.0"), Str(kSensorKernel, "6.1.0"),
                     Str(kSensorHost, "box"), Num(kSensorEventCount, 5), Num(kSensorLost, 1)})),
      EndsWith("stopped: 5 events, 1 lost, kentry 0.1.0 on box, kernel 6.1.0\n"));
}

TEST(TextSensorTest, RulesInForceAreReadable) {
  EventBuilder builder;
  EXPECT_EQ(Encode(Sample(builder, EventClass::kSensorRules,
                          {Str(kRulesName, "shop"), Str(kRulesRevision, "0123456789ab"),
                           Str(kRulesMode, "monitor"), Num(kRulesCount, 12), Num(kRulesEpoch, 2)})),
            "03:04:05.123  -             -                 sensor rules shop in force: 12, "
            "monitor, revision 0123456789ab\n");
}

TEST(TextSensorTest, SuppressedAlertsAreCountedAndTheirKeyIsNamed) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kSensorSuppressed,
                            {Str(kSuppressedRule, "r"), Num(kSuppressedCount, 1),
                             Num(kSuppressedKeys, 1), Str(kSuppressedKey, "/a b")})),
              EndsWith("sensor rule r: limit held back 1 alert of '/a b'\n"));
  EXPECT_THAT(Encode(Sample(
                  builder, EventClass::kSensorSuppressed,
                  {Str(kSuppressedRule, "r"), Num(kSuppressedCount, 70), Num(kSuppressedKeys, 3)})),
              EndsWith("sensor rule r: limit held back 70 alerts\n"));
}

TEST(TextSensorTest, AStoppedRuleIsNamed) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kSensorGuard,
                            {Str(kGuardRule, "r"), Num(kGuardProcesses, 50)})),
              EndsWith("sensor rule r acted on more than 50 processes in its first minute: it only "
                       "watches now\n"));
}

TEST(TextSensorTest, WhatIsEnforcedAndWhetherHooksFire) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kSensorEnforcement,
                            {Str(kEnforcementChange, "trusted"), Str(kEnforcementPath, "/a b")})),
              EndsWith("sensor enforcement trusted '/a b'\n"));
  EXPECT_THAT(
      Encode(Sample(builder, EventClass::kSensorHook,
                    {Str(kHookClass, "file.open"), Num(kHookTried, 1), Num(kHookFires, 0)})),
      EndsWith("sensor the hook of file.open does not fire: what it watches is neither seen "
               "nor stopped\n"));
  EXPECT_THAT(Encode(Sample(builder, EventClass::kSensorHook,
                            {Str(kHookClass, "file.open"), Num(kHookTried, 0)})),
              EndsWith("sensor the hook of file.open can't be tried: whether it fires is not "
                       "known\n"));
}

}  // namespace
}  // namespace kentry
