// SPDX-License-Identifier: Apache-2.0
// The pipeline's only output: a bounded list of events in memory, read by cursors. A slow reader
// never blocks or slows the pipeline; it falls behind, and what the budget pushes out before it was
// read is counted for that reader, by id.
#ifndef KENTRY_SENSOR_JOURNAL_JOURNAL_H_
#define KENTRY_SENSOR_JOURNAL_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "sensor/event/event.h"
#include "sensor/util/mutex.h"

namespace kentry {

class JournalReader;

struct JournalOptions {
  // Bytes of events kept for readers that are behind. The journal's memory can be larger by one
  // chunk that is kept for reuse and one chunk per reader (the one it is reading).
  size_t max_bytes = 16u << 20;
  // Of what every reader has read, this many bytes stay, for readers that start at the oldest
  // event. Counted in whole chunks, the one that is being written among them.
  size_t keep_bytes = 256u << 10;
  // Unit of allocation; an eighth of max_bytes where that is less. A larger event has a chunk of
  // its own.
  size_t chunk_bytes = 256u << 10;
};

struct JournalStats {
  uint64_t last_id = 0;       // of the newest committed event; 0 = none
  uint64_t first_id = 0;      // of the oldest event still kept; last_id + 1 = none
  uint64_t memory_bytes = 0;  // allocated, without chunks that only a reader still holds
  uint64_t pushed_out = 0;    // events pushed out by the budget while some reader had not read them
  int readers = 0;
};

// A contiguous run of committed events, and what the reader missed right before it.
struct Batch {
  std::span<const uint8_t> bytes;
  uint64_t first_id = 0;
  uint64_t count = 0;         // never 0
  uint64_t missed_first = 0;  // id of the first missed event; meaningful when missed_count > 0
  uint64_t missed_count = 0;

  // Calls f(EventView) for each event, in the order of their ids.
  template <typename F>
  void ForEach(F f) const {
    for (size_t at = 0; at < bytes.size();) {
      const auto& header = *reinterpret_cast<const EventHeader*>(bytes.data() + at);
      f(EventView::Trusted(bytes.subspan(at, header.size)));
      at += header.size;
    }
  }
};

class Journal {
 public:
  explicit Journal(JournalOptions options);
  explicit Journal(size_t max_bytes) : Journal(JournalOptions{.max_bytes = max_bytes}) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  // All readers must be gone.
  ~Journal();

  // Copies the event behind the last one and gives it the next id (1, 2, …), which is returned.
  // Readers see it after Commit. Takes a lock only when a chunk is full, which also commits what
  // was appended before. Pipeline thread only.
  uint64_t Append(EventView event);
  // Shows the readers what was appended and wakes those that sleep; does nothing when there is
  // nothing new. Pipeline thread only.
  void Commit();
  // Commits; readers end when they have read everything. Nothing may be appended afterwards.
  // Pipeline thread only.
  void Close();

  // Any thread.
  JournalStats stats() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class JournalReader;

  struct Chunk {
    std::unique_ptr<uint64_t[]> memory;  // words, because an event's header is read in place
    size_t capacity = 0;                 // bytes
    size_t committed = 0;                // bytes that readers may see
    uint64_t serial = 0;                 // neighbours in the list have neighbouring serials
    uint64_t first_id = 0;

    uint8_t* data() const { return reinterpret_cast<uint8_t*>(memory.get()); }
  };
  // Shared, because a reader reads its chunk without the lock while the budget may push the chunk
  // out of the list. Copies are made and dropped only under the lock, so that use_count() is exact
  // there.
  using ChunkRef = std::shared_ptr<Chunk>;
  // Chunks on their way to the allocator, which is called after the lock is released.
  using Garbage = std::vector<ChunkRef>;

  struct Cursor {
    uint64_t serial = 0;           // chunk that is read
    size_t offset = 0;             // in that chunk
    uint64_t next_id = 1;          // of the next event to read
    uint64_t end_id = UINT64_MAX;  // it reads no batch that begins behind this
    ChunkRef held;                 // keeps the last batch valid
  };

  // Publishes what was appended.
  void PublishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes a chunk with room for `size` bytes the one that is written.
  void StartChunk(size_t size) ABSL_LOCKS_EXCLUDED(mu_);
  // Pushes chunks out until the budget holds.
  void EnforceBudgetLocked(Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Drops what every reader has read, but for keep_bytes.
  void ReleaseReadLocked(Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Serial of the oldest chunk that some reader still needs.
  uint64_t OldestNeededLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PopFrontLocked(Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Keeps the chunk for reuse or hands it to `garbage`.
  void RecycleLocked(ChunkRef chunk, Garbage* garbage) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True when `cursor` stands before committed events; moves it over chunk borders and, adding to
  // `batch`, over what was pushed out.
  bool SeekLocked(Cursor& cursor, Batch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Hands out the rest of the cursor's chunk and moves the cursor behind it.
  void TakeLocked(Cursor& cursor, Batch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const JournalOptions options_;

  // Pipeline thread only.
  Chunk* tail_ = nullptr;  // last of chunks_
  size_t tail_used_ = 0;   // bytes, committed or not
  uint64_t next_id_ = 1;
  uint64_t next_serial_ = 1;
  bool dirty_ = false;  // something was appended since the last Commit

  mutable Mutex mu_;
  CondVar news_;
  std::deque<ChunkRef> chunks_ ABSL_GUARDED_BY(mu_);
  ChunkRef spare_ ABSL_GUARDED_BY(mu_);
  std::list<Cursor> cursors_ ABSL_GUARDED_BY(mu_);
  size_t memory_ ABSL_GUARDED_BY(mu_) = 0;           // capacity of chunks_
  uint64_t committed_end_ ABSL_GUARDED_BY(mu_) = 1;  // id behind the last committed event
  uint64_t pushed_out_ ABSL_GUARDED_BY(mu_) = 0;
  int sleepers_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

enum class ReadResult {
  kBatch,    // *batch was filled
  kTimeout,  // nothing new in that time
  kEnd,      // everything was read, and the journal was closed or StopAtEnd was called
};

// A cursor in a journal, which must outlive it. One thread, but for StopAtEnd.
class JournalReader {
 public:
  enum class From {
    kOldest,  // the oldest event that is kept
    kNow,     // what is committed from now on
  };
  JournalReader(Journal& journal, From from);
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;
  ~JournalReader();

  // The next committed events, waiting up to `timeout` for them. The batch's bytes are valid until
  // the next call or the reader's end. `batch` is unchanged unless the result is kBatch.
  ReadResult Next(absl::Duration timeout, Batch* batch);
  // From now on Next does not sleep, and ends once what is committed by now was handed out. Any
  // thread.
  void StopAtEnd();

 private:
  Journal& journal_;
  Journal::Cursor* const cursor_ ABSL_PT_GUARDED_BY(journal_.mu_);
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_JOURNAL_JOURNAL_H_
