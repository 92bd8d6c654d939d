// SPDX-License-Identifier: Apache-2.0
// Sends made-up records of processes that start, execute a program and end down the user-space
// path, up to a stage, so that an instruction counter tells what each stage costs:
//
//   pipeline_bench STAGE PROCESSES
//
// Stages: records (nothing but making them), decode, process, event, journal, json. Each contains
// the ones before. One thread; nothing is written anywhere. Prints the bytes that came out.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "exporters/encode/json.h"
#include "fmt/core.h"
#include "sensor/decode/record.h"
#include "sensor/journal/journal.h"
#include "sensor/pipeline/event_maker.h"
#include "sensor/process/process_table.h"
#include "sensor/workload/cgroup_table.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 6> kStages = {"records", "decode",  "process",
                                                     "event",   "journal", "json"};
enum Stage { kRecords, kDecode, kProcess, kEvent, kJournal, kJson };

constexpr uint32_t kParent = 1000;
constexpr uint64_t kParentStart = 5'000'000'000;
constexpr uint64_t kCgroup = 4711;
// A poll finds about as many records at some hundred processes a second.
constexpr int kProcessesPerPoll = 16;
constexpr uint64_t kLifeNs = 1'000'000;

// Records of one process; the text behind the exec's fixed part never changes.
class Records {
 public:
  Records() {
    exec_.image.hdr = {.type = KE_EXEC, .version = KE_RECORD_VERSION, .size = sizeof(exec_)};
    ke_process& image = exec_.image;
    image.parent_tgid = kParent;
    image.parent_start_ns = kParentStart;
    image.cgroup_id = kCgroup;
    image.loginuid = image.sessionid = UINT32_MAX;
    image.creds.cap_permitted = image.creds.cap_effective = image.creds.cap_bounding =
        0x1ffffffffff;
    image.ns = {4026531841, 4026531836, 4026531840, 4026531838,
                4026531839, 4026531837, 4026531835, 4026531834};
    image.exe_ino = 9412;
    image.exe_dev = 8 << 20 | 1;
    image.exe_mode = 0100755;
    image.argc = 3;
    std::memcpy(image.comm, "nothing", 8);
    image.binary = Put("/bin/nothing");
    image.cwd = Put("/");
    image.args = Put(std::string_view("/bin/nothing\0--option=value\0/tmp/some/file", 42));
    image.args_len = image.args.len + 1;
    image.env = Put("PATH=/usr/bin:/bin");
    image.env_len = image.env.len + 1;
    fork_.hdr = {.type = KE_FORK, .version = KE_RECORD_VERSION, .size = sizeof(fork_)};
    fork_.parent_tgid = fork_.creator_tgid = fork_.creator_tid = kParent;
    fork_.parent_start_ns = fork_.creator_start_ns = kParentStart;
    fork_.creds = image.creds;
    fork_.ns = image.ns;
    fork_.cgroup_id = kCgroup;
    exit_.hdr = {.type = KE_EXIT, .version = KE_RECORD_VERSION, .size = sizeof(exit_)};
    exit_.cpu_ns = 551'234;
    exit_.max_rss_kb = 912;
    exit_.cgroup_id = kCgroup;
    std::memcpy(exit_.comm, "nothing", 8);
  }

  // Makes the records those of process number `n`.
  void Become(uint32_t n) {
    const uint32_t pid = kParent + 1 + n % 30000;
    const uint64_t start = kParentStart + (n + 1) * kLifeNs;
    exec_.image.tgid = exec_.image.tid = exec_.image.ns_tgid = pid;
    fork_.tgid = fork_.ns_tgid = exit_.tgid = exit_.tid = pid;
    exec_.image.start_ns = fork_.start_ns = exit_.start_ns = start;
    uint64_t at = start;
    for (ke_hdr* hdr : {&fork_.hdr, &exec_.image.hdr, &exit_.hdr}) {
      hdr->seq = n + 1;
      hdr->ktime_ns = at;
      at += kLifeNs / 4;
    }
  }

  std::span<const uint8_t> fork() const { return Bytes(fork_); }
  std::span<const uint8_t> exec() const { return Bytes(exec_); }
  std::span<const uint8_t> exit() const { return Bytes(exit_); }

 private:
  struct Exec {
    ke_process image{};
    char text[96] = {};
  };

  template <typename T>
  static std::span<const uint8_t> Bytes(const T& record) {
    return {reinterpret_cast<const uint8_t*>(&record), sizeof(record)};
  }

  ke_span Put(std::string_view text) {
    std::memcpy(exec_.text + used_, text.data(), text.size());
    const auto off = static_cast<uint32_t>(offsetof(Exec, text) + used_);
    used_ += text.size();
    return {.off = off, .len = static_cast<uint32_t>(text.size())};
  }

  Exec exec_;
  ke_fork fork_{};
  ke_exit exit_{};
  size_t used_ = 0;
};

// The way of Pipeline, without a kernel in front of it, as far as the stage.
class Path {
 public:
  explicit Path(Stage stage)
      : stage_(stage),
        processes_(ProcessTable::Options{}),
        cgroups_(CgroupTable::Options{}),
        maker_(&processes_, &cgroups_, {"LD_PRELOAD", "LD_LIBRARY_PATH"}),
        journal_(JournalOptions{}),
        reader_(journal_, JournalReader::From::kOldest) {
    cgroups_.Add(kCgroup, "/system.slice/cron.service");
  }

  void Take(std::span<const uint8_t> record) {
    sum_ += record.size();
    if (stage_ < kDecode) return;
    if (CheckRecord(record) != RecordError::kNone) std::abort();
    if (stage_ < kProcess) return;
    EventClass cls = EventClass::kNone;
    const Process* process = nullptr;
    switch (RecordHeader(record).type) {
      case KE_FORK:
        cls = EventClass::kProcessFork;
        process = processes_.OnFork(As<ke_fork>(record));
        break;
      case KE_EXEC:
        cls = EventClass::kProcessExec;
        process = processes_.OnExec(record);
        break;
      case KE_EXIT:
        cls = EventClass::kProcessExit;
        process = processes_.OnExit(As<ke_exit>(record));
        break;
    }
    if (process == nullptr) std::abort();
    if (stage_ < kEvent) return;
    const EventView event = maker_.Make(cls, record, *process);
    if (stage_ < kJournal) return;
    journal_.Append(event);
  }

  // What happens once a poll.
  void EndPoll(uint64_t now_ns) {
    processes_.Sweep(now_ns);
    journal_.Commit();
    Batch batch;
    while (stage_ >= kJournal && reader_.Next(absl::ZeroDuration(), &batch) == ReadResult::kBatch) {
      if (stage_ < kJson) continue;
      batch.ForEach([this](EventView event) { encoder_.Encode(event, buffer_); });
      sum_ += buffer_.size();
      buffer_.Clear(buffer_.capacity());
    }
  }

  uint64_t sum() const { return sum_; }

 private:
  const Stage stage_;
  uint64_t sum_ = 0;
  ProcessTable processes_;
  CgroupTable cgroups_;
  EventMaker maker_;
  Journal journal_;
  JournalReader reader_;
  JsonEncoder encoder_;
  Buffer buffer_;
};

int Main(int argc, char** argv) {
  int stage = -1;
  for (size_t i = 0; argc == 3 && i < kStages.size(); ++i) {
    if (argv[1] == kStages[i]) stage = static_cast<int>(i);
  }
  if (stage < 0) {
    fmt::print(stderr, "usage: pipeline_bench records|decode|process|event|journal|json N\n");
    return 2;
  }
  const auto count = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  Path path(static_cast<Stage>(stage));
  Records records;
  for (uint32_t n = 0; n < count; ++n) {
    records.Become(n);
    path.Take(records.fork());
    path.Take(records.exec());
    path.Take(records.exit());
    if (n % kProcessesPerPoll == kProcessesPerPoll - 1) {
      path.EndPoll(RecordHeader(records.exit()).ktime_ns);
    }
  }
  fmt::print("{}\n", path.sum());
  return 0;
}

}  // namespace
}  // namespace kentry

int main(int argc, char** argv) { return kentry::Main(argc, argv); }
