// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PROCESS_PROCESS_TABLE_H_
#define KENTRY_SENSOR_PROCESS_PROCESS_TABLE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bpf/abi/event.h"
#include "sensor/process/image_text.h"

namespace kentry {

// What a process is, for ever: pids come back, start times don't.
struct ProcessKey {
  uint32_t pid = 0;
  uint64_t start_ns = 0;  // CLOCK_BOOTTIME

  friend bool operator==(const ProcessKey&, const ProcessKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ProcessKey& key) {
    return H::combine(std::move(h), key.pid, key.start_ns);
  }
};

// Something that a rule found out about a process: other rules may ask for it.
struct ProcessMark {
  std::string name;
  uint64_t expires_ns = 0;  // CLOCK_BOOTTIME; 0 = when the process ends
};

struct Process {
  // The image as the kernel described it: fixed part, and the strings behind it. After a fork the
  // child has its parent's image with what differs written over.
  ke_process image{};
  ImageText text;
  bool image_known = false;  // false: neither exec, fork nor iterator told
  // Found before the hooks were attached and not reported yet: it is when it is found again, or
  // when something is heard of it.
  bool pending_existing = false;
  bool stale = false;      // resync: not seen yet
  bool exit_told = false;  // its exit record was read
  uint64_t exited_ns = 0;  // CLOCK_BOOTTIME; 0 = alive
  // Binaries that this process had executed before the present one, oldest first, at most
  // kEarlierMax.
  std::vector<std::string> earlier;
  std::vector<ProcessMark> marks;  // a child has its creator's

  static constexpr size_t kEarlierMax = 8;
  static constexpr size_t kMarksMax = 32;

  // Sets a mark, or its new end; those that have ended by `now_ns` go. False: it has kMarksMax
  // others.
  bool Mark(std::string_view name, uint64_t expires_ns, uint64_t now_ns);

  // Becomes what a checked KE_EXEC record says.
  void Replace(std::span<const uint8_t> record);

  ProcessKey key() const { return {image.tgid, image.start_ns}; }
  ProcessKey parent() const { return {image.parent_tgid, image.parent_start_ns}; }
  // A string of the image.
  std::string_view Text(ke_span span) const {
    return text.view().substr(span.len == 0 ? 0 : span.off - sizeof(ke_process), span.len);
  }
};

// All processes that are alive, and those that ended a short while ago. Pointers are valid until
// the next call that adds or sweeps. One thread: the pipeline's.
class ProcessTable {
 public:
  struct Options {
    size_t capacity = 32768;  // ended ones included
    size_t max_exited = 4096;
    uint64_t grace_ns = 5'000'000'000;  // how long an ended process stays known
  };
  struct Counters {
    uint64_t evicted = 0;     // ended processes forgotten before their grace was over
    uint64_t refused = 0;     // table full of living processes: not remembered
    uint64_t unknown = 0;     // events of processes that nothing had told of
    uint64_t duplicates = 0;  // fork or exit told twice
    uint64_t lost_exits = 0;  // found gone by a resync: their exit was lost
  };

  explicit ProcessTable(const Options& options) : options_(options) {}

  // Each takes a checked record, brings the table up to date and returns the process.
  // Fork: nullptr when the process is known already (it was there when the sensor looked).
  Process* OnFork(const ke_fork& rec);
  Process* OnExec(std::span<const uint8_t> record);
  // What the process of a KE_EXEC_DENIED record would have become. The table's own stays as it is.
  Process Refused(std::span<const uint8_t> record);
  // nullptr when its exit was told before.
  Process* OnExit(const ke_exit& rec);
  // nullptr when the process is known already and not pending. `pending`: leave it so.
  Process* OnExisting(std::span<const uint8_t> record, bool pending = false);
  void OnCgroupMove(const ke_cgroup_move& rec);
  // Gives up what only the event of the image needed: the environment, and all arguments but the
  // first kKeptArgBytes.
  void Trim(Process* process);

  // The process, or nullptr.
  Process* Find(ProcessKey key);
  // The process, made up as unknown when nothing told of it; never nullptr.
  Process* FindOrUnknown(ProcessKey key);
  // Number of known ancestors, at most `max`.
  int Depth(const Process& process, int max);

  // Forgets who ended `grace_ns` before `now_ns`.
  void Sweep(uint64_t now_ns);

  // After lost records: StartResync, OnExisting for each process of the iterator, FinishResync.
  void StartResync();
  void FinishResync(uint64_t now_ns);

  // Calls f(const Process&) for each, in no order.
  template <typename F>
  void ForEach(F f) const {
    for (const auto& [key, process] : processes_) f(*process);
  }

  size_t size() const { return processes_.size(); }
  const Options& options() const { return options_; }
  const Counters& counters() const { return counters_; }

 private:
  // The entry of `key`, new ones empty but for the key. When the table is full of living
  // processes: one that is overwritten by the next such call.
  Process* Insert(ProcessKey key);
  void MarkExited(Process* process, uint64_t when_ns);
  // Forgets the process that ended longest ago; false when there is none.
  bool EvictExited();

  Options options_;
  Counters counters_;
  absl::flat_hash_map<ProcessKey, std::unique_ptr<Process>> processes_;
  std::deque<ProcessKey> exited_;  // oldest first
  Process overflow_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PROCESS_PROCESS_TABLE_H_
