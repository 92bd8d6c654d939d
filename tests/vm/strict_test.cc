// SPDX-License-Identifier: Apache-2.0
// What a strict rule covers is recorded or doesn't happen, and floods don't push out what matters.
// Nobody reads while these tests act: they fill small rings, then drain them.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmt/format.h"
#include "tests/vm/open_ways.h"
#include "tests/vm/raw_sensor.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr int kMany = 600;  // opens: more than both rings of a CPU hold
constexpr int kFew = 20;
constexpr int kVictimUid = 4711;

// What came of tries by one process.
struct Tries {
  int64_t done = 0;
  int64_t refused = 0;
};

// Tries it on the first CPU, so that all records are for the same rings.
Tries Try(int count, const std::function<int()>& once) {
  Child child([&] {
    PinToCpu(0);
    Tries tries;
    for (int i = 0; i < count; ++i) {
      const int error = once();
      tries.done += error == 0 ? 1 : 0;
      tries.refused += error == EPERM ? 1 : 0;
    }
    Tell(tries.done);
    Tell(tries.refused);
    return 0;
  });
  const Tries tries{.done = child.Next().value_or(-1), .refused = child.Next().value_or(-1)};
  EXPECT_EQ(child.Finish(), 0);
  EXPECT_EQ(tries.done + tries.refused, count);
  return tries;
}

int Result(int64_t returned) { return returned >= 0 ? 0 : errno; }

class StrictTest : public OwnSensorTest {
 protected:
  static void SetUpTestSuite() {
    LiveSensor::StopShared();
    sensor_ =
        LiveSensor::Start({.kernel = {.ring_bytes = kTinyRing, .prio_ring_bytes = kTinyRing}});
    secret_ = std::make_unique<Secret>();
    WriteFile(Plain(), "plain\n");
  }
  static void TearDownTestSuite() {
    sensor_.reset();
    secret_.reset();
  }
  void SetUp() override { ASSERT_NE(sensor_, nullptr); }

  static std::string Plain() { return secret_->folder() + "/plain"; }
  static Pipeline& pipeline() { return sensor_->pipeline(); }

  // `set`: keys of the rule set.
  void Load(std::string_view set) {
    const std::string vault = fmt::format("file.path.startsWith(\"{}/\")", secret_->vault());
    auto engine = MakeEngine(
        fmt::format("{}\nrules:\n"
                    "  - {{name: strict, on: file.open, when: '{}', record: required}}\n"
                    "  - {{name: gone, on: file.unlink, when: '{}', then: log, record: required}}\n"
                    "  - {{name: asked, on: process.signal, when: 'target.uid == {}', record: "
                    "required}}\n"
                    "  - {{name: read, on: process.ptrace, when: 'target.uid == {}', record: "
                    "required}}\n"
                    "  - {{name: plain, on: file.open, when: 'file.path == \"{}\"'}}\n",
                    set, vault, vault, kVictimUid, kVictimUid, Plain()));
    ASSERT_NE(engine, nullptr);
    const absl::Status status = pipeline().LoadRules(std::move(engine));
    ASSERT_TRUE(status.ok()) << status;
    Drain();
  }
  // All there is. Twice: counters that were read before the last drain can be older than losses.
  static void ReadAll() {
    for (int i = 0; i < 2; ++i) pipeline().Poll(UINT64_MAX);
  }
  // The same, and counts from here on.
  void Drain() {
    ReadAll();
    for (const ke_type type : {KE_FILE_OPEN, KE_FILE_UNLINK, KE_SIGNAL, KE_PTRACE}) {
      before_[type] = Now(type);
    }
    for (size_t site = 0; site < sites_before_.size(); ++site) sites_before_[site] = SiteNow(site);
  }
  uint64_t Delivered(ke_type type) const { return Now(type).delivered - before_[type].delivered; }
  uint64_t Lost(ke_type type) const { return Now(type).lost - before_[type].lost; }
  uint64_t Count(ke_site site) const { return SiteNow(site) - sites_before_[site]; }

  static Tries Open(const std::string& path, int count) {
    return Try(count, [&] { return OpenAndClose(path); });
  }

  static inline std::unique_ptr<LiveSensor> sensor_;
  static inline std::unique_ptr<Secret> secret_;

 private:
  static ClassTotals Now(ke_type type) { return pipeline().Totals(type); }
  static uint64_t SiteNow(size_t site) {
    uint64_t sum = 0;
    for (int cpu = 0; cpu < pipeline().kernel().cpu_count(); ++cpu) {
      sum += pipeline().kernel().stats(cpu).sites[site];
    }
    return sum;
  }

  std::array<ClassTotals, KE_TYPE_MAX> before_{};
  std::array<uint64_t, KE_SITE_MAX> sites_before_{};
};

TEST_F(StrictTest, MonitorModeOnlyCounts) {
  Load("mode: monitor");
  EXPECT_EQ(Open(secret_->path(), kMany).done, kMany);
  const uint64_t watched = Count(KE_SITE_STRICT_WATCHED);
  EXPECT_GT(watched, 0u);
  EXPECT_EQ(Count(KE_SITE_STRICT_REFUSED), 0u);
  ReadAll();
  EXPECT_EQ(Lost(KE_FILE_OPEN), watched);
}

TEST_F(StrictTest, WhatCannotBeRecordedDoesNotHappen) {
  Load("mode: enforce\nstall-after: 1h");
  const Tries opens = Open(secret_->path(), kMany);
  EXPECT_GT(opens.done, 0);
  EXPECT_GT(opens.refused, 0);
  EXPECT_EQ(Count(KE_SITE_STRICT_REFUSED), static_cast<uint64_t>(opens.refused));
  EXPECT_EQ(Open(Plain(), kFew).done, kFew) << "the other rule is not strict";
  // Longer names than the file's: for their records there is no room either.
  const std::string made = secret_->vault() + "/made-by-nobody";
  EXPECT_EQ(
      Try(kFew, [&] { return Result(Fd(open(made.c_str(), O_CREAT | O_WRONLY, 0600)).get()); })
          .refused,
      kFew);
  EXPECT_EQ(Try(kFew, [&] { return Result(mknod(made.c_str(), S_IFREG | 0600, 0)); }).refused,
            kFew);
  EXPECT_NE(access(made.c_str(), F_OK), 0) << "it was made";
  EXPECT_EQ(Try(kFew, [&] { return Result(unlink(secret_->path().c_str())); }).refused, kFew);
  EXPECT_EQ(access(secret_->path().c_str(), F_OK), 0) << "it is gone";
  ReadAll();
  EXPECT_EQ(Delivered(KE_FILE_OPEN), static_cast<uint64_t>(opens.done));
  EXPECT_EQ(Delivered(KE_FILE_UNLINK), 0u);
  EXPECT_EQ(Count(KE_SITE_STRICT_STALLED) + Count(KE_SITE_STRICT_WATCHED), 0u);

  Drain();  // there is room again
  EXPECT_EQ(Open(secret_->path(), kFew).done, kFew);
  EXPECT_EQ(
      Try(1, [&] { return Result(Fd(open(made.c_str(), O_CREAT | O_WRONLY, 0600)).get()); }).done,
      1);
  EXPECT_EQ(Try(1, [&] { return Result(unlink(made.c_str())); }).done, 1);
  ReadAll();
  EXPECT_EQ(Delivered(KE_FILE_OPEN), kFew + 2u) << "the creation, and the open";
  EXPECT_EQ(Delivered(KE_FILE_UNLINK), 1u);
  EXPECT_EQ(Lost(KE_FILE_OPEN) + Lost(KE_FILE_UNLINK), 0u);
}

// Their records are shorter than those of the opens that filled the rings: some may fit.
TEST_F(StrictTest, WhatCannotBeRecordedIsDoneToNoProcess) {
  Child victim([] {
    Must(setresuid(kVictimUid, kVictimUid, kVictimUid), "setresuid");
    Tell(1);
    char end = 0;
    return static_cast<int>(read(STDIN_FILENO, &end, 1));
  });
  victim.Next();
  Load("mode: enforce\nstall-after: 1h");
  const auto ask = [&] { return Result(kill(victim.pid(), 0)); };
  const auto look = [&] {
    char byte = 0;
    iovec mine{&byte, 1};
    static char there = 0;  // in the other one too
    iovec theirs{&there, 1};
    return Result(process_vm_readv(victim.pid(), &mine, 1, &theirs, 1, 0));
  };
  EXPECT_GT(Open(secret_->path(), kMany).refused, 0);
  const Tries asks = Try(kFew, ask);
  const Tries looks = Try(kFew, look);
  EXPECT_GT(asks.refused, kFew / 2);
  EXPECT_GT(looks.refused, kFew / 2);
  ReadAll();
  EXPECT_EQ(Delivered(KE_SIGNAL), static_cast<uint64_t>(asks.done));
  EXPECT_EQ(Delivered(KE_PTRACE), static_cast<uint64_t>(looks.done));

  Drain();
  EXPECT_EQ(Try(kFew, ask).done, kFew);
  EXPECT_EQ(Try(kFew, look).done, kFew);
  ReadAll();
  EXPECT_EQ(Delivered(KE_SIGNAL), static_cast<uint64_t>(kFew));
  EXPECT_EQ(Delivered(KE_PTRACE), static_cast<uint64_t>(kFew));
}

TEST_F(StrictTest, AReaderThatStalledLocksNothingUnlessTheSetSaysSo) {
  Load("mode: enforce\nstall-after: 1s");
  usleep(1'200'000);
  EXPECT_EQ(Open(secret_->path(), kMany).done, kMany);
  const uint64_t stalled = Count(KE_SITE_STRICT_STALLED);
  EXPECT_GT(stalled, 0u);
  ReadAll();
  EXPECT_EQ(Lost(KE_FILE_OPEN), stalled);

  Load("mode: enforce\nstall-after: 1s\non-stall: deny");
  usleep(1'200'000);
  const Tries opens = Open(secret_->path(), kMany);
  EXPECT_GT(opens.refused, 0);
  EXPECT_EQ(Count(KE_SITE_STRICT_REFUSED), static_cast<uint64_t>(opens.refused));
  EXPECT_EQ(Count(KE_SITE_STRICT_STALLED), 0u);
}

TEST_F(StrictTest, AlertsOfOtherRulesLeaveRoomForStrictOnes) {
  Load("mode: enforce\nstall-after: 1h");
  EXPECT_EQ(Open(Plain(), kMany).done, kMany);
  const Tries opens = Open(secret_->path(), kFew);
  EXPECT_EQ(opens.done, kFew);
  ReadAll();
  EXPECT_GT(Lost(KE_FILE_OPEN), 0u) << "the rings were too large for this test";
  EXPECT_EQ(Count(KE_SITE_STRICT_REFUSED), 0u);
}

TEST_F(StrictTest, AFloodOfOrdinaryRecordsPushesNoAlertOut) {
  Load("mode: monitor");
  const uint64_t before = pipeline().Totals(KE_EXEC).lost;
  RunExecs(300);
  EXPECT_EQ(Open(Plain(), kFew).done, kFew);
  RunExecs(100);
  ReadAll();
  EXPECT_GT(pipeline().Totals(KE_EXEC).lost - before, 0u) << "the ring was too large for this test";
  EXPECT_EQ(Delivered(KE_FILE_OPEN), static_cast<uint64_t>(kFew));
  EXPECT_EQ(Lost(KE_FILE_OPEN), 0u);
}

// The last of them: from here on somebody reads.
TEST_F(StrictTest, WhatWasRefusedIsTold) {
  Load("mode: enforce\nstall-after: 1h");
  const auto refused = static_cast<uint64_t>(Open(secret_->path(), kMany).refused);
  EXPECT_GT(refused, 0u);
  sensor_->Go();
  const auto told = sensor_->Wait([&](const Seen& seen) {
    return seen.cls() == EventClass::kSensorLoss && seen.Text(kLossReason) == "strict_refused" &&
           seen.Number(kLossCount) == refused;
  });
  EXPECT_TRUE(told.has_value());
  sensor_->Settle();
  EXPECT_EQ(Open(secret_->path(), kFew).done, kFew);
}

}  // namespace
}  // namespace kentry::vm
