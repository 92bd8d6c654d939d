// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/kernel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "fmt/format.h"
#include "sensor/kernel/host.h"
#include "sensor/kernel/kernel_impl.h"
#include "sensor/kernel/libbpf_log.h"
#include "sensor/kernel/own_objects.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr std::string_view kInterpreters = "process.interpreters";
constexpr char kScriptName[] = "fentry bprm_change_interp";
constexpr char kDerivedName[] = "derived from argv";
constexpr char kNotNeeded[] = "not needed: a better one is in use";
constexpr char kDerivedCost[] = "an interpreter's option can't be told from an interpreter";

// Does a rule of the class deny, and not only say that it would, or need to be able to?
bool Denies(const RuleTables& tables, ke_rule_class cls) {
  const ke_acts& acts = tables.config.acts[cls];
  bool deny = acts.strict != 0 && (tables.config.strict & KE_STRICT_ENFORCED) != 0;
  for (int w = 0; w < KE_WORDS && acts.deny != 0; ++w) {
    deny |= (tables.rows[acts.deny].words[w] & ~tables.rows[acts.quiet].words[w]) != 0;
  }
  return deny;
}

}  // namespace

absl::Status Kernel::Impl::Load(const KernelOptions& options) {
  RETURN_IF_ERROR(CheckHost());
  RaiseMemlock();
  cpus_ = libbpf_num_possible_cpus();
  if (cpus_ <= 0) return ErrnoError(-cpus_, "count the CPUs");
  struct sysinfo info {};
  sysinfo(&info);
  sizes_ = DefaultRingSizes(uint64_t{info.totalram} * info.mem_unit, cpus_);
  if (options.ring_bytes != 0) sizes_.bulk = RoundBulkBytes(options.ring_bytes);
  if (options.prio_ring_bytes != 0) sizes_.prio = RoundPrioBytes(options.prio_ring_bytes);
  btf_.reset(btf__load_vmlinux_btf());
  if (btf_ == nullptr) return ErrnoError(errno, "read the kernel's BTF");
  RETURN_IF_ERROR(LoadBase(options));
  RETURN_IF_ERROR(MakeRings());
  RETURN_IF_ERROR(MapShared());
  RETURN_IF_ERROR(MapNotes());
  if (!Adopting() || !pins_->Has(kScriptGroup)) LoadScript();
  if (!Adopting() || !pins_->Has(kFailedGroup)) {
    failed_exec_.Load(base_->obj, [this](const char* name) { return HasFunction(name); });
  }
  RETURN_IF_ERROR(rules_.Attach(base_->obj));
  trust_.Attach(bpf_map__fd(base_->maps.ke_trusted));
  return pins_ ? AdoptHooks() : absl::OkStatus();
}

// Opens the base object and sets its switches.
absl::Status Kernel::Impl::OpenBase(const KernelOptions& options, const KernelSymbols& symbols) {
  base_.reset(ke_base::open());
  if (base_ == nullptr) return ErrnoError(errno, "open the base BPF object");
  const auto configure = [=, this](auto* rodata) {
    rodata->ke_cfg_cgroup_subsys = options.cgroup_subsys;
    rodata->ke_cfg_cgroup_hier = options.cgroup_hierarchy;
    rodata->ke_cfg_iter_slot = static_cast<uint32_t>(cpus_);
    rodata->ke_cfg_rename_lock = symbols.rename_lock;
    rodata->ke_cfg_mount_lock = symbols.mount_lock;
    rodata->ke_cfg_init_nsproxy = symbols.init_nsproxy;
  };
  configure(base_->rodata);
  configure_open_ = [configure](ke_open* object) { configure(object->rodata); };
  configure_change_ = [configure](ke_change* object) { configure(object->rodata); };
  configure_check_ = [configure](ke_exec_check* object) { configure(object->rodata); };
  configure_deed_ = [configure](ke_deed_hooks* object) { configure(object->rodata); };
  base_->rodata->ke_cfg_env_max = options.environment ? KE_ENV_MAX : 0;
  const auto cpus = static_cast<uint32_t>(cpus_);
  bpf_map__set_max_entries(base_->maps.ke_rings_bulk, cpus);
  bpf_map__set_max_entries(base_->maps.ke_rings_prio, cpus);
  bpf_map__set_max_entries(base_->maps.ke_stats, cpus);
  bpf_map__set_max_entries(base_->maps.ke_scratch, cpus + 1);
  bpf_map__set_max_entries(base_->maps.ke_walks, 3 * cpus + 1);
  bpf_map__set_max_entries(base_->maps.ke_filters, 3 * cpus + 1);
  bpf_map__set_max_entries(base_->maps.ke_masks, KE_MASK_SLOTS * (3 * cpus + 1));
  bpf_map__set_max_entries(base_->maps.ke_images, KE_IMAGE_SLOTS * cpus);
  bpf_map__set_max_entries(base_->maps.ke_pending, options.processes);
  bpf_map__set_max_entries(base_->maps.ke_procs, options.processes);
  bpf_map__set_max_entries(base_->maps.ke_marks, options.processes);
  return absl::OkStatus();
}

absl::Status Kernel::Impl::LoadBase(const KernelOptions& options) {
  LibbpfLog log;
  const KernelSymbols symbols = FindKernelSymbols();
  RETURN_IF_ERROR(OpenBase(options, symbols));
  RETURN_IF_ERROR(ChoosePins(options));
  if (Adopting()) {
    RETURN_IF_ERROR(pins_->ReuseMaps(base_->obj));
    LoadNothingBut(
        {base_->progs.existing__iter, base_->progs.procs__iter, base_->progs.idents__iter},
        base_->obj);
  }
  const int err = ke_base::load(base_.get());
  if (err != 0) {
    const std::string why =
        fmt::format("the kernel refuses the base programs: {} ({})", ErrnoText(err), log.Reason());
    if (err == -EPERM) return absl::PermissionDeniedError(why);
    return absl::FailedPreconditionError(why);
  }
  if (pins_ && !Adopting()) RETURN_IF_ERROR(pins_->PinMaps(base_->obj));
  for (const char* name : {"process.exec", "process.fork", "process.exit", "cgroup.change"}) {
    backends_.push_back(
        {.feature = name, .name = "raw tracepoint (BTF)", .available = true, .chosen = true});
  }
  backends_.push_back(
      {.feature = "process.existing", .name = "task iterator", .available = true, .chosen = true});
  const bool checked = symbols.rename_lock != 0 && symbols.mount_lock != 0;
  backends_.push_back({.feature = "path check",
                       .name = "rename_lock and mount_lock of kallsyms",
                       .available = checked,
                       .chosen = checked,
                       .reason = checked ? "" : "the kernel hides its symbols (kptr_restrict)",
                       .cost = checked ? "" : "renames under the path walker are not noticed"});
  return absl::OkStatus();
}

absl::StatusOr<Fd> Kernel::Impl::MakeRing(bool prio, uint32_t cpu) {
  const bpf_map* outer = prio ? base_->maps.ke_rings_prio : base_->maps.ke_rings_bulk;
  const uint32_t bytes = prio ? sizes_.prio : sizes_.bulk;
  if (Adopting()) return InnerMap(bpf_map__fd(outer), cpu);
  Fd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, prio ? "ke_ring_prio" : "ke_ring_bulk", 0, 0, bytes,
                         nullptr));
  if (!ring.valid()) {
    return ErrnoError(errno, fmt::format("make a ring of {} bytes for cpu {}", bytes, cpu));
  }
  const int fd = ring.get();
  if (bpf_map_update_elem(bpf_map__fd(outer), &cpu, &fd, BPF_ANY) != 0) {
    return ErrnoError(errno, "put a ring into its map");
  }
  return ring;
}

absl::Status Kernel::Impl::MakeRings() {
  std::vector<int> fds;
  std::vector<uint32_t> sizes;
  for (const bool prio : {false, true}) {
    for (uint32_t cpu = 0; cpu < static_cast<uint32_t>(cpus_); ++cpu) {
      ASSIGN_OR_RETURN(Fd ring, MakeRing(prio, cpu));
      fds.push_back(ring_fds_.emplace_back(std::move(ring)).get());
      sizes.push_back(prio ? sizes_.prio : sizes_.bulk);
    }
  }
  const size_t page = static_cast<size_t>(getpagesize());
  void* shared = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED,
                      bpf_map__fd(base_->maps.ke_reader), 0);
  if (shared == MAP_FAILED) return ErrnoError(errno, "map the reader's state");
  reader_ = static_cast<ke_reader*>(shared);
  ASSIGN_OR_RETURN(rings_, RingReader::Create(fds, sizes, reader_));
  return absl::OkStatus();
}

absl::Status Kernel::Impl::MapShared() {
  const size_t page = static_cast<size_t>(getpagesize());
  stats_bytes_ = (sizeof(ke_cpu_stats) * static_cast<size_t>(cpus_) + page - 1) / page * page;
  void* at =
      mmap(nullptr, stats_bytes_, PROT_READ, MAP_SHARED, bpf_map__fd(base_->maps.ke_stats), 0);
  if (at == MAP_FAILED) return ErrnoError(errno, "map the kernel's counters");
  stats_ = static_cast<ke_cpu_stats*>(at);
  return absl::OkStatus();
}

// The rows for `kentry probe`, when the hook on interpreters is there.
void Kernel::Impl::ScriptIsThere() {
  backends_.push_back({.feature = std::string(kInterpreters),
                       .name = kScriptName,
                       .available = true,
                       .chosen = true});
  backends_.push_back({.feature = std::string(kInterpreters),
                       .name = kDerivedName,
                       .available = true,
                       .reason = kNotNeeded});
}

void Kernel::Impl::LoadScript() {
  Backend fentry{.feature = std::string(kInterpreters), .name = kScriptName};
  script_.reset(ke_script::open());
  fentry.reason = script_ ? LoadBeside(base_->obj, script_->obj) : ErrnoText(errno);
  if (fentry.reason.empty()) return ScriptIsThere();
  script_.reset();
  backends_.push_back(fentry);
  backends_.push_back({.feature = std::string(kInterpreters),
                       .name = kDerivedName,
                       .available = true,
                       .chosen = true,
                       .cost = kDerivedCost});
}

// A kernel may load what it then refuses to attach: the next backend has its turn.
void Kernel::Impl::GiveUp(std::string_view feature, const absl::Status& why) {
  for (Backend& backend : backends_) {
    if (backend.feature != feature || !backend.chosen) continue;
    backend.available = backend.chosen = false;
    backend.reason = std::string(why.message());
  }
}

void Kernel::Impl::AttachScript() {
  if (script_ == nullptr) return;
  absl::StatusOr<AttachedHook> hook = AttachHook(script_->progs.chain__fentry);
  if (hook.ok()) {
    script_hooks_.push_back(*std::move(hook));
    return;
  }
  GiveUp(kInterpreters, hook.status());
  script_.reset();
  for (Backend& backend : backends_) {
    if (backend.feature != kInterpreters || !backend.available) continue;
    backend.chosen = true;
    backend.reason.clear();
    backend.cost = kDerivedCost;
  }
}

absl::Status Kernel::Impl::Attach() {
  AttachScript();
  auto& base = base_->progs;
  for (bpf_program* program :
       {base.cgroup_mkdir__tp_btf, base.cgroup_rmdir__tp_btf, base.cgroup_rename__tp_btf,
        base.cgroup_attach__tp_btf, base.exit__tp_btf, base.exec__tp_btf, base.fork__tp_btf}) {
    if (Adopting()) continue;
    ASSIGN_OR_RETURN(AttachedHook hook, AttachHook(program));
    hooks_.push_back(std::move(hook));
  }
  failed_exec_.Attach(base_->obj, [this](const char* name) { return HasFunction(name); });
  btf_.reset();  // megabytes, not needed any more
  return PinHooks();
}

absl::Status Kernel::Impl::ReadIterator(bpf_program* program,
                                        absl::FunctionRef<void(std::span<const uint8_t>)> sink) {
  Link link(bpf_program__attach_iter(program, nullptr));
  if (link == nullptr) return ErrnoError(errno, "attach the task iterator");
  const Fd iter(bpf_iter_create(bpf_link__fd(link.get())));
  if (!iter.valid()) return ErrnoError(errno, "start the task iterator");
  std::vector<uint8_t> buffer;
  std::array<uint8_t, 65536> chunk;
  while (true) {
    const ssize_t got = read(iter.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return ErrnoError(errno, "read the task iterator");
    buffer.insert(buffer.end(), chunk.begin(), chunk.begin() + got);
    size_t at = 0;
    while (buffer.size() - at >= sizeof(ke_hdr)) {
      ke_hdr hdr;
      std::memcpy(&hdr, buffer.data() + at, sizeof(hdr));
      if (hdr.size < sizeof(ke_hdr)) return absl::DataLossError("task iterator: record of no size");
      if (buffer.size() - at < hdr.size) break;
      // A copy of its own: records in the stream are not aligned.
      const std::vector<uint8_t> record(buffer.begin() + static_cast<ptrdiff_t>(at),
                                        buffer.begin() + static_cast<ptrdiff_t>(at + hdr.size));
      sink(record);
      at += hdr.size;
    }
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(at));
    if (got == 0) return absl::OkStatus();
  }
}

absl::Status Kernel::Impl::ForEachExisting(absl::FunctionRef<void(std::span<const uint8_t>)> sink) {
  return ReadIterator(base_->progs.existing__iter, [&](std::span<const uint8_t> record) {
    ke_process process;
    if (record.size() >= sizeof(process)) {
      std::memcpy(&process, record.data(), sizeof(process));
      if (process.tgid == static_cast<uint32_t>(getpid())) {
        rules_.SetSelf(process.tgid, process.start_ns);
      }
    }
    sink(record);
  });
}

absl::StatusOr<std::vector<ke_file_ident>> Kernel::Impl::OwnFiles() {
  std::vector<ke_file_ident> files;
  RETURN_IF_ERROR(
      ReadIterator(base_->progs.idents__iter, [&files](std::span<const uint8_t> record) {
        ke_file_ident ident;
        if (record.size() < sizeof(ident)) return;
        std::memcpy(&ident, record.data(), sizeof(ident));
        files.push_back(ident);
      }));
  return files;
}

absl::Status Kernel::Impl::WatchNames() {
  if (!names_hooks_.empty()) return absl::OkStatus();
  Names names(ke_names::open());
  const std::string why = names ? LoadBeside(base_->obj, names->obj) : ErrnoText(errno);
  if (!why.empty()) return absl::FailedPreconditionError(fmt::format("names of files: {}", why));
  auto& progs = names->progs;
  for (bpf_program* program : {progs.rename__fentry, progs.unlink__fentry, progs.rmdir__fentry}) {
    ASSIGN_OR_RETURN(AttachedHook hook, AttachHook(program));
    names_hooks_.push_back(std::move(hook));
  }
  names_ = std::move(names);
  return pins_ ? pins_->PinHooks(kNamesGroup, names_hooks_) : absl::OkStatus();
}

absl::Status Kernel::Impl::PrepareRules(const RuleTables& tables) {
  if (Denies(tables, KE_RC_EXEC)) {
    RETURN_IF_ERROR(
        exec_check_.Want(base_->obj, cpus_, tables.exec_denies_by_caps, configure_check_));
  }
  const auto asked = [&tables](ke_rule_class cls) {
    return (tables.config.classes & 1u << cls) != 0;
  };
  if (asked(KE_RC_OPEN) || asked(KE_RC_CHANGE)) RETURN_IF_ERROR(WatchNames());
  if (asked(KE_RC_OPEN)) {
    RETURN_IF_ERROR(
        file_open_.Want(base_->obj, cpus_, Denies(tables, KE_RC_OPEN), configure_open_));
    if (file_open_.denies()) rules_.LetOpensBeDenied();
    file_open_.DropOld();
  }
  if (asked(KE_RC_CHANGE)) {
    RETURN_IF_ERROR(file_change_.Want(base_->obj, cpus_, tables.config.changes,
                                      Denies(tables, KE_RC_CHANGE), configure_change_));
  }
  for (DeedHook& hook : deeds_) {
    const ke_rule_class cls = hook.rule_class();
    if (!asked(cls)) continue;
    RETURN_IF_ERROR(hook.Want(base_->obj, cpus_, Denies(tables, cls), configure_deed_));
  }
  RETURN_IF_ERROR(rules_.Prepare(tables));
  return asked(KE_RC_BPF) ? TellOwnObjects(bpf_map__fd(base_->maps.ke_own_objects))
                          : absl::OkStatus();
}

absl::Status Kernel::Impl::PendProcesses(
    std::span<const std::pair<uint32_t, ke_pending>> processes) {
  const int map = bpf_map__fd(base_->maps.ke_pending);
  uint32_t key = 0;
  while (bpf_map_get_next_key(map, nullptr, &key) == 0) bpf_map_delete_elem(map, &key);
  for (const auto& [pid, pending] : processes) {
    if (bpf_map_update_elem(map, &pid, &pending, BPF_ANY) != 0) {
      return ErrnoError(errno, "tell the kernel of the living processes");
    }
  }
  return ReadIterator(base_->progs.procs__iter, [](std::span<const uint8_t>) {});
}

Kernel::Kernel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Kernel::~Kernel() = default;

absl::StatusOr<std::unique_ptr<Kernel>> Kernel::Load(const KernelOptions& options) {
  auto impl = std::make_unique<Impl>();
  RETURN_IF_ERROR(impl->Load(options));
  return std::unique_ptr<Kernel>(new Kernel(std::move(impl)));
}

absl::Status Kernel::Attach() { return impl_->Attach(); }
void Kernel::Detach() { impl_->Detach(); }
absl::Status Kernel::ForEachExisting(absl::FunctionRef<void(std::span<const uint8_t>)> sink) {
  return impl_->ForEachExisting(sink);
}
RingReader& Kernel::rings() { return *impl_->rings_; }
int Kernel::cpu_count() const { return impl_->cpus_; }
const ke_cpu_stats& Kernel::stats(int cpu) const { return impl_->stats_[cpu]; }
uint64_t Kernel::wakeups() const { return impl_->reader_->wakeups; }
uint32_t Kernel::ring_bytes() const { return impl_->sizes_.bulk; }
uint32_t Kernel::prio_ring_bytes() const { return impl_->sizes_.prio; }
std::vector<Backend> Kernel::backends() const { return impl_->Backends(); }
absl::Status Kernel::PrepareRules(const RuleTables& tables) { return impl_->PrepareRules(tables); }
absl::Status Kernel::PendProcesses(std::span<const std::pair<uint32_t, ke_pending>> processes) {
  return impl_->PendProcesses(processes);
}
RuleLoader& Kernel::rules() { return impl_->rules_; }
absl::StatusOr<std::vector<ke_file_ident>> Kernel::OwnFiles() { return impl_->OwnFiles(); }
TrustList& Kernel::trust() { return impl_->trust_; }
std::vector<ProgramInfo> Kernel::Programs() const { return impl_->Programs(); }
uint64_t Kernel::Missed(ke_type type) const { return impl_->Missed(type); }
KernelMemory Kernel::Memory() const { return impl_->Memory(); }

}  // namespace kentry
