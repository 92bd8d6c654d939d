// SPDX-License-Identifier: Apache-2.0
// What Kernel consists of. Internal to sensor/kernel: kernel.cc, and kernel_pins.cc for what is
// pinned and adopted.
#ifndef KENTRY_SENSOR_KERNEL_KERNEL_IMPL_H_
#define KENTRY_SENSOR_KERNEL_KERNEL_IMPL_H_

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ke_base.skel.h"
#include "ke_names.skel.h"
#include "ke_script.skel.h"
#include "sensor/kernel/deed_hook.h"
#include "sensor/kernel/exec_check.h"
#include "sensor/kernel/failed_exec.h"
#include "sensor/kernel/file_change.h"
#include "sensor/kernel/file_open.h"
#include "sensor/kernel/host.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/pins.h"
#include "sensor/kernel/rule_loader.h"
#include "sensor/kernel/sizes.h"

namespace kentry {

// The groups that hooks are pinned in; those on opens, changes and refused execs have their own.
inline constexpr char kBaseGroup[] = "base";
inline constexpr char kScriptGroup[] = "script";
inline constexpr char kFailedGroup[] = "failed_exec";
inline constexpr char kNamesGroup[] = "names";

class Kernel::Impl {
 public:
  ~Impl() {
    if (stats_ != nullptr) munmap(stats_, stats_bytes_);
    if (reader_ != nullptr) munmap(reader_, static_cast<size_t>(getpagesize()));
    if (notes_ != nullptr) munmap(notes_, notes_bytes_);
  }

  absl::Status Load(const KernelOptions& options);
  absl::Status Attach();
  void Detach() {
    Release(&hooks_);
    Release(&script_hooks_);
    Release(&names_hooks_);
    failed_exec_.Detach();
    file_open_.Detach();
    file_change_.Detach();
    exec_check_.Detach();
    for (DeedHook& hook : deeds_) hook.Detach();
  }
  absl::Status ForEachExisting(absl::FunctionRef<void(std::span<const uint8_t>)> sink);
  std::vector<ProgramInfo> Programs() const;
  uint64_t Missed(ke_type type) const;
  KernelMemory Memory() const;

  int cpus_ = 0;
  RingSizes sizes_;
  std::unique_ptr<RingReader> rings_;
  ke_cpu_stats* stats_ = nullptr;
  size_t stats_bytes_ = 0;
  ke_reader* reader_ = nullptr;
  std::optional<Pins> pins_;
  ReaderNote* notes_ = nullptr;
  size_t notes_bytes_ = 0;
  std::vector<Backend> backends_;  // but those of the classes that have their own
  RuleLoader rules_;
  TrustList trust_;
  std::vector<Backend> Backends() const;
  absl::Status PrepareRules(const RuleTables& tables);
  absl::Status PendProcesses(std::span<const std::pair<uint32_t, ke_pending>> processes);
  absl::StatusOr<std::vector<ke_file_ident>> OwnFiles();
  uint32_t AskedHooks() const;
  absl::Status KeepRules(std::string_view text, uint32_t oldest);
  absl::Status FromOthers(absl::FunctionRef<void(OtherRings*)> sink);
  absl::Status ReadIterator(bpf_program* program,
                            absl::FunctionRef<void(std::span<const uint8_t>)> sink);

 private:
  using Base = std::unique_ptr<ke_base, Destroy<&ke_base::destroy>>;
  using Names = std::unique_ptr<ke_names, Destroy<&ke_names::destroy>>;
  using Script = std::unique_ptr<ke_script, Destroy<&ke_script::destroy>>;

  absl::Status OpenBase(const KernelOptions& options, const KernelSymbols& symbols);
  absl::Status LoadBase(const KernelOptions& options);
  absl::Status ChoosePins(const KernelOptions& options);
  absl::StatusOr<Fd> MakeRing(bool prio, uint32_t cpu);
  absl::Status MakeRings();
  absl::Status MapShared();
  absl::Status MapNotes();
  bool Adopting() const { return pins_ && pins_->adopted(); }
  absl::Status AdoptHooks();
  absl::Status PinHooks();
  void LoadScript();
  absl::Status WatchNames();
  void ScriptIsThere();
  void GiveUp(std::string_view feature, const absl::Status& why);
  void AttachScript();
  bool HasFunction(const char* name) const {
    return btf__find_by_name_kind(btf_.get(), name, BTF_KIND_FUNC) > 0;
  }
  std::vector<const bpf_object*> Objects() const;
  uint64_t MissedBy(std::initializer_list<std::string_view> programs) const;

  std::unique_ptr<btf, Destroy<&btf__free>> btf_;  // the kernel's types and functions
  Base base_;
  Script script_;
  FailedExec failed_exec_;
  FileOpen file_open_;
  ExecCheck exec_check_;
  FileChange file_change_;
  // In the order of their types from KE_PTRACE on.
  std::array<DeedHook, 3> deeds_{DeedHook(KE_RC_PTRACE), DeedHook(KE_RC_SIGNAL),
                                 DeedHook(KE_RC_BPF)};
  Names names_;               // attached with the first hook on files
  std::vector<Fd> ring_fds_;  // bulk of each CPU, then priority of each CPU
  std::vector<AttachedHook> hooks_;
  std::vector<AttachedHook> script_hooks_;
  std::vector<AttachedHook> names_hooks_;
  std::function<void(ke_open*)> configure_open_;
  std::function<void(ke_change*)> configure_change_;
  std::function<void(ke_exec_check*)> configure_check_;
  std::function<void(ke_deed_hooks*)> configure_deed_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_KERNEL_IMPL_H_
