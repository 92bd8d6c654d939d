// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/verdict.h"

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include "bpf/abi/event.h"
#include "gtest/gtest.h"

namespace kentry {
namespace {

using enum FieldId;

constexpr EventClass kExec = EventClass::kProcessExec;
constexpr EventClass kOpen = EventClass::kFileOpen;

constexpr uint32_t Sent(uint32_t signal) { return KE_VERDICT_SIGNALED | signal << 8; }
constexpr uint32_t WouldSend(uint32_t signal) { return KE_VERDICT_WOULD_SIGNAL | signal << 16; }
constexpr uint32_t Failed(uint32_t error) { return KE_VERDICT_FAILED | error << 24; }

// The event's verdict; the view is the builder's.
EventView Add(EventBuilder& builder, EventClass cls, uint32_t verdict, bool missed = false) {
  builder.Begin(cls);
  AddVerdict(cls, verdict, missed, &builder);
  return builder.View();
}

std::string Name(uint32_t verdict, bool missed = false) {
  EventBuilder builder;
  return std::string(Add(builder, kOpen, verdict, missed).Text(kAlertVerdict));
}

bool IsAlert(uint32_t verdict, bool missed = false) {
  EventBuilder builder;
  return (Add(builder, kOpen, verdict, missed).header().flags & kEventAlert) != 0;
}

TEST(VerdictTest, EachBitHasItsName) {
  EXPECT_EQ(Name(0), "observed");
  EXPECT_EQ(Name(KE_VERDICT_DENIED), "denied");
  EXPECT_EQ(Name(Sent(SIGKILL)), "killed");
  EXPECT_EQ(Name(Sent(SIGTERM)), "signaled");
  EXPECT_EQ(Name(Failed(ESRCH)), "failed");
  EXPECT_EQ(Name(KE_VERDICT_WOULD_DENY), "would_deny");
  EXPECT_EQ(Name(WouldSend(SIGKILL)), "would_kill");
  EXPECT_EQ(Name(WouldSend(SIGTERM)), "would_signal");
  EXPECT_EQ(Name(KE_VERDICT_EXEMPT), "exempt");
  EXPECT_EQ(Name(KE_VERDICT_UNDECIDED), "observed");
  EXPECT_EQ(Name(KE_VERDICT_UNDECIDED, /*missed=*/true), "failed");
}

TEST(VerdictTest, TheStrongestIsNamed) {
  uint32_t all = KE_VERDICT_DENIED | Sent(SIGKILL) | Failed(EAGAIN) | KE_VERDICT_WOULD_DENY |
                 WouldSend(SIGKILL) | KE_VERDICT_EXEMPT;
  EXPECT_EQ(Name(all, true), "denied");
  all &= ~KE_VERDICT_DENIED;
  EXPECT_EQ(Name(all, true), "killed");
  all &= ~KE_VERDICT_SIGNALED;
  EXPECT_EQ(Name(all), "failed");
  all &= ~KE_VERDICT_FAILED;
  EXPECT_EQ(Name(all, true), "failed");
  EXPECT_EQ(Name(all), "would_deny");
  all &= ~KE_VERDICT_WOULD_DENY;
  EXPECT_EQ(Name(all), "would_kill");
}

TEST(VerdictTest, SignalIsTheOneOfWhatWasDone) {
  const auto signal = [](uint32_t verdict) -> std::optional<uint64_t> {
    EventBuilder builder;
    const auto value = Add(builder, kOpen, verdict).Find(kAlertSignal);
    return value ? std::optional(value->number) : std::nullopt;
  };
  EXPECT_EQ(signal(Sent(SIGTERM)), SIGTERM);
  EXPECT_EQ(signal(KE_VERDICT_DENIED | Sent(SIGKILL)), SIGKILL);
  EXPECT_EQ(signal(WouldSend(SIGHUP)), SIGHUP);
  EXPECT_EQ(signal(Sent(SIGTERM) | WouldSend(SIGKILL)), SIGTERM);
  EXPECT_EQ(signal(Failed(ESRCH) | SIGUSR1 << 8), SIGUSR1);
  EXPECT_EQ(signal(KE_VERDICT_DENIED), std::nullopt);
  EXPECT_EQ(signal(0), std::nullopt);
}

TEST(VerdictTest, ErrorIsThatOfAFailedSignal) {
  EventBuilder builder;
  EXPECT_EQ(Add(builder, kExec, Failed(EAGAIN)).Number(kAlertError), EAGAIN);
  EXPECT_EQ(Add(builder, kExec, Failed(255)).Number(kAlertError), 255u);
  EXPECT_FALSE(Add(builder, kExec, Sent(SIGKILL)).Find(kAlertError).has_value());
  EXPECT_FALSE(Add(builder, kExec, 0, /*missed=*/true).Find(kAlertError).has_value());
}

TEST(VerdictTest, OutcomeIsWhatIsKnownOfTheCall) {
  EventBuilder builder;
  EXPECT_EQ(Add(builder, kOpen, KE_VERDICT_DENIED | Sent(SIGKILL)).Text(kAlertOutcome), "eperm");
  EXPECT_EQ(Add(builder, kOpen, Sent(SIGKILL)).Text(kAlertOutcome), "attempted");
  EXPECT_EQ(Add(builder, kOpen, KE_VERDICT_WOULD_DENY).Text(kAlertOutcome), "attempted");
  EXPECT_EQ(Add(builder, kExec, Sent(SIGKILL)).Text(kAlertOutcome), "ok");
  EXPECT_EQ(Add(builder, kExec, 0).Text(kAlertOutcome), "ok");
  EXPECT_FALSE(Add(builder, EventClass::kProcessExit, 0).Find(kAlertOutcome).has_value());
}

TEST(VerdictTest, WhatWasDoneIsForPeople) {
  for (const uint32_t verdict : {uint32_t{KE_VERDICT_DENIED}, Sent(SIGTERM), Failed(ESRCH),
                                 uint32_t{KE_VERDICT_WOULD_DENY}, WouldSend(SIGTERM)}) {
    EXPECT_TRUE(Acted(verdict)) << verdict;
    EXPECT_TRUE(IsAlert(verdict)) << verdict;
  }
  for (const uint32_t verdict :
       {uint32_t{0}, uint32_t{KE_VERDICT_EXEMPT}, uint32_t{KE_VERDICT_UNDECIDED}}) {
    EXPECT_FALSE(Acted(verdict)) << verdict;
    EXPECT_FALSE(IsAlert(verdict)) << verdict;
  }
  EXPECT_TRUE(IsAlert(KE_VERDICT_UNDECIDED, /*missed=*/true));
}

TEST(VerdictTest, EventIsWellFormed) {
  EventBuilder builder;
  EXPECT_TRUE(
      EventView::Parse(Add(builder, kOpen, KE_VERDICT_DENIED | Sent(9) | Failed(3)).bytes()).ok());
}

}  // namespace
}  // namespace kentry
