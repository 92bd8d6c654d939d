// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_KERNEL_KERNEL_H_
#define KENTRY_SENSOR_KERNEL_KERNEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "bpf/abi/maps.h"
#include "sensor/kernel/other_rings.h"
#include "sensor/kernel/ring_reader.h"
#include "sensor/kernel/rule_loader.h"
#include "sensor/kernel/trust_list.h"

namespace kentry {

struct KernelOptions {
  uint32_t ring_bytes = 0;  // per CPU; 0 = by memory and CPUs; else rounded up to a power of two
  uint32_t prio_ring_bytes = 0;  // the same for the priority ring
  int cgroup_subsys = -1;        // see CgroupMount
  int cgroup_hierarchy = 0;      // 0 = the v2 hierarchy
  bool environment = true;       // send the environment along with an exec
  uint32_t processes = 32768;    // living processes that rules can remember something of
  bool pin = false;              // hooks, maps and rules outlive the process; the next one adopts
  std::string version;           // for people who look at the pins
};

// One way of seeing one thing, and what this kernel makes of it.
struct Backend {
  std::string feature;  // "process.exec", or "process.interpreters" for a part of a class
  std::string name;     // "raw tracepoint sched_process_exec"
  bool available = false;
  bool chosen = false;
  std::string reason;  // why it isn't available or not chosen
  std::string cost;    // what is missing when a lesser one is chosen, or nothing is
};

// What the verifier says of a loaded program.
struct ProgramInfo {
  std::string name;
  uint32_t id = 0;
  uint32_t verified_insns = 0;    // 0 on kernels before 5.16, which don't tell
  uint64_t recursion_misses = 0;  // runs that the kernel skipped; 0 before 5.12
};

struct KernelMemory {
  uint64_t map_bytes = 0;   // memlock figure of all maps but the rings
  uint64_t ring_bytes = 0;  // data pages of the rings
};

// What the reader has accounted for, of a CPU and class: the next reader goes on from here.
struct ReaderNote {
  uint64_t last = 0;  // highest sequence number that came or was given up
  uint64_t lost = 0;  // of them: given up
};

// The loaded BPF side. Hooks are detached and maps freed when it goes, unless they are pinned. One
// thread, except stats(), which any may read.
class Kernel {
 public:
  // Loads the objects that this kernel takes, best backend first; nothing is attached yet.
  // kFailedPrecondition: this kernel can't run it; the text says what is missing.
  // kPermissionDenied: it could, for another user.
  static absl::StatusOr<std::unique_ptr<Kernel>> Load(const KernelOptions& options);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // Attaches every chosen hook. Records flow from then on.
  absl::Status Attach();
  // Detaches every hook; what is in the rings stays readable, counters stop.
  void Detach();

  // With KernelOptions::pin. The pins of a process before this one, of the same build and options,
  // were taken over: its hooks go on, its rules are in force, the rings hold what it did not read.
  bool adopted() const;
  bool pinned() const;
  // Pins of other builds or options, whose hooks go on beside these. FromOthers ends that; to be
  // called with the rules in force.
  bool has_others() const;
  // What is pinned is complete from now on; before it, it is removed by the next start.
  absl::Status Publish();
  // Removes the pins of others, and hands on what their hooks had to tell; see OtherRings.
  absl::Status FromOthers(absl::FunctionRef<void(OtherRings*)> sink);
  // Keeps the text with the epoch that is prepared, for who adopts it; texts of epochs before
  // `oldest` go. Nothing without pins.
  absl::Status KeepRules(std::string_view text, uint32_t oldest);
  std::map<uint32_t, std::string> KeptRules() const;
  // Of each class, shared with who adopts; nullptr without pins. `cpu` = cpu_count(): what hooks
  // missed, in `lost`, and by site what was told of KE_SITE_STRICT_*, in `last`.
  ReaderNote* notes(int cpu);

  // Reads every process that exists, as KE_EXISTING records. From then on this process is exempt.
  absl::Status ForEachExisting(absl::FunctionRef<void(std::span<const uint8_t>)> sink);

  RingReader& rings();
  int cpu_count() const;
  // Live counters of a CPU, mapped from the kernel; cpu < cpu_count().
  const ke_cpu_stats& stats(int cpu) const;
  uint64_t wakeups() const;
  uint32_t ring_bytes() const;
  uint32_t prio_ring_bytes() const;

  std::vector<Backend> backends() const;

  // Rules. PrepareRules fills the idle epoch, attaches the hooks that its classes need, and lets
  // execs and forks write for it; PendProcesses gives the living processes their ids, by what is
  // known of their images; rules().Commit() puts it in force, or rules().Abandon() forgets it.
  // kFailedPrecondition: this kernel can't have one of the classes.
  absl::Status PrepareRules(const RuleTables& tables);
  absl::Status PendProcesses(std::span<const std::pair<uint32_t, ke_pending>> processes);
  RuleLoader& rules();
  // The inodes that descriptors of this process lead to, as the hooks see them. In no order, and
  // with all other descriptors of the process among them.
  absl::StatusOr<std::vector<ke_file_ident>> OwnFiles();
  TrustList& trust();

  // The classes whose hooks rules asked for and that are attached: 1 << ke_type. What this process
  // does itself is no event of theirs, and goes up in their counters.
  uint32_t AskedHooks() const;
  // Programs as the kernel lists them now.
  std::vector<ProgramInfo> Programs() const;
  // Runs of the class's programs that the kernel skipped, since Attach.
  uint64_t Missed(ke_type type) const;
  KernelMemory Memory() const;

 private:
  class Impl;
  explicit Kernel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Name of a helper-failure site, as metrics call it.
std::string_view SiteName(int site);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_KERNEL_H_
