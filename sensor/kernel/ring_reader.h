// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_KERNEL_RING_READER_H_
#define KENTRY_SENSOR_KERNEL_RING_READER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "bpf/abi/maps.h"
#include "sensor/util/fd.h"

namespace kentry {

// What the reader had to do; counted since the start.
struct RingReaderStats {
  uint64_t polls = 0;
  uint64_t records = 0;
  uint64_t out_of_order = 0;  // older than a record already handed on
  uint64_t busy = 0;          // a record that was not committed for more than 100 ms
  uint64_t unreadable = 0;    // too short to be a record
  uint64_t held_back = 0;     // rings whose next record waited for its time at the last drain
};

// Reads many BPF ring buffers as one stream in the order of the records' time. libbpf's own reader
// frees a record before the next one is seen and can't merge; the layout read here is the
// kernel's (kernel/bpf/ringbuf.c, 5.8 and later): one consumer page, one producer page, the data
// twice. One thread.
class RingReader {
 public:
  // `fds`: ring buffer maps, not owned, needed during the call only. `sizes`: bytes of each.
  static absl::StatusOr<std::unique_ptr<RingReader>> Create(std::span<const int> fds,
                                                            std::span<const uint32_t> sizes,
                                                            ke_reader* shared);
  ~RingReader();
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  using Sink = absl::FunctionRef<void(std::span<const uint8_t>)>;
  // Hands on, in time order, every committed record whose time is at most `until_ns`
  // (CLOCK_BOOTTIME). Bytes are valid during the call of `sink`; then the kernel may reuse them.
  // Returns the number of records.
  uint64_t Drain(uint64_t until_ns, Sink sink);

  // Shows every committed record, of each ring in its order, and leaves them there. Returns how
  // many.
  uint64_t Peek(Sink sink) const;

  // Sleeps until `timeout_ms` is over, `wake_fd` is readable or a producer wakes the reader: with
  // `idle` any record does, else only a priority record or a ring a quarter full.
  void Wait(int timeout_ms, bool idle);
  // A descriptor that ends Wait when it becomes readable; its owner keeps it open.
  absl::Status AddWakeFd(int fd);

  const RingReaderStats& stats() const { return stats_; }

 private:
  struct Ring {
    volatile uint64_t* consumer = nullptr;
    const volatile uint64_t* producer = nullptr;
    const uint8_t* data = nullptr;
    uint64_t mask = 0;
    size_t data_bytes = 0;
    uint64_t pos = 0;         // next byte to read
    uint64_t limit = 0;       // producer position when this drain began
    uint64_t busy_since = 0;  // CLOCK_BOOTTIME; 0 = the head is not busy
  };
  struct Head {
    uint64_t time = 0;
    uint32_t ring = 0;
    uint32_t len = 0;
  };
  explicit RingReader(ke_reader* shared) : shared_(shared) {}
  absl::Status Map(int fd, uint32_t bytes);
  // Tells the hooks that somebody reads.
  void GiveSign();
  // Pushes the ring's next committed record onto heads_; nothing when there is none.
  void Push(uint32_t ring, uint64_t now_ns);
  static void Release(Ring* ring, uint32_t len);

  std::vector<Ring> rings_;
  std::vector<Head> heads_;  // a min-heap by time
  ke_reader* shared_;
  Fd epoll_;
  uint64_t last_time_ = 0;
  RingReaderStats stats_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_RING_READER_H_
