// SPDX-License-Identifier: Apache-2.0
// The pipeline's loop, and what is done in it now and then.
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "sensor/pipeline/pipeline.h"
#include "sensor/util/clock.h"

namespace kentry {
namespace {

// How long a record waits for an older one of another CPU: longer than a hook runs.
constexpr uint64_t kHoldBackNs = 2 * kMillisecond;
constexpr int kShortestWaitMs = 10;
constexpr int kLongestWaitMs = 250;
constexpr uint64_t kHousekeepingNs = kSecond;
constexpr uint64_t kResyncNs = 5 * kSecond;

}  // namespace

void Pipeline::Housekeeping(uint64_t now_ns) {
  if (now_ns < next_housekeeping_ns_) return;
  next_housekeeping_ns_ = now_ns + kHousekeepingNs;
  maker_.set_wall_offset(static_cast<int64_t>(NowNs(CLOCK_REALTIME) - BootNowNs()));
  CheckMissed();
  CheckHooks();
  processes_.Sweep(now_ns);
  cgroups_.Sweep(now_ns);
  kills_.Sweep(now_ns);
  if (RuleEngine* engine = rules_.current(); engine != nullptr) {
    rules_.Refresh();
    std::vector<Limiter::Suppressed> suppressed;
    engine->TakeSuppressed(now_ns, &suppressed);
    for (const auto& one : suppressed) ReportSuppressed(engine->rules().rules[one.rule].name, one);
  }
  if ((resync_processes_ || resync_cgroups_) && now_ns >= next_resync_ns_) Resync(now_ns);
}

// After a loss the tables may be wrong: the iterator and the walk say how things stand.
void Pipeline::Resync(uint64_t now_ns) {
  next_resync_ns_ = now_ns + kResyncNs;
  if (resync_cgroups_) {
    cgroups_.StartResync();
    (void)WalkCgroupMount();
    cgroups_.FinishResync(now_ns);
    rules_.OnCgroupsResynced();
  }
  processes_.StartResync();
  if (ReadProcesses(/*pending=*/false).ok()) processes_.FinishResync(now_ns);
  resync_processes_ = resync_cgroups_ = false;
}

void Pipeline::Run() {
  int wait_ms = kShortestWaitMs;
  while (!stop_.load(std::memory_order_relaxed)) {
    const uint64_t now = BootNowNs();
    const uint64_t count = Poll(now - kHoldBackNs);
    Housekeeping(now);
    AnswerQuestions();
    const bool busy = count != 0 || kernel_->rings().stats().held_back != 0;
    wait_ms = busy ? kShortestWaitMs : std::min(2 * wait_ms, kLongestWaitMs);
    kernel_->rings().Wait(wait_ms, /*idle=*/wait_ms > kShortestWaitMs);
  }
  kernel_->Detach();
  Poll(UINT64_MAX);
  // Once more: the counters read before the last drain can be older than its losses.
  Poll(UINT64_MAX);
  CheckMissed();
  AppendSensorEvent(EventClass::kSensorStop);
  journal_.Close();
  MutexLock lock(&mu_);
  ended_ = true;
  answers_.SignalAll();
}

void Pipeline::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof(one));
}

bool Pipeline::Ask(const std::function<void()>& question) {
  MutexLock lock(&mu_);
  if (ended_) return false;
  questions_.push_back(&question);
  const uint64_t ticket = ++asked_;
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof(one));
  while (answered_ < ticket && !ended_) {
    answers_.WaitUntil(&mu_, std::chrono::steady_clock::time_point::max());
  }
  if (answered_ >= ticket) return true;
  std::erase(questions_, &question);
  return false;
}

void Pipeline::AnswerQuestions() {
  uint64_t count = 0;
  (void)!read(wake_.get(), &count, sizeof(count));
  MutexLock lock(&mu_);
  for (const std::function<void()>* question : questions_) (*question)();
  if (questions_.empty()) return;
  answered_ += questions_.size();
  questions_.clear();
  answers_.SignalAll();
}

}  // namespace kentry
