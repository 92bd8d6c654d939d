// SPDX-License-Identifier: Apache-2.0
// The way from the kernel to user space: in order, and without waking the reader for each event.
#include <unistd.h>

#include <set>

#include "sensor/util/clock.h"
#include "tests/vm/live_sensor.h"
#include "tests/vm/raw_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

// The kernel side alone, loaded once.
class RingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    LiveSensor::StopShared();
    kernel_ = LoadKernel();
    ASSERT_NE(kernel_, nullptr);
    ASSERT_TRUE(kernel_->Attach().ok());
  }
  static void TearDownTestSuite() { kernel_.reset(); }
  void SetUp() override {
    ASSERT_NE(kernel_, nullptr);
    DrainAll(*kernel_);
  }

  static inline std::unique_ptr<Kernel> kernel_;
};

TEST_F(RingTest, RecordsOfAllCpusComeInTheOrderOfTheirTime) {
  const uint64_t before = kernel_->rings().stats().records;
  // Long enough for a CPU that stands still between the record's time and its commit.
  constexpr uint64_t kHoldBack = 500 * kMillisecond;
  uint64_t last = 0;
  uint64_t backwards = 0;
  uint64_t records = 0;
  std::set<uint32_t> cpus;
  const auto check = [&](std::span<const uint8_t> bytes) {
    const auto& hdr = *reinterpret_cast<const ke_hdr*>(bytes.data());
    backwards += hdr.ktime_ns < last;
    last = hdr.ktime_ns;
    cpus.insert(hdr.cpu);
    ++records;
  };
  Child producer([] {
    RunExecs(400);
    return 0;
  });
  while (producer.Next()) {
  }
  for (int i = 0; i < 200; ++i) {
    kernel_->rings().Drain(BootNowNs() - kHoldBack, check);
    usleep(5'000);
  }
  EXPECT_EQ(producer.Wait(), 0);
  kernel_->rings().Drain(UINT64_MAX, check);
  EXPECT_EQ(backwards, 0u);
  EXPECT_EQ(kernel_->rings().stats().out_of_order, 0u);
  EXPECT_EQ(kernel_->rings().stats().unreadable, 0u);
  EXPECT_EQ(kernel_->rings().stats().records - before, records);
  EXPECT_GE(records, 3 * 400u);
  EXPECT_EQ(cpus.size(), static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  uint64_t lost = 0;
  for (const ke_type type : {KE_EXEC, KE_FORK, KE_EXIT}) lost += Sum(*kernel_, type).lost;
  EXPECT_EQ(lost, 0u);
}

TEST_F(RingTest, DrainStopsAtTheTimeItWasGiven) {
  RunExecs(2);
  const uint64_t border = BootNowNs();
  RunExecs(2);
  uint64_t newest = 0;
  const auto note = [&](std::span<const uint8_t> bytes) {
    newest = reinterpret_cast<const ke_hdr*>(bytes.data())->ktime_ns;
  };
  EXPECT_GT(kernel_->rings().Drain(border, note), 0u);
  EXPECT_LE(newest, border);
  EXPECT_GT(kernel_->rings().Drain(UINT64_MAX, note), 0u);
  EXPECT_GT(newest, border);
}

class ChannelTest : public SensorTest {
 protected:
  struct Counters {
    uint64_t polls = 0;
    uint64_t wakeups = 0;
    uint64_t records = 0;
  };
  Counters Now() {
    Counters now;
    EXPECT_TRUE(sensor().pipeline().Ask([&] {
      Kernel& kernel = sensor().pipeline().kernel();
      now = {kernel.rings().stats().polls, kernel.wakeups(), kernel.rings().stats().records};
    }));
    return now;
  }
};

TEST_F(ChannelTest, ManyEventsShareAWakeup) {
  const Counters before = Now();
  RunExecs(300);
  sensor().Settle();
  const Counters after = Now();
  const uint64_t records = after.records - before.records;
  EXPECT_GE(records, 3 * 300u);
  EXPECT_LT(after.wakeups - before.wakeups, records / 10);
}

TEST_F(ChannelTest, SilenceCostsFewPolls) {
  sensor().Settle();
  sleep(1);  // the poll backs off
  const Counters before = Now();
  const uint64_t start = BootNowNs();
  sleep(3);
  const uint64_t seconds = (BootNowNs() - start) / kSecond + 1;
  const Counters after = Now();
  EXPECT_LE(after.polls - before.polls, 8 * seconds);
  EXPECT_LE(after.wakeups - before.wakeups, 2 * seconds);
}

TEST_F(ChannelTest, FirstEventAfterSilenceIsSeen) {
  for (int i = 0; i < 3; ++i) {
    sleep(1);
    const Counters before = Now();
    sensor().Settle();
    EXPECT_GT(Now().records, before.records);
  }
}

}  // namespace
}  // namespace kentry::vm
