// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/ring_reader.h"

#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "sensor/util/clock.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr uint64_t kBusyLimitNs = 100 * kMillisecond;
constexpr uint64_t kRecordsASign = 256;

uint64_t LoadAcquire(const volatile uint64_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }

constexpr uint64_t RecordSpan(uint32_t len) {
  return (uint64_t{len} + BPF_RINGBUF_HDR_SZ + 7) & ~uint64_t{7};
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingReader>> RingReader::Create(std::span<const int> fds,
                                                               std::span<const uint32_t> sizes,
                                                               ke_reader* shared) {
  std::unique_ptr<RingReader> reader(new RingReader(shared));
  reader->epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!reader->epoll_.valid()) return ErrnoError(errno, "epoll_create1");
  for (size_t i = 0; i < fds.size(); ++i) RETURN_IF_ERROR(reader->Map(fds[i], sizes[i]));
  reader->heads_.reserve(fds.size());
  return reader;
}

absl::Status RingReader::Map(int fd, uint32_t bytes) {
  const size_t page = static_cast<size_t>(getpagesize());
  Ring ring;
  void* consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED) return ErrnoError(errno, "map a ring's consumer page");
  ring.consumer = static_cast<volatile uint64_t*>(consumer);
  ring.data_bytes = page + 2 * size_t{bytes};
  void* producer =
      mmap(nullptr, ring.data_bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) {
    const int err = errno;
    munmap(consumer, page);
    return ErrnoError(err, fmt::format("map a ring of {} bytes", bytes));
  }
  ring.producer = static_cast<const volatile uint64_t*>(producer);
  ring.data = static_cast<const uint8_t*>(producer) + page;
  ring.mask = bytes - 1;
  ring.pos = LoadAcquire(ring.consumer);
  rings_.push_back(ring);
  // Edge-triggered: records that are being held back must not end the wait at once.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError(errno, "watch a ring");
  }
  return absl::OkStatus();
}

RingReader::~RingReader() {
  const size_t page = static_cast<size_t>(getpagesize());
  for (const Ring& ring : rings_) {
    munmap(const_cast<uint64_t*>(ring.consumer), page);
    munmap(const_cast<uint64_t*>(ring.producer), ring.data_bytes);
  }
}

absl::Status RingReader::AddWakeFd(int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError(errno, "watch a wake-up descriptor");
  }
  return absl::OkStatus();
}

void RingReader::GiveSign() { __atomic_store_n(&shared_->alive_ns, BootNowNs(), __ATOMIC_RELAXED); }

void RingReader::Release(Ring* ring, uint32_t len) {
  ring->pos += RecordSpan(len);
  __atomic_store_n(ring->consumer, ring->pos, __ATOMIC_RELEASE);
}

void RingReader::Push(uint32_t index, uint64_t now_ns) {
  Ring& ring = rings_[index];
  while (ring.pos < ring.limit) {
    const uint8_t* at = ring.data + (ring.pos & ring.mask);
    const uint32_t word = __atomic_load_n(reinterpret_cast<const uint32_t*>(at), __ATOMIC_ACQUIRE);
    if ((word & BPF_RINGBUF_BUSY_BIT) != 0) {
      if (ring.busy_since == 0) {
        ring.busy_since = now_ns;
      } else if (now_ns - ring.busy_since > kBusyLimitNs) {
        ++stats_.busy;
        ring.busy_since = now_ns;
      }
      return;
    }
    ring.busy_since = 0;
    const uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if ((word & BPF_RINGBUF_DISCARD_BIT) == 0 && len >= sizeof(ke_hdr)) {
      Head head{.ring = index, .len = len};
      std::memcpy(&head.time, at + BPF_RINGBUF_HDR_SZ + KE_OFFSETOF(ke_hdr, ktime_ns),
                  sizeof(head.time));
      heads_.push_back(head);
      std::push_heap(heads_.begin(), heads_.end(),
                     [](const Head& a, const Head& b) { return a.time > b.time; });
      return;
    }
    if ((word & BPF_RINGBUF_DISCARD_BIT) == 0) ++stats_.unreadable;
    Release(&ring, len);
  }
}

uint64_t RingReader::Drain(uint64_t until_ns, Sink sink) {
  const uint64_t now = BootNowNs();
  uint64_t count = 0;
  GiveSign();
  heads_.clear();
  for (uint32_t i = 0; i < rings_.size(); ++i) {
    rings_[i].limit = LoadAcquire(rings_[i].producer);
    Push(i, now);
  }
  while (!heads_.empty() && heads_.front().time <= until_ns) {
    std::pop_heap(heads_.begin(), heads_.end(),
                  [](const Head& a, const Head& b) { return a.time > b.time; });
    const Head head = heads_.back();
    heads_.pop_back();
    Ring& ring = rings_[head.ring];
    if (head.time < last_time_) ++stats_.out_of_order;
    last_time_ = std::max(last_time_, head.time);
    sink({ring.data + (ring.pos & ring.mask) + BPF_RINGBUF_HDR_SZ, head.len});
    Release(&ring, head.len);
    if (++count % kRecordsASign == 0) GiveSign();
    Push(head.ring, now);
  }
  stats_.records += count;
  stats_.held_back = heads_.size();
  return count;
}

uint64_t RingReader::Peek(Sink sink) const {
  uint64_t count = 0;
  for (const Ring& ring : rings_) {
    const uint64_t limit = LoadAcquire(ring.producer);
    uint64_t pos = ring.pos;
    while (pos < limit) {
      const uint8_t* at = ring.data + (pos & ring.mask);
      const uint32_t word =
          __atomic_load_n(reinterpret_cast<const uint32_t*>(at), __ATOMIC_ACQUIRE);
      if ((word & BPF_RINGBUF_BUSY_BIT) != 0) break;
      const uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
      if ((word & BPF_RINGBUF_DISCARD_BIT) == 0 && len >= sizeof(ke_hdr)) {
        sink({at + BPF_RINGBUF_HDR_SZ, len});
        ++count;
      }
      pos += RecordSpan(len);
    }
  }
  return count;
}

void RingReader::Wait(int timeout_ms, bool idle) {
  ++stats_.polls;
  __atomic_store_n(&shared_->state, idle ? KE_READER_IDLE : KE_READER_POLLING, __ATOMIC_SEQ_CST);
  epoll_event events[8];
  // EINTR ends the wait early, which is harmless.
  (void)epoll_wait(epoll_.get(), events, 8, timeout_ms);
  __atomic_store_n(&shared_->state, KE_READER_RUNNING, __ATOMIC_SEQ_CST);
}

}  // namespace kentry
