// SPDX-License-Identifier: Apache-2.0
#include "sensor/journal/journal.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace kentry {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

JournalOptions Bounded(JournalOptions options) {
  options.chunk_bytes =
      std::max<size_t>(std::min(options.chunk_bytes, options.max_bytes / 8), 512) / kWord * kWord;
  return options;
}

}  // namespace

Journal::Journal(JournalOptions options) : options_(Bounded(options)) {}

Journal::~Journal() {
  MutexLock lock(&mu_);
  assert(cursors_.empty());
}

uint64_t Journal::Append(EventView event) {
  const std::span<const uint8_t> bytes = event.bytes();
  if (tail_ == nullptr || tail_->capacity - tail_used_ < bytes.size()) StartChunk(bytes.size());
  uint8_t* to = tail_->data() + tail_used_;
  std::memcpy(to, bytes.data(), bytes.size());
  reinterpret_cast<EventHeader*>(to)->id = next_id_;
  tail_used_ += bytes.size();
  dirty_ = true;
  return next_id_++;
}

void Journal::PublishLocked() {
  if (!dirty_) return;
  dirty_ = false;
  tail_->committed = tail_used_;
  committed_end_ = next_id_;
  // Waking costs a system call, so only when somebody sleeps.
  if (sleepers_ > 0) news_.SignalAll();
}

void Journal::Commit() {
  if (!dirty_) return;
  MutexLock lock(&mu_);
  PublishLocked();
}

void Journal::Close() {
  MutexLock lock(&mu_);
  PublishLocked();
  closed_ = true;
  news_.SignalAll();
}

void Journal::StartChunk(size_t size) {
  Garbage garbage;
  ChunkRef chunk;
  {
    MutexLock lock(&mu_);
    PublishLocked();
    if (spare_ != nullptr && spare_->capacity >= size) chunk = std::move(spare_);
  }
  if (chunk == nullptr) {
    chunk = std::make_shared<Chunk>();
    chunk->capacity = std::max(options_.chunk_bytes, (size + kWord - 1) / kWord * kWord);
    chunk->memory = std::make_unique_for_overwrite<uint64_t[]>(chunk->capacity / kWord);
  }
  chunk->committed = 0;
  chunk->serial = next_serial_++;
  chunk->first_id = next_id_;
  tail_ = chunk.get();
  tail_used_ = 0;
  MutexLock lock(&mu_);
  memory_ += chunk->capacity;
  chunks_.push_back(std::move(chunk));
  EnforceBudgetLocked(&garbage);
  ReleaseReadLocked(&garbage);
}

uint64_t Journal::OldestNeededLocked() const {
  uint64_t oldest = UINT64_MAX;
  for (const Cursor& cursor : cursors_) oldest = std::min(oldest, cursor.serial);
  return oldest;
}

void Journal::EnforceBudgetLocked(Garbage* garbage) {
  while (chunks_.size() > 1 && memory_ > options_.max_bytes) {
    const uint64_t end = chunks_[1]->first_id;
    uint64_t unread_from = end;
    for (const Cursor& cursor : cursors_) unread_from = std::min(unread_from, cursor.next_id);
    pushed_out_ += end - std::max(unread_from, chunks_.front()->first_id);
    PopFrontLocked(garbage);
  }
}

void Journal::ReleaseReadLocked(Garbage* garbage) {
  const uint64_t needed = OldestNeededLocked();
  while (chunks_.size() > 1 && chunks_.front()->serial < needed &&
         memory_ - chunks_.front()->capacity >= options_.keep_bytes) {
    PopFrontLocked(garbage);
  }
}

void Journal::PopFrontLocked(Garbage* garbage) {
  ChunkRef chunk = std::move(chunks_.front());
  chunks_.pop_front();
  memory_ -= chunk->capacity;
  RecycleLocked(std::move(chunk), garbage);
}

void Journal::RecycleLocked(ChunkRef chunk, Garbage* garbage) {
  if (chunk.use_count() > 1) return;  // its reader recycles it
  if (spare_ == nullptr && chunk->capacity == options_.chunk_bytes) {
    spare_ = std::move(chunk);
  } else {
    garbage->push_back(std::move(chunk));
  }
}

bool Journal::SeekLocked(Cursor& cursor, Batch* batch) {
  if (chunks_.empty()) return false;
  if (cursor.serial < chunks_.front()->serial) {
    const Chunk& front = *chunks_.front();
    if (front.first_id > cursor.next_id) {
      if (batch->missed_count == 0) batch->missed_first = cursor.next_id;
      batch->missed_count += front.first_id - cursor.next_id;
    }
    cursor.serial = front.serial;
    cursor.offset = 0;
    cursor.next_id = front.first_id;
  }
  const Chunk* chunk = chunks_[cursor.serial - chunks_.front()->serial].get();
  if (cursor.offset == chunk->committed && cursor.serial < chunks_.back()->serial) {
    chunk = chunks_[++cursor.serial - chunks_.front()->serial].get();
    cursor.offset = 0;
  }
  return cursor.offset < chunk->committed;
}

void Journal::TakeLocked(Cursor& cursor, Batch* batch) {
  const size_t index = cursor.serial - chunks_.front()->serial;
  cursor.held = chunks_[index];
  const Chunk& chunk = *cursor.held;
  batch->bytes = {chunk.data() + cursor.offset, chunk.committed - cursor.offset};
  batch->first_id = cursor.next_id;
  const uint64_t end_id =
      index + 1 < chunks_.size() ? chunks_[index + 1]->first_id : committed_end_;
  batch->count = end_id - cursor.next_id;
  cursor.offset = chunk.committed;
  cursor.next_id = end_id;
}

JournalStats Journal::stats() const {
  MutexLock lock(&mu_);
  JournalStats stats;
  stats.last_id = committed_end_ - 1;
  stats.first_id = chunks_.empty() ? committed_end_ : chunks_.front()->first_id;
  stats.memory_bytes = memory_ + (spare_ != nullptr ? spare_->capacity : 0);
  stats.pushed_out = pushed_out_;
  stats.readers = static_cast<int>(cursors_.size());
  return stats;
}

JournalReader::JournalReader(Journal& journal, From from)
    : journal_(journal), cursor_([&journal, from] {
        MutexLock lock(&journal.mu_);
        Journal::Cursor& cursor = journal.cursors_.emplace_back();
        cursor.next_id = journal.committed_end_;
        if (journal.chunks_.empty()) return &cursor;
        const bool oldest = from == From::kOldest;
        const Journal::Chunk& chunk = oldest ? *journal.chunks_.front() : *journal.chunks_.back();
        cursor.serial = chunk.serial;
        cursor.offset = oldest ? 0 : chunk.committed;
        if (oldest) cursor.next_id = chunk.first_id;
        return &cursor;
      }()) {}

JournalReader::~JournalReader() {
  Journal::Garbage garbage;
  MutexLock lock(&journal_.mu_);
  Journal::ChunkRef held = std::move(cursor_->held);
  journal_.cursors_.remove_if([this](const Journal::Cursor& cursor) { return &cursor == cursor_; });
  if (held != nullptr) journal_.RecycleLocked(std::move(held), &garbage);
  journal_.ReleaseReadLocked(&garbage);
}

ReadResult JournalReader::Next(absl::Duration timeout, Batch* batch) {
  Journal::Garbage garbage;
  const auto deadline = DeadlineAfter(timeout);
  MutexLock lock(&journal_.mu_);
  Journal::Cursor& cursor = *cursor_;
  if (cursor.held != nullptr) journal_.RecycleLocked(std::move(cursor.held), &garbage);
  Batch found;
  while (true) {
    if (cursor.next_id >= cursor.end_id) return ReadResult::kEnd;
    const bool ready = journal_.SeekLocked(cursor, &found);
    journal_.ReleaseReadLocked(&garbage);
    if (ready) break;
    if (journal_.closed_) return ReadResult::kEnd;
    if (timeout <= absl::ZeroDuration()) return ReadResult::kTimeout;
    ++journal_.sleepers_;
    const bool timed_out = journal_.news_.WaitUntil(&journal_.mu_, deadline);
    --journal_.sleepers_;
    if (timed_out) timeout = absl::ZeroDuration();
  }
  journal_.TakeLocked(cursor, &found);
  *batch = found;
  return ReadResult::kBatch;
}

void JournalReader::StopAtEnd() {
  MutexLock lock(&journal_.mu_);
  cursor_->end_id = journal_.committed_end_;
  journal_.news_.SignalAll();
}

}  // namespace kentry
