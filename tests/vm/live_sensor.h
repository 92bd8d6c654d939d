// SPDX-License-Identifier: Apache-2.0
// A whole sensor in the test's process: the pipeline on a thread of its own, and copies of the
// events that it writes into its journal.
#ifndef KENTRY_TESTS_VM_LIVE_SENSOR_H_
#define KENTRY_TESTS_VM_LIVE_SENSOR_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "sensor/event/event.h"
#include "sensor/journal/journal.h"
#include "sensor/pipeline/pipeline.h"
#include "tests/vm/child.h"

namespace kentry::vm {

// How long a test waits for what must come: long, because the machine is emulated.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// A copy of one event.
class Seen {
 public:
  explicit Seen(EventView event);

  EventView view() const {
    return EventView::Trusted({reinterpret_cast<const uint8_t*>(words_.data()), size_});
  }
  EventClass cls() const { return view().cls(); }
  uint64_t pid() const { return Number(FieldId::kProcessPid); }
  bool Has(FieldId id) const { return view().Find(id).has_value(); }
  uint64_t Number(FieldId id) const { return view().Number(id, 0); }
  bool Is(FieldId id) const { return Number(id) != 0; }
  std::string Text(FieldId id) const { return std::string(view().Text(id)); }
  std::vector<std::string> List(FieldId id) const;
  // The value is there and is not whole.
  bool Cut(FieldId id) const;
  // All fields, one a line, for a failed test's message.
  std::string Describe() const;

 private:
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

void PrintTo(const Seen& seen, std::ostream* out);

class LiveSensor {
 public:
  using Predicate = std::function<bool(const Seen&)>;

  // Loads and attaches; events are read once Go() was called.
  static std::unique_ptr<LiveSensor> Start(PipelineOptions options = {});
  // The sensor that tests share which need nothing special of it, running.
  static LiveSensor* Shared();
  static void StopShared();
  ~LiveSensor() { Stop(); }

  void Go();
  // Ends Run and waits until all that it wrote was read; the pipeline's counters stay. Idempotent.
  void Stop();

  // From now on `take` is called with each event as it is read, and those for which it returns true
  // are not kept: for loads whose events no memory holds. It is called on another thread and must
  // not use this object; after the next Take it is not called any more. Settle needs the exits of
  // this process's children.
  void Take(Predicate take);
  // The first kept event for which `wanted` is true; waits for it.
  std::optional<Seen> Wait(const Predicate& wanted, absl::Duration timeout = kPatience);
  std::optional<Seen> WaitFor(EventClass cls, uint64_t pid);
  // Waits until every event that happened before the call was read.
  void Settle();
  // Kept events.
  std::vector<Seen> Events(const Predicate& wanted) const;
  std::vector<Seen> EventsOf(uint64_t pid) const;
  size_t CountOf(EventClass cls, uint64_t pid) const;
  // Forgets what was read.
  void Clear();
  // Runs of hooks that the kernel skipped since the start, where it may do so: see
  // HooksCanBeSkipped. Elsewhere each is reported as lost and fails the test.
  uint64_t Skipped();

  Pipeline& pipeline() { return *pipeline_; }

 private:
  LiveSensor() : journal_(64u << 20) {}
  void Read();

  Journal journal_;
  std::unique_ptr<JournalReader> journal_reader_;
  std::unique_ptr<Pipeline> pipeline_;
  std::thread run_thread_;
  std::thread read_thread_;
  mutable absl::Mutex mu_;
  absl::CondVar news_;
  Predicate take_ ABSL_GUARDED_BY(mu_);
  std::deque<Seen> events_ ABSL_GUARDED_BY(mu_);
};

// A test with the shared sensor. It fails when an event was lost while it ran.
class SensorTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  LiveSensor& sensor() { return *LiveSensor::Shared(); }
  // LiveSensor::Skipped since the test began.
  uint64_t Skipped() { return sensor().Skipped() - skipped_before_; }
  // Executes `program` in a new process that did `prepare` before, compares the event with what
  // /proc says of the running program (which goes to *facts), ends it and returns the event.
  Seen RunProgram(const Program& program, const std::function<void()>& prepare = {},
                  ProcFacts* facts = nullptr);
  // The exec of `pid`; a failed test and an empty event when it doesn't come.
  Seen ExecOf(uint64_t pid);
  Seen ExitOf(uint64_t pid);
  Seen ForkOf(uint64_t pid);

 private:
  uint64_t skipped_before_ = 0;
};

// Tracepoints of 7.x can be preempted. A task that preempts a hook and comes to the same hook on
// the same CPU finds it busy: the kernel skips the run and counts it. The sensor reports it as
// lost; a test that counts thousands of events has nothing to count then.
bool HooksCanBeSkipped();

// A test that starts sensors of its own.
class OwnSensorTest : public ::testing::Test {
 protected:
  void SetUp() override { LiveSensor::StopShared(); }
};

// Compares all that an exec or existing event says of its process with what /proc says. argv is
// compared where the event has all of it.
void ExpectSameProcess(const Seen& event, const ProcFacts& facts);

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_LIVE_SENSOR_H_
