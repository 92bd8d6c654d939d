// SPDX-License-Identifier: Apache-2.0
// What the sensor tells about itself, as plain values: the side that answers fills them, the
// command line prints them, and the wire format between the two is this folder's own business.
#ifndef KENTRY_SENSOR_API_STATE_H_
#define KENTRY_SENSOR_API_STATE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kentry {

// Rules that one answer describes.
inline constexpr size_t kMaxRuleRows = 1000;

inline constexpr char kDefaultSocketPath[] = "/run/kentry/kentry.sock";

// Counters of one event class since the sensor's start. Once the rings are drained,
// attempted + missed = filtered + delivered + lost.
struct ClassStatus {
  std::string name;     // "process.exec"
  std::string backend;  // "" = this kernel has nothing for the class
  uint64_t attempted = 0;
  uint64_t missed = 0;  // the kernel skipped the hook
  uint64_t filtered = 0;
  uint64_t delivered = 0;
  uint64_t lost = 0;
};

struct CpuLoss {
  uint32_t cpu = 0;
  uint64_t lost = 0;
};

struct ReaderStatus {
  uint64_t polls = 0;
  uint64_t wakeups = 0;       // by producers
  uint64_t held_back = 0;     // rings whose next record waited at the last poll
  uint64_t busy = 0;          // rings with an unfinished record in front for too long
  uint64_t out_of_order = 0;  // sequence numbers that came after a later one
  uint64_t late = 0;          // records that came after later ones had gone out
  uint64_t malformed = 0;
};

struct Counter {
  std::string name;
  uint64_t count = 0;
};

struct TableStatus {
  uint64_t size = 0;
  uint64_t capacity = 0;
  uint64_t evicted = 0;
};

struct JournalStatus {
  uint64_t bytes = 0;
  uint64_t capacity_bytes = 0;
  uint64_t events = 0;
  uint64_t dropped = 0;  // pushed out before some output had read them
};

struct OutputStatus {
  std::string name;  // any bytes: a path
  uint64_t written = 0;
  uint64_t bytes_written = 0;
  uint64_t missed = 0;
  uint64_t errors = 0;
  std::string last_error;  // any bytes; "" = none
};

struct MemoryStatus {
  uint64_t rss_bytes = 0;
  uint64_t map_bytes = 0;   // BPF maps without the rings
  uint64_t ring_bytes = 0;  // of all CPUs
};

// Counters of one rule since its rule set came into force.
struct RuleStatus {
  std::string name;  // any bytes
  uint64_t hits = 0;
  uint64_t uncertain = 0;   // of the hits: a value was cut or not known
  uint64_t suppressed = 0;  // of the hits: a limit held back
};

// The rule set in force; counters are since the sensor's start, whatever the rules were.
struct RulesStatus {
  uint32_t epoch = 0;    // 0 = no rules are in force
  std::string name;      // any bytes
  std::string revision;  // any bytes
  std::string mode;
  uint64_t count = 0;               // enabled rules
  uint64_t alerts = 0;              // events with an alert
  uint64_t logged = 0;              // events with a note of rules that only log
  uint64_t dropped = 0;             // events that a rule kept out of the output
  uint64_t suppressed = 0;          // alerts that a limit held back
  uint64_t judged_away = 0;         // records that the kernel let through and no rule wanted
  uint64_t marks_refused = 0;       // a process had too many
  uint64_t kernel_errors = 0;       // failures to tell the kernel something
  uint64_t outdated = 0;            // records judged by a rule set that is not kept any more
  uint64_t file_roots = 0;          // containers whose files are looked up
  uint64_t file_roots_skipped = 0;  // containers whose files are not
  uint64_t files_no_room = 0;       // inodes that the kernel's table has no room for
  int64_t refused_unix_ns = 0;      // when the last reload was refused; 0 = it was not
  std::string refused_error;        // any bytes
  std::vector<RuleStatus> rules;    // at most kMaxRuleRows enabled ones, most hits first
  uint64_t rules_left_out = 0;      // enabled rules that are not in `rules`
};

// Processes that rules had killed since the sensor's start, and the time from the hook that sent
// the signal to the exit that confirms it.
struct KillStatus {
  uint64_t confirmed = 0;
  uint64_t p50_ns = 0;        // so many of the confirmed at most; up to an eighth too much
  uint64_t p99_ns = 0;        // likewise
  uint64_t max_ns = 0;        // exact
  uint64_t waiting = 0;       // no exit yet
  uint64_t unconfirmed = 0;   // no exit was read in ten seconds
  uint64_t not_followed = 0;  // too many others were waited for
};

struct SensorStatus {
  std::string version;
  uint32_t pid = 0;
  int64_t started_unix_ns = 0;
  uint64_t uptime_ns = 0;
  uint64_t cpu_ns = 0;
  std::string kernel_release;
  std::string boot_id;
  std::string host;  // any bytes
  std::vector<ClassStatus> classes;
  std::vector<CpuLoss> cpu_loss;
  ReaderStatus reader;
  std::vector<Counter> helper_failures;
  TableStatus processes;
  TableStatus cgroups;
  JournalStatus journal;
  std::vector<OutputStatus> outputs;
  MemoryStatus memory;
  RulesStatus rules;
  KillStatus kills;
  bool pinned = false;               // what is enforced stays when the daemon ends
  bool paused = false;               // rules only say what they would do
  std::vector<std::string> trusted;  // programs' paths, any bytes
};

// A process as the sensor knows it. Strings hold any bytes.
struct ProcessRow {
  uint32_t pid = 0;
  uint64_t start_ns = 0;  // since boot; with pid the identity of the process
  int64_t started_unix_ns = 0;
  uint32_t parent_pid = 0;  // 0 = not known
  uint64_t parent_start_ns = 0;
  std::string name;  // of the main thread; all that a kernel thread has
  std::string binary;
  std::vector<std::string> args;
  bool args_cut = false;  // args is not whole
  uint32_t uid = 0;
  std::string container_id;  // "" = on the host
  std::string container_runtime;
  bool exited = false;
};

// What the API server asks of the sensor. Called from the server's threads, from more than one at
// a time; a call may take a lock of its own but must return soon.
class SensorState {
 public:
  virtual ~SensorState() = default;
  virtual SensorStatus Status() = 0;
  // All known processes, oldest first; with `with_exited` also those that ended and are still
  // remembered. The answer stands in memory at once: an implementation keeps `args` short and
  // sets args_cut.
  virtual std::vector<ProcessRow> Processes(bool with_exited) = 0;
  // Reads the rule files again. What is in force then, in words; or InvalidArgument with all that
  // is wrong with them: the rules before stay in force.
  virtual absl::StatusOr<std::string> ReloadRules() = 0;
  // Rules only say what they would do, or act again.
  virtual absl::Status SetPaused(bool paused) = 0;
  // Rules don't act on the program, or do again; see Pipeline::SetTrusted.
  virtual absl::Status SetTrusted(const std::string& path, bool trusted) = 0;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_API_STATE_H_
