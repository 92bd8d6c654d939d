// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/differential_kernel.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "fmt/format.h"
#include "ke_try.skel.h"
#include "sensor/kernel/host.h"
#include "sensor/kernel/libbpf_log.h"
#include "sensor/kernel/object.h"
#include "sensor/kernel/rule_loader.h"
#include "sensor/util/status.h"

namespace kentry::vm {
namespace {

using Skeleton = std::unique_ptr<ke_try, Destroy<&ke_try::destroy>>;

// Elements of a map, in memory of this process.
template <typename T>
absl::StatusOr<T*> MapArray(const bpf_map* map) {
  const auto page = static_cast<size_t>(getpagesize());
  const size_t bytes = (sizeof(T) * KE_TRY_RECORDS + page - 1) / page * page;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (at == MAP_FAILED) return ErrnoError(errno, "map the records");
  return static_cast<T*>(at);
}

// Inode numbers of the paths that rules know, and whether they are directories.
using Inodes = std::map<std::pair<std::string, bool>, uint64_t>;

uint64_t InodeOf(const Inodes& inodes, const std::string& path, bool directory) {
  const auto at = inodes.find({path, directory});
  return at == inodes.end() ? 0 : at->second;
}

uint32_t CopyPath(const std::string& text, __u8* to) {
  std::memcpy(to, text.data(), std::min<size_t>(text.size(), KE_PATH_MAX));
  return static_cast<uint32_t>(text.size());
}

uint32_t BaseLength(const std::string& path) {
  return static_cast<uint32_t>(path.size() - (path.rfind('/') + 1));
}

void Fill(const TryRecord& record, const Inodes& inodes, const MarkList& marks, ke_try_in* in) {
  *in = {};
  in->cls = record.cls == EventClass::kFileOpen ? KE_RC_OPEN : KE_RC_EXEC;
  std::copy(record.numbers.begin(), record.numbers.end(), in->numbers);
  std::copy(record.caps.begin(), record.caps.end(), in->words);
  in->words[KE_WORD_MARKS] = KE_MARK_ALWAYS;
  for (const TryMark& mark : record.marks) {
    const size_t at = marks.Find(mark.name);
    if (at == marks.marks().size()) continue;
    in->words[KE_WORD_MARKS] |= static_cast<uint64_t>(mark.may) << at;
    in->words[KE_WORD_MARKED] |= static_cast<uint64_t>(mark.sure) << at;
  }
  // Later events have of the image what its exec left in ke_procs.
  const bool open = in->cls == KE_RC_OPEN;
  in->words[KE_WORD_IMAGE] = open ? record.flags & KE_F_IMAGE : record.flags;
  in->flags = record.flags;
  in->access = record.access;
  in->cgroup_id = record.container + 1;
  in->how = (record.stale ? KE_TRY_STALE : 0) | (record.cut ? KE_TRY_CUT : 0);
  in->binary_len = CopyPath(record.binary, in->binary);
  in->binary_base = BaseLength(record.binary);
  in->parent_len = CopyPath(record.parent, in->parent);
  in->parent_base = BaseLength(record.parent);
  in->walk_len = CopyPath(record.path, in->path);
  if (!record.alias.empty()) in->ino = InodeOf(inodes, record.alias, false);
  if (!record.alias_dir.empty()) {
    in->dirs[record.alias_above ? 1 : 0] =
        InodeOf(inodes, record.alias_dir.substr(0, record.alias_dir.size() - 1), true);
  }
  if (record.path == "/") {
    // The root is its own parent, and its name is the slash.
    in->name_len = 1;
    in->walk_len = 0;
    return;
  }
  in->name_len = BaseLength(record.path);
  in->name_off = in->walk_len - in->name_len;
  in->dir_len = in->name_off - 1;
}

}  // namespace

class TryKernel::Impl {
 public:
  Skeleton skeleton_;
  RuleLoader loader_;
  MarkList marks_;  // of the rules in force
  ke_try_in* in_ = nullptr;
  ke_try_out* out_ = nullptr;
  Inodes inodes_;
  ke_try_address* addresses_ = nullptr;

  // Runs `program` over the first `count` elements.
  absl::Status Run(const bpf_program* program, size_t count);
};

absl::Status TryKernel::Impl::Run(const bpf_program* program, size_t count) {
  skeleton_->bss->ke_try_count = static_cast<uint32_t>(count);
  std::array<uint8_t, 64> packet{};  // there must be one
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = packet.data();
  options.data_size_in = packet.size();
  options.repeat = 1;
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0) {
    return ErrnoError(errno, "run the program");
  }
  if (options.retval != count) {
    return absl::InternalError(
        fmt::format("the program judged {} of {} records", options.retval, count));
  }
  return absl::OkStatus();
}

TryKernel::TryKernel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TryKernel::~TryKernel() = default;

absl::StatusOr<std::unique_ptr<TryKernel>> TryKernel::Load() {
  RaiseMemlock();
  LibbpfLog log;
  auto impl = std::make_unique<Impl>();
  impl->skeleton_ = Skeleton(ke_try::open());
  if (impl->skeleton_ == nullptr) return ErrnoError(errno, "open the test's BPF object");
  for (const bpf_map* map : {impl->skeleton_->maps.ke_walks, impl->skeleton_->maps.ke_filters}) {
    bpf_map__set_max_entries(const_cast<bpf_map*>(map), 2);
  }
  bpf_map__set_max_entries(impl->skeleton_->maps.ke_masks, 2 * KE_MASK_SLOTS);
  const int err = ke_try::load(impl->skeleton_.get());
  if (err != 0) {
    return absl::InternalError(
        fmt::format("the kernel refuses the test's program: {}\n{}", ErrnoText(err), log.text()));
  }
  ASSIGN_OR_RETURN(impl->in_, MapArray<ke_try_in>(impl->skeleton_->maps.ke_try_in));
  ASSIGN_OR_RETURN(impl->out_, MapArray<ke_try_out>(impl->skeleton_->maps.ke_try_out));
  ASSIGN_OR_RETURN(impl->addresses_, MapArray<ke_try_address>(impl->skeleton_->maps.ke_try_addrs));
  RETURN_IF_ERROR(impl->loader_.Attach(impl->skeleton_->obj));
  return std::unique_ptr<TryKernel>(new TryKernel(std::move(impl)));
}

absl::Status TryKernel::SetRules(CompiledRules& rules, std::span<const TryContainer> containers) {
  RETURN_IF_ERROR(impl_->loader_.Prepare(rules.tables()));
  impl_->marks_ = rules.marks();
  for (size_t i = 0; i < containers.size(); ++i) {
    const TryContainer& container = containers[i];
    if (!container.told || !rules.asks_for_cgroups()) continue;
    std::vector<RowUpdate> updates;
    const uint32_t value = rules.CgroupValue(
        {.id = container.id, .runtime = container.runtime, .pod_uid = container.pod_uid}, &updates);
    RETURN_IF_ERROR(impl_->loader_.SetCgroup(i + 1, value, updates));
  }
  impl_->inodes_.clear();
  for (const CompiledRules::KnownPath& known : rules.known_paths()) {
    const uint64_t ino = impl_->inodes_.size() + 1;
    if (!impl_->inodes_.try_emplace({known.path, known.directory}, ino).second) continue;
    RETURN_IF_ERROR(
        impl_->loader_.SetIdent({.ino = ino}, rules.IdentOf(known.path, known.directory)));
  }
  return impl_->loader_.Commit();
}

absl::StatusOr<std::vector<ke_try_out>> TryKernel::Judge(std::span<const TryRecord> records) {
  std::vector<ke_try_out> judged;
  while (!records.empty()) {
    const size_t count = std::min<size_t>(records.size(), KE_TRY_RECORDS);
    for (size_t i = 0; i < count; ++i) {
      Fill(records[i], impl_->inodes_, impl_->marks_, &impl_->in_[i]);
    }
    RETURN_IF_ERROR(impl_->Run(impl_->skeleton_->progs.try__run, count));
    judged.insert(judged.end(), impl_->out_, impl_->out_ + count);
    records = records.subspan(count);
  }
  return judged;
}

absl::Status TryKernel::Look(std::span<ke_try_address> addresses) {
  while (!addresses.empty()) {
    const size_t count = std::min<size_t>(addresses.size(), KE_TRY_RECORDS);
    std::copy_n(addresses.begin(), count, impl_->addresses_);
    RETURN_IF_ERROR(impl_->Run(impl_->skeleton_->progs.try__addresses, count));
    std::copy_n(impl_->addresses_, count, addresses.begin());
    addresses = addresses.subspan(count);
  }
  return absl::OkStatus();
}

void TryKernelTest::SetUp() {
  OwnSensorTest::SetUp();
  absl::StatusOr<std::unique_ptr<TryKernel>> kernel = TryKernel::Load();
  ASSERT_TRUE(kernel.ok()) << kernel.status().ToString();
  kernel_ = *std::move(kernel);
}

}  // namespace kentry::vm
