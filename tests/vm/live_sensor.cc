// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/live_sensor.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fmt/format.h"
#include "sensor/util/clock.h"

namespace kentry::vm {
namespace {

std::unique_ptr<LiveSensor>& SharedSlot() {
  static auto* slot = new std::unique_ptr<LiveSensor>;
  return *slot;
}

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > 200 ? fmt::format("{}… ({} bytes)", out, text.size()) : out;
}

Seen Nothing(EventClass cls) {
  EventBuilder builder;
  builder.Begin(cls);
  return Seen(builder.View());
}

}  // namespace

Seen::Seen(EventView event) : words_((event.bytes().size() + 7) / 8), size_(event.bytes().size()) {
  std::memcpy(words_.data(), event.bytes().data(), size_);
}

std::vector<std::string> Seen::List(FieldId id) const {
  std::vector<std::string> list;
  std::string_view text = view().Text(id);
  ForEachString(text, [&](std::string_view string) { list.emplace_back(string); });
  return list;
}

bool Seen::Cut(FieldId id) const {
  const std::optional<FieldValue> value = view().Find(id);
  return value && (value->flags & kFieldCut) != 0;
}

std::string Seen::Describe() const {
  std::string out = fmt::format("\n  {} seq {} cpu {}\n", GetClass(cls()).name, view().header().seq,
                                view().header().cpu);
  view().ForEach([&](const FieldDef& field, const FieldValue& value) {
    const bool text = field.type == FieldType::kString || field.type == FieldType::kStringList;
    out += fmt::format("    {}: {}{}\n", field.name,
                       text ? Printable(value.text) : std::to_string(value.number),
                       value.flags != 0 ? " (cut)" : "");
  });
  return out;
}

void PrintTo(const Seen& seen, std::ostream* out) { *out << seen.Describe(); }

std::unique_ptr<LiveSensor> LiveSensor::Start(PipelineOptions options) {
  std::unique_ptr<LiveSensor> sensor(new LiveSensor);
  sensor->journal_reader_ =
      std::make_unique<JournalReader>(sensor->journal_, JournalReader::From::kOldest);
  auto pipeline = Pipeline::Start(std::move(options), &sensor->journal_);
  if (!pipeline.ok()) {
    ADD_FAILURE() << "start the sensor: " << pipeline.status().ToString();
    return nullptr;
  }
  sensor->pipeline_ = *std::move(pipeline);
  return sensor;
}

LiveSensor* LiveSensor::Shared() {
  std::unique_ptr<LiveSensor>& slot = SharedSlot();
  if (slot == nullptr) {
    slot = Start();
    if (slot != nullptr) slot->Go();
  }
  return slot.get();
}

void LiveSensor::StopShared() { SharedSlot().reset(); }

void LiveSensor::Go() {
  read_thread_ = std::thread([this] { Read(); });
  run_thread_ = std::thread([this] { pipeline_->Run(); });
}

void LiveSensor::Stop() {
  if (!run_thread_.joinable()) return;
  pipeline_->Stop();
  run_thread_.join();
  read_thread_.join();
}

void LiveSensor::Read() {
  Batch batch;
  while (true) {
    const ReadResult result = journal_reader_->Next(absl::Seconds(1), &batch);
    if (result == ReadResult::kEnd) return;
    if (result == ReadResult::kTimeout) continue;
    if (batch.missed_count != 0) ADD_FAILURE() << "the journal was too small for this test";
    std::vector<Seen> fresh;
    batch.ForEach([&](EventView event) { fresh.emplace_back(event); });
    absl::MutexLock lock(&mu_);
    for (Seen& event : fresh) {
      if (!take_ || !take_(event)) events_.push_back(std::move(event));
    }
    news_.SignalAll();
  }
}

void LiveSensor::Take(Predicate take) {
  absl::MutexLock lock(&mu_);
  take_ = std::move(take);
}

std::optional<Seen> LiveSensor::Wait(const Predicate& wanted, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  absl::MutexLock lock(&mu_);
  size_t looked_at = 0;
  while (true) {
    for (; looked_at < events_.size(); ++looked_at) {
      if (wanted(events_[looked_at])) return events_[looked_at];
    }
    if (news_.WaitWithDeadline(&mu_, deadline) && looked_at == events_.size()) return std::nullopt;
  }
}

std::optional<Seen> LiveSensor::WaitFor(EventClass cls, uint64_t pid) {
  return Wait([&](const Seen& seen) { return seen.cls() == cls && seen.pid() == pid; });
}

void LiveSensor::Settle() {
  const uint64_t before = BootNowNs();  // pids come back: an older process may have had this one
  Child child([] { return 0; });
  const auto pid = static_cast<uint64_t>(child.pid());
  child.Wait();
  const auto is_its_exit = [&](const Seen& seen) {
    return seen.cls() == EventClass::kProcessExit && seen.pid() == pid &&
           seen.Number(FieldId::kProcessStart) >= before;
  };
  EXPECT_TRUE(Wait(is_its_exit)) << "the sensor shows nothing any more";
}

std::vector<Seen> LiveSensor::Events(const Predicate& wanted) const {
  absl::MutexLock lock(&mu_);
  std::vector<Seen> found;
  for (const Seen& event : events_) {
    if (wanted(event)) found.push_back(event);
  }
  return found;
}

std::vector<Seen> LiveSensor::EventsOf(uint64_t pid) const {
  return Events([&](const Seen& seen) { return seen.pid() == pid; });
}

size_t LiveSensor::CountOf(EventClass cls, uint64_t pid) const {
  return Events([&](const Seen& seen) { return seen.cls() == cls && seen.pid() == pid; }).size();
}

void LiveSensor::Clear() {
  absl::MutexLock lock(&mu_);
  events_.clear();
}

uint64_t LiveSensor::Skipped() {
  if (!HooksCanBeSkipped()) return 0;
  uint64_t skipped = 0;
  const auto sum = [&] {
    for (const ke_type type : {KE_EXEC, KE_FORK, KE_EXIT, KE_EXEC_FAILED, KE_CGROUP, KE_CGROUP_MOVE,
                               KE_FILE_OPEN, KE_EXEC_DENIED}) {
      skipped += pipeline_->kernel().Missed(type);
    }
  };
  if (!pipeline_->Ask(sum)) sum();
  return skipped;
}

bool HooksCanBeSkipped() { return std::atoi(KernelVersion().c_str()) >= 7; }

void SensorTest::SetUp() {
  ASSERT_NE(LiveSensor::Shared(), nullptr);
  sensor().Clear();
  skipped_before_ = sensor().Skipped();
}

void SensorTest::TearDown() {
  if (LiveSensor::Shared() == nullptr) return;
  sensor().Settle();
  const auto is_loss = [](const Seen& seen) {
    const bool skipped = HooksCanBeSkipped() && seen.Text(FieldId::kLossReason) == "hook_missed";
    return seen.cls() == EventClass::kSensorLoss && !skipped;
  };
  for (const Seen& loss : sensor().Events(is_loss)) ADD_FAILURE() << "lost: " << loss.Describe();
}

Seen SensorTest::RunProgram(const Program& program, const std::function<void()>& prepare,
                            ProcFacts* facts) {
  Child child([&]() -> int {
    if (prepare) prepare();
    Exec(program);
  });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_TRUE(child.Execed());
  const Seen exec = ExecOf(pid);
  // Now and no earlier: the pipe ends while the exec is still at work.
  const ProcFacts now = ProcFacts::Of(child.pid());
  ExpectSameProcess(exec, now);
  if (::testing::Test::HasFailure()) std::printf("%s", exec.Describe().c_str());
  EXPECT_EQ(child.Finish(), 0);
  if (facts != nullptr) *facts = now;
  return exec;
}

Seen SensorTest::ExecOf(uint64_t pid) {
  std::optional<Seen> seen = sensor().WaitFor(EventClass::kProcessExec, pid);
  EXPECT_TRUE(seen) << "no exec of " << pid;
  return seen.value_or(Nothing(EventClass::kProcessExec));
}

Seen SensorTest::ExitOf(uint64_t pid) {
  std::optional<Seen> seen = sensor().WaitFor(EventClass::kProcessExit, pid);
  EXPECT_TRUE(seen) << "no exit of " << pid;
  return seen.value_or(Nothing(EventClass::kProcessExit));
}

Seen SensorTest::ForkOf(uint64_t pid) {
  std::optional<Seen> seen = sensor().WaitFor(EventClass::kProcessFork, pid);
  EXPECT_TRUE(seen) << "no fork of " << pid;
  return seen.value_or(Nothing(EventClass::kProcessFork));
}

namespace {

void ExpectSameCredentials(const Seen& event, const ProcFacts& facts) {
  using enum FieldId;
  constexpr std::pair<FieldId, FieldId> kIds[4] = {{kProcessUid, kProcessGid},
                                                   {kProcessEuid, kProcessEgid},
                                                   {kProcessSuid, kProcessSgid},
                                                   {kProcessFsuid, kProcessFsgid}};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(event.Number(kIds[i].first), facts.uid[i]) << GetField(kIds[i].first).name;
    EXPECT_EQ(event.Number(kIds[i].second), facts.gid[i]) << GetField(kIds[i].second).name;
  }
  EXPECT_EQ(event.Number(kProcessCapEffective), facts.cap_effective);
  EXPECT_EQ(event.Number(kProcessCapPermitted), facts.cap_permitted);
  EXPECT_EQ(event.Number(kProcessCapInheritable), facts.cap_inheritable);
  EXPECT_EQ(event.Number(kProcessCapBounding), facts.cap_bounding);
  EXPECT_EQ(event.Number(kProcessCapAmbient), facts.cap_ambient);
  EXPECT_EQ(event.Is(kProcessNoNewPrivs), facts.no_new_privs);
  EXPECT_EQ(event.Number(kProcessLoginUid), facts.login_uid);
  EXPECT_EQ(event.Number(kProcessSession), facts.session);
}

void ExpectSameNamespaces(const Seen& event, const ProcFacts& facts) {
  using enum FieldId;
  const std::pair<FieldId, uint64_t> wanted[] = {
      {kProcessNsMnt, facts.ns_mnt},       {kProcessNsPidNs, facts.ns_pid_ns},
      {kProcessNsNet, facts.ns_net},       {kProcessNsUts, facts.ns_uts},
      {kProcessNsIpc, facts.ns_ipc},       {kProcessNsUser, facts.ns_user},
      {kProcessNsCgroup, facts.ns_cgroup}, {kProcessNsTime, facts.ns_time}};
  for (const auto& [id, inum] : wanted) {
    EXPECT_NE(inum, 0u) << GetField(id).name;
    EXPECT_EQ(event.Number(id), inum) << GetField(id).name;
  }
}

}  // namespace

void ExpectSameProcess(const Seen& event, const ProcFacts& facts) {
  using enum FieldId;
  constexpr uint64_t kTickNs = 10'000'000;
  EXPECT_EQ(event.Number(kProcessPid), facts.pid);
  EXPECT_EQ(event.Number(kProcessNsPid), facts.ns_pid);
  EXPECT_EQ(event.Number(kProcessStart) / kTickNs, facts.start_ticks);
  EXPECT_EQ(event.Number(kParentPid), facts.parent);
  EXPECT_EQ(event.Text(kProcessName), facts.name);
  EXPECT_EQ(event.Number(kProcessBinaryDev), facts.exe_dev);
  EXPECT_EQ(event.Number(kProcessBinaryIno), facts.exe_ino);
  EXPECT_EQ(event.Number(kProcessBinaryMode), facts.exe_mode);
  EXPECT_EQ(event.Number(kCgroupId), facts.cgroup_id);
  if (!event.Cut(kProcessArgs)) {
    EXPECT_EQ(event.Text(kProcessArgs), facts.cmdline);
  }
  EXPECT_FALSE(event.Is(kProcessUnknown));
  EXPECT_FALSE(event.Is(kCgroupUnknown));
  ExpectSameCredentials(event, facts);
  ExpectSameNamespaces(event, facts);
}

}  // namespace kentry::vm
