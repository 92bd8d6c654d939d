// SPDX-License-Identifier: Apache-2.0
// A mutex that both clang's thread-safety analysis and TSan understand: the standard library's has
// no annotations, and TSan cannot look into abseil's, which lives in a library that is built
// without it.
#ifndef KENTRY_SENSOR_UTIL_MUTEX_H_
#define KENTRY_SENSOR_UTIL_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace kentry {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds the mutex as long as it lives.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }

 private:
  Mutex* const mutex_;
};

// May wake without a signal: wait in a loop over the condition.
class CondVar {
 public:
  // Returns true when `deadline`, of the steady clock, has passed.
  bool WaitUntil(Mutex* mutex, std::chrono::steady_clock::time_point deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    // The caller's lock is lent to the wait and comes back with it.
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    bool timed_out = false;
    if (deadline == std::chrono::steady_clock::time_point::max()) {
      condition_.wait(lock);
    } else {
      timed_out = condition_.wait_until(lock, deadline) == std::cv_status::timeout;
    }
    lock.release();
    return timed_out;
  }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// When `timeout` from now will be over; time_point::max() = never.
inline std::chrono::steady_clock::time_point DeadlineAfter(absl::Duration timeout) {
  constexpr absl::Duration kNever = absl::Hours(24 * 365);
  if (timeout >= kNever) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
}

}  // namespace kentry

#endif  // KENTRY_SENSOR_UTIL_MUTEX_H_
