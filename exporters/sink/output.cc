// SPDX-License-Identifier: Apache-2.0
#include "exporters/sink/output.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "fmt/format.h"

namespace kentry {
namespace {

// Signals are the main thread's business; SIGPIPE must not end the process when a reader goes.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Output::Output(Journal& journal, std::unique_ptr<Encoder> encoder, std::unique_ptr<Sink> sink,
               OutputOptions options)
    : options_(std::move(options)),
      reader_(journal, options_.from),
      encoder_(std::move(encoder)),
      sink_(std::move(sink)),
      thread_([this] { Run(); }) {}

Output::~Output() {
  // Its result was for a caller of Stop; here nobody is left to tell.
  Stop(absl::ZeroDuration()).IgnoreError();
}

void Output::Run() {
  BlockSignals();
  Batch batch;
  while (true) {
    switch (reader_.Next(absl::InfiniteDuration(), &batch)) {
      case ReadResult::kBatch:
        // Also after its end it reads on: it must not hold the journal's memory, and counts.
        Handle(batch);
        break;
      case ReadResult::kTimeout:
        break;
      case ReadResult::kEnd:
        if (alive_) Finish(sink_->Flush(absl::Seconds(1)));
        return;
    }
  }
}

void Output::Handle(const Batch& batch) {
  missed_ += batch.missed_count;
  if (!alive_) {
    unwritten_ += batch.count;
    return;
  }
  if (batch.missed_count > 0) EncodeMissed(batch);
  batch.ForEach([&](EventView event) {
    if (!alive_) {
      ++unwritten_;
    } else if ((options_.classes >> event.header().cls & 1) == 0 &&
               (event.header().flags & kEventAlert) == 0) {
      ++skipped_;
    } else {
      encoder_->Encode(event, buffer_);
      ++buffered_events_;
      if (buffer_.size() >= options_.batch_bytes) WriteOut();
    }
  });
  if (alive_) WriteOut();
}

void Output::EncodeMissed(const Batch& batch) {
  const uint64_t last = batch.first_id - 1;
  missed_event_.Begin(EventClass::kSensorLoss);
  EventHeader& header = missed_event_.header();
  header.id = last;
  batch.ForEach([&, first = true](EventView event) mutable {
    if (first) header.time_ns = event.header().time_ns;
    if (first) header.boot_ns = event.header().boot_ns;
    first = false;
  });
  missed_event_.AddNumber(FieldId::kLossFirst, batch.missed_first);
  missed_event_.AddNumber(FieldId::kLossLast, last);
  missed_event_.AddNumber(FieldId::kLossCount, batch.missed_count);
  missed_event_.AddText(FieldId::kLossReason, "journal_full");
  encoder_->Encode(missed_event_.View(), buffer_);
}

void Output::WriteOut() {
  std::string_view rest = buffer_.view();
  absl::Duration pause = options_.first_retry;
  absl::Status error;
  while (true) {
    const size_t before = rest.size();
    const absl::Status status = sink_->Write(&rest);
    bytes_ += before - rest.size();
    if (status.ok()) break;
    ++errors_;
    const bool cancelled = status.code() == absl::StatusCode::kCancelled;
    // Why it had to be cancelled says more than that it was.
    if (!cancelled || error.ok()) error = status;
    if (before != rest.size()) pause = options_.first_retry;
    if (cancelled || status.code() == absl::StatusCode::kFailedPrecondition || !Pause(pause)) {
      unwritten_ += std::exchange(buffered_events_, 0);
      buffer_.Clear(0);
      alive_ = false;
      Finish(error);
      return;
    }
    pause = std::min(pause * 2, options_.last_retry);
  }
  events_ += std::exchange(buffered_events_, 0);
  buffer_.Clear(2 * options_.batch_bytes);
}

bool Output::Pause(absl::Duration pause) {
  MutexLock lock(&mu_);
  const auto deadline = DeadlineAfter(pause);
  while (!cancelled_ && !changed_.WaitUntil(&mu_, deadline)) continue;
  return !cancelled_;
}

void Output::Finish(const absl::Status& status) {
  bool by_itself = false;
  {
    MutexLock lock(&mu_);
    ended_ = true;
    changed_.SignalAll();
    status_ = status;
    by_itself = !stopping_ && !status.ok();
  }
  if (by_itself && options_.on_end) options_.on_end(status);
}

absl::Status Output::Stop(absl::Duration timeout) {
  if (thread_.joinable()) {
    reader_.StopAtEnd();
    {
      MutexLock lock(&mu_);
      stopping_ = true;
      const auto deadline = DeadlineAfter(timeout);
      while (!ended_ && !changed_.WaitUntil(&mu_, deadline)) continue;
      cancelled_ = true;
      changed_.SignalAll();
    }
    sink_->Cancel();
    thread_.join();
  }
  MutexLock lock(&mu_);
  return status_;
}

OutputStats Output::stats() const {
  OutputStats stats;
  stats.events = events_;
  stats.skipped = skipped_;
  stats.bytes = bytes_;
  stats.missed = missed_;
  stats.unwritten = unwritten_;
  stats.errors = errors_;
  MutexLock lock(&mu_);
  stats.ended = ended_;
  return stats;
}

}  // namespace kentry
