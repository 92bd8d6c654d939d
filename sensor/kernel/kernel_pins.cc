// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "fmt/format.h"
#include "sensor/kernel/kernel_impl.h"
#include "sensor/kernel/pinned.h"
#include "sensor/util/status.h"

namespace kentry {

absl::Status Kernel::Impl::ChoosePins(const KernelOptions& options) {
  if (!options.pin) return absl::OkStatus();
  ASSIGN_OR_RETURN(pins_, Pins::Open());
  PinIdentity mine{.record_version = KE_RECORD_VERSION, .cpus = static_cast<uint32_t>(cpus_)};
  Fingerprint print;
  AddObject<ke_base>(base_->obj, &print);
  print.Add(base_->rodata, sizeof(*base_->rodata));
  AddObject<ke_open>(nullptr, &print);
  AddObject<ke_change>(nullptr, &print);
  AddObject<ke_deed_hooks>(nullptr, &print);
  AddObject<ke_names>(nullptr, &print);
  AddObject<ke_exec_check>(nullptr, &print);
  AddObject<ke_script>(nullptr, &print);
  AddObject<ke_failed_fexit>(nullptr, &print);
  for (const size_t number : {sizeof(ke_rule_control), sizeof(ke_cpu_stats), sizeof(ReaderNote),
                              size_t{KE_TYPE_MAX}, size_t{sizes_.bulk}, size_t{sizes_.prio}}) {
    print.Add(&number, sizeof(number));
  }
  mine.hash = print.value();
  options.version.copy(mine.version, sizeof(mine.version) - 1);
  return pins_->Choose(mine);
}

// What is attached already, and what the hooks of others are known by.
absl::Status Kernel::Impl::AdoptHooks() {
  if (Adopting()) {
    ASSIGN_OR_RETURN(hooks_, pins_->Hooks(kBaseGroup));
    if (pins_->Has(kScriptGroup)) {
      ASSIGN_OR_RETURN(script_hooks_, pins_->Hooks(kScriptGroup));
      ScriptIsThere();
    }
    if (pins_->Has(kFailedGroup)) {
      ASSIGN_OR_RETURN(std::vector<AttachedHook> hooks, pins_->Hooks(kFailedGroup));
      failed_exec_.Adopt(std::move(hooks));
    }
    if (pins_->Has(kNamesGroup)) {
      ASSIGN_OR_RETURN(names_hooks_, pins_->Hooks(kNamesGroup));
    }
  }
  RETURN_IF_ERROR(file_open_.UsePins(&*pins_));
  RETURN_IF_ERROR(file_change_.UsePins(&*pins_));
  RETURN_IF_ERROR(exec_check_.UsePins(&*pins_));
  for (DeedHook& hook : deeds_) RETURN_IF_ERROR(hook.UsePins(&*pins_));
  if (file_open_.denies()) rules_.LetOpensBeDenied();
  file_open_.DropOld();
  ASSIGN_OR_RETURN(const auto all, PinnedGenerations());
  for (const PinnedGeneration& one : all) {
    if (one.folder == pins_->folder() || !one.readable) continue;
    rules_.ComeAfter(one.control);
    const auto trusted = OpenPinned(one.folder + "/maps/ke_trusted");
    if (trusted.ok()) trust_.AddAll(trusted->get());
  }
  return absl::OkStatus();
}

absl::Status Kernel::Impl::PinHooks() {
  if (!pins_) return absl::OkStatus();
  if (!Adopting()) RETURN_IF_ERROR(pins_->PinHooks(kBaseGroup, hooks_));
  if (!script_hooks_.empty() && !pins_->Has(kScriptGroup)) {
    RETURN_IF_ERROR(pins_->PinHooks(kScriptGroup, script_hooks_));
  }
  if (failed_exec_.pinnable()) {
    RETURN_IF_ERROR(pins_->PinHooks(kFailedGroup, failed_exec_.hooks()));
  }
  return absl::OkStatus();
}

absl::Status Kernel::Impl::KeepRules(std::string_view text, uint32_t oldest) {
  if (!pins_) return absl::OkStatus();
  for (const auto& [epoch, old] : pins_->Rules()) {
    if (epoch < oldest) pins_->DropRules(epoch);
  }
  return pins_->KeepRules(rules_.next(), text);
}

absl::Status Kernel::Impl::FromOthers(absl::FunctionRef<void(OtherRings*)> sink) {
  for (const std::string& folder : pins_->others()) {
    absl::StatusOr<std::unique_ptr<OtherRings>> rings = OtherRings::Open(folder);
    RETURN_IF_ERROR(RemovePins(folder));
    if (rings.ok()) sink(rings->get());
  }
  pins_->ForgetOthers();
  return absl::OkStatus();
}

absl::Status Kernel::Impl::MapNotes() {
  if (!pins_) return absl::OkStatus();
  constexpr char kName[] = "ke_notes";
  Fd map;
  const auto rows = static_cast<uint32_t>(cpus_ + 1);
  if (Adopting()) {
    ASSIGN_OR_RETURN(map, pins_->Map(kName));
  } else {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_MMAPABLE;
    map = Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, kName, 4, sizeof(ReaderNote) * KE_TYPE_MAX, rows,
                            &options));
    if (!map.valid()) return ErrnoError(errno, "make the map of the reader's notes");
    RETURN_IF_ERROR(pins_->PinMap(kName, map.get()));
  }
  const auto page = static_cast<size_t>(getpagesize());
  const size_t bytes = sizeof(ReaderNote) * KE_TYPE_MAX * rows;
  notes_bytes_ = (bytes + page - 1) / page * page;
  void* at = mmap(nullptr, notes_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
  if (at == MAP_FAILED) return ErrnoError(errno, "map the reader's notes");
  notes_ = static_cast<ReaderNote*>(at);
  return absl::OkStatus();
}

uint32_t Kernel::AskedHooks() const { return impl_->AskedHooks(); }
bool Kernel::adopted() const { return impl_->pins_ && impl_->pins_->adopted(); }
bool Kernel::pinned() const { return impl_->pins_.has_value(); }
bool Kernel::has_others() const { return impl_->pins_ && !impl_->pins_->others().empty(); }
absl::Status Kernel::Publish() { return impl_->pins_ ? impl_->pins_->Publish() : absl::OkStatus(); }
absl::Status Kernel::FromOthers(absl::FunctionRef<void(OtherRings*)> sink) {
  return impl_->FromOthers(sink);
}
absl::Status Kernel::KeepRules(std::string_view text, uint32_t oldest) {
  return impl_->KeepRules(text, oldest);
}
std::map<uint32_t, std::string> Kernel::KeptRules() const {
  if (!impl_->pins_) return {};
  return impl_->pins_->Rules();
}
ReaderNote* Kernel::notes(int cpu) {
  if (impl_->notes_ == nullptr) return nullptr;
  return impl_->notes_ + size_t{KE_TYPE_MAX} * static_cast<size_t>(cpu);
}
}  // namespace kentry
