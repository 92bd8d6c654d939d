// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exporters/encode/json.h"
#include "exporters/sink/test_sinks.h"
#include "nlohmann/json.hpp"
#include "sensor/util/mutex.h"
#include "tests/unit/exporters/encode/sample_events.h"

namespace kentry {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

// A sink that does what the test tells it, one answer a call, and then takes everything.
class ScriptedSink final : public Sink {
 public:
  struct Answer {
    size_t taken = 0;
    absl::Status status;
  };
  explicit ScriptedSink(std::vector<Answer> answers) : answers_(std::move(answers)) {}

  absl::Status Write(std::string_view* rest) override {
    Answer answer{rest->size(), absl::OkStatus()};
    if (next_ < answers_.size()) answer = answers_[next_++];
    const size_t taken = std::min(answer.taken, rest->size());
    MutexLock lock(&mu_);
    contents_.append(rest->substr(0, taken));
    rest->remove_prefix(taken);
    return answer.status;
  }
  absl::Status Flush(absl::Duration /*timeout*/) override { return absl::OkStatus(); }

  std::string contents() const {
    MutexLock lock(&mu_);
    return contents_;
  }

 private:
  const std::vector<Answer> answers_;
  size_t next_ = 0;
  mutable Mutex mu_;
  std::string contents_ ABSL_GUARDED_BY(mu_);
};

// A sink that blocks in its first Write until it is cancelled or let go.
class BlockingSink final : public Sink {
 public:
  absl::Status Write(std::string_view* rest) override {
    MutexLock lock(&mu_);
    entered_ = true;
    changed_.SignalAll();
    while (!open_) changed_.WaitUntil(&mu_, DeadlineAfter(kLong));
    if (cancelled_) return absl::CancelledError("cancelled");
    *rest = {};
    return absl::OkStatus();
  }
  absl::Status Flush(absl::Duration /*timeout*/) override { return absl::OkStatus(); }
  void Cancel() override {
    MutexLock lock(&mu_);
    cancelled_ = true;
    open_ = true;
    changed_.SignalAll();
  }
  void LetGo() {
    MutexLock lock(&mu_);
    open_ = true;
    changed_.SignalAll();
  }
  void AwaitEntered() {
    MutexLock lock(&mu_);
    while (!entered_) changed_.WaitUntil(&mu_, DeadlineAfter(kLong));
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool entered_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

void AppendExecs(Journal& journal, int count, EventClass cls = EventClass::kProcessExec) {
  EventBuilder builder;
  for (int i = 0; i < count; ++i) {
    journal.Append(Sample(builder, cls, {Num(FieldId::kProcessPid, 42)}));
  }
  journal.Commit();
}

std::vector<nlohmann::json> Lines(std::string_view text) {
  std::vector<nlohmann::json> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    EXPECT_NE(end, std::string_view::npos) << "torn line";
    if (end == std::string_view::npos) break;
    lines.push_back(nlohmann::json::parse(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return lines;
}

OutputOptions Fast() {
  return {.first_retry = absl::Milliseconds(1), .last_retry = absl::Milliseconds(2)};
}

TEST(OutputTest, WritesWhatIsCommittedAndStopDrainsIt) {
  Journal journal(1 << 20);
  auto sink = std::make_unique<CaptureSink>();
  const CaptureSink& capture = *sink;
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), {});
  AppendExecs(journal, 1000);
  EXPECT_TRUE(output.Stop(kLong).ok());
  const auto lines = Lines(capture.contents());
  ASSERT_EQ(lines.size(), 1000u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].at("id"), i + 1);
  const OutputStats stats = output.stats();
  EXPECT_EQ(stats.events, 1000u);
  EXPECT_EQ(stats.bytes, capture.contents().size());
  EXPECT_EQ(stats.missed + stats.skipped + stats.errors + stats.unwritten, 0u);
  EXPECT_TRUE(stats.ended);
}

TEST(OutputTest, EndsWhenTheJournalIsClosed) {
  Journal journal(1 << 20);
  auto sink = std::make_unique<DiscardSink>();
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), {});
  AppendExecs(journal, 3);
  journal.Close();
  while (!output.stats().ended) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(output.stats().events, 3u);
}

TEST(OutputTest, ClassesThatAreNotWantedAreSkippedAndCounted) {
  Journal journal(1 << 20);
  auto sink = std::make_unique<CaptureSink>();
  const CaptureSink& capture = *sink;
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink),
                {.classes = ClassBit(EventClass::kProcessExit)});
  AppendExecs(journal, 5);
  AppendExecs(journal, 2, EventClass::kProcessExit);
  EXPECT_TRUE(output.Stop(kLong).ok());
  EXPECT_EQ(Lines(capture.contents()).size(), 2u);
  EXPECT_EQ(output.stats().events, 2u);
  EXPECT_EQ(output.stats().skipped, 5u);
}

TEST(OutputTest, AlertsPassTheFilterOfClasses) {
  Journal journal(1 << 20);
  auto sink = std::make_unique<CaptureSink>();
  const CaptureSink& capture = *sink;
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink),
                {.classes = ClassBit(EventClass::kProcessExit)});
  EventBuilder builder;
  for (const uint32_t flags : {uint32_t{0}, uint32_t{kEventPartial}, uint32_t{kEventAlert}}) {
    Sample(builder, EventClass::kFileOpen, {Num(FieldId::kProcessPid, 42)});
    builder.header().flags = flags;
    journal.Append(builder.View());
  }
  journal.Commit();
  EXPECT_TRUE(output.Stop(kLong).ok());
  const auto lines = Lines(capture.contents());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("id"), 3);
  EXPECT_EQ(output.stats().events, 1u);
  EXPECT_EQ(output.stats().skipped, 2u);
}

TEST(OutputTest, TemporaryErrorIsRetriedWithoutTearingOrDoublingALine) {
  Journal journal(1 << 20);
  const absl::Status full = absl::ResourceExhaustedError("disk full");
  auto sink = std::make_unique<ScriptedSink>(
      std::vector<ScriptedSink::Answer>{{10, full}, {0, full}, {100, full}});
  const ScriptedSink& scripted = *sink;
  AppendExecs(journal, 20);
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), Fast());
  EXPECT_TRUE(output.Stop(kLong).ok());
  EXPECT_EQ(Lines(scripted.contents()).size(), 20u);
  EXPECT_EQ(output.stats().errors, 3u);
  EXPECT_EQ(output.stats().bytes, scripted.contents().size());
}

TEST(OutputTest, GoneReaderEndsTheOutputAndIsTold) {
  Journal journal({.max_bytes = 1 << 20, .keep_bytes = 0, .chunk_bytes = 4096});
  auto sink = std::make_unique<ScriptedSink>(
      std::vector<ScriptedSink::Answer>{{0, absl::FailedPreconditionError("pipe closed")}});
  std::promise<std::string> told;
  OutputOptions options = Fast();
  options.on_end = [&](const absl::Status& status) {
    told.set_value(std::string(status.message()));
  };
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), options);
  AppendExecs(journal, 5);
  EXPECT_THAT(told.get_future().get(), HasSubstr("pipe closed"));
  AppendExecs(journal, 5000);
  EXPECT_EQ(output.Stop(kLong).code(), absl::StatusCode::kFailedPrecondition);
  const OutputStats stats = output.stats();
  EXPECT_EQ(stats.events, 0u);
  EXPECT_EQ(stats.unwritten + stats.missed, 5005u);
  EXPECT_LE(journal.stats().memory_bytes, 3u * 4096) << "an ended output must not hold memory";
}

TEST(OutputTest, StopCancelsASinkThatBlocks) {
  Journal journal(1 << 20);
  auto sink = std::make_unique<BlockingSink>();
  BlockingSink& blocking = *sink;
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), {});
  AppendExecs(journal, 5);
  blocking.AwaitEntered();
  const absl::Time start = absl::Now();
  EXPECT_EQ(output.Stop(absl::Milliseconds(20)).code(), absl::StatusCode::kCancelled);
  EXPECT_LT(absl::Now() - start, kLong / 2);
  EXPECT_EQ(output.stats().unwritten, 5u);
}

TEST(OutputTest, StopGivesUpOnAnErrorThatStaysAndSaysWhich) {
  Journal journal(1 << 20);
  std::vector<ScriptedSink::Answer> answers(100000, {0, absl::ResourceExhaustedError("disk full")});
  auto sink = std::make_unique<ScriptedSink>(std::move(answers));
  Output output(journal, std::make_unique<JsonEncoder>(), std::move(sink), Fast());
  AppendExecs(journal, 5);
  const absl::Status status = output.Stop(absl::Milliseconds(30));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(output.stats().errors, 1u);
  EXPECT_EQ(output.stats().unwritten, 5u);
}

TEST(OutputTest, MissedEventsAreReportedInTheirPlaceWithTheirIds) {
  Journal journal({.max_bytes = 16384, .chunk_bytes = 1024});
  auto blocking = std::make_unique<BlockingSink>();
  BlockingSink& gate = *blocking;
  // One sink that blocks first and captures then: the block makes the output fall behind.
  class Gated final : public Sink {
   public:
    Gated(std::unique_ptr<BlockingSink> gate, CaptureSink& capture)
        : gate_(std::move(gate)), capture_(capture) {}
    absl::Status Write(std::string_view* rest) override {
      std::string_view copy = *rest;
      if (const absl::Status status = gate_->Write(&copy); !status.ok()) return status;
      return capture_.Write(rest);
    }
    absl::Status Flush(absl::Duration /*timeout*/) override { return absl::OkStatus(); }

   private:
    const std::unique_ptr<BlockingSink> gate_;
    CaptureSink& capture_;
  };
  CaptureSink capture;
  Output output(journal, std::make_unique<JsonEncoder>(),
                std::make_unique<Gated>(std::move(blocking), capture), {});
  AppendExecs(journal, 1);
  gate.AwaitEntered();
  AppendExecs(journal, 2000);
  gate.LetGo();
  EXPECT_TRUE(output.Stop(kLong).ok());
  const auto lines = Lines(capture.contents());
  uint64_t next = 1;
  uint64_t missed = 0;
  for (const auto& line : lines) {
    if (line.at("class") == "sensor.loss") {
      const auto& loss = line.at("loss");
      EXPECT_EQ(loss.at("reason"), "journal_full");
      EXPECT_EQ(loss.at("first_seq"), next);
      missed += loss.at("count").get<uint64_t>();
      next += loss.at("count").get<uint64_t>();
      EXPECT_EQ(loss.at("last_seq"), next - 1);
      EXPECT_EQ(line.at("id"), next - 1);
      EXPECT_EQ(line.at("time"), "2026-11-23T03:04:05.123456789Z");
    } else {
      EXPECT_EQ(line.at("id"), next);
      ++next;
    }
  }
  EXPECT_GT(missed, 0u);
  EXPECT_EQ(next, 2002u) << "written and missed make up everything";
  EXPECT_EQ(output.stats().missed, missed);
  EXPECT_EQ(output.stats().events + missed, 2001u);
}

TEST(OutputTest, SlowOutputDoesNotHoldUpAnother) {
  Journal journal(1 << 20);
  auto blocking = std::make_unique<BlockingSink>();
  auto capturing = std::make_unique<CaptureSink>();
  const CaptureSink& capture = *capturing;
  Output slow(journal, std::make_unique<JsonEncoder>(), std::move(blocking), {});
  Output fast(journal, std::make_unique<JsonEncoder>(), std::move(capturing), {});
  AppendExecs(journal, 100);
  EXPECT_TRUE(fast.Stop(kLong).ok());
  EXPECT_EQ(Lines(capture.contents()).size(), 100u);
  EXPECT_EQ(slow.stats().events, 0u);
}

TEST(OutputTest, DestroyedWithoutStopItGoesAtOnce) {
  Journal journal(1 << 20);
  AppendExecs(journal, 10);
  Output output(journal, std::make_unique<JsonEncoder>(), std::make_unique<BlockingSink>(), {});
}

}  // namespace
}  // namespace kentry
