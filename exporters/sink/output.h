// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_SINK_OUTPUT_H_
#define KENTRY_EXPORTERS_SINK_OUTPUT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "exporters/encode/encoder.h"
#include "exporters/sink/sink.h"
#include "sensor/journal/journal.h"
#include "sensor/util/mutex.h"

namespace kentry {

struct OutputOptions {
  JournalReader::From from = JournalReader::From::kOldest;
  // Bit (1 << EventClass) for each class that is written. Reports of what this output itself
  // missed are always written.
  ClassMask classes = ~ClassMask{0};
  // Encoded bytes that are gathered before they are written; less when the journal has no more.
  size_t batch_bytes = 256u << 10;
  absl::Duration first_retry = absl::Milliseconds(10);
  absl::Duration last_retry = absl::Seconds(1);
  // Called once, on the output's thread, when the output ends by itself, because the sink's other
  // end is gone. The output must not be destroyed in it.
  std::function<void(const absl::Status&)> on_end;
};

// Of what the output read, events + skipped + missed + unwritten is exact.
struct OutputStats {
  uint64_t events = 0;     // encoded and written; reports of missed events not among them
  uint64_t skipped = 0;    // read, but of a class that is not wanted
  uint64_t bytes = 0;      // written
  uint64_t missed = 0;     // pushed out of the journal before this output read them
  uint64_t unwritten = 0;  // read after the output had ended, or cut off by its end
  uint64_t errors = 0;     // writes that failed
  bool ended = false;      // nothing more will be written
};

// Reader × filter × encoder × sink, with a thread of its own. Events that the journal pushed out
// before they were read are reported in the output, in their place, as a sensor.loss event: reason
// journal_full, first_seq and last_seq are journal ids, its own id is last_seq, its time that of
// the event behind it.
class Output {
 public:
  // Starts the thread. `journal` must outlive the output.
  Output(Journal& journal, std::unique_ptr<Encoder> encoder, std::unique_ptr<Sink> sink,
         OutputOptions options);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  // Stops without waiting for a sink that blocks.
  ~Output();

  // Writes what is committed to the journal by now and flushes the sink, for at most `timeout`;
  // then cancels the sink. A write that the kernel does not let go of (a dead network file system)
  // can keep it longer. Returns the last error of what could not be written, if anything. One
  // thread, not the output's own.
  absl::Status Stop(absl::Duration timeout);

  // Any thread.
  OutputStats stats() const;

 private:
  void Run();
  // Encodes and writes one batch.
  void Handle(const Batch& batch);
  void EncodeMissed(const Batch& batch);
  // Writes the buffer, again and again until it works or the output has ended.
  void WriteOut();
  // Waits before the next try; false when the time to stop has come.
  bool Pause(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mu_);
  void Finish(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  const OutputOptions options_;
  JournalReader reader_;
  const std::unique_ptr<Encoder> encoder_;
  const std::unique_ptr<Sink> sink_;

  // The output's thread only.
  Buffer buffer_;
  EventBuilder missed_event_;
  uint64_t buffered_events_ = 0;
  bool alive_ = true;  // the sink takes bytes

  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> skipped_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> missed_ = 0;
  std::atomic<uint64_t> unwritten_ = 0;
  std::atomic<uint64_t> errors_ = 0;

  mutable Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  CondVar changed_;  // one of the above

  std::thread thread_;  // last: it uses everything above
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_SINK_OUTPUT_H_
