// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/failed_exec.h"

#include <array>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "sensor/kernel/libbpf_log.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

struct Functions {
  const char* execve;
  const char* execveat;
  const char* execve32;
  const char* execveat32;
};
#if defined(__x86_64__)
constexpr Functions kExecFunctions = {"__x64_sys_execve", "__x64_sys_execveat",
                                      "__ia32_compat_sys_execve", "__ia32_compat_sys_execveat"};
#else
constexpr Functions kExecFunctions = {"__arm64_sys_execve", "__arm64_sys_execveat",
                                      "__arm64_compat_sys_execve", "__arm64_compat_sys_execveat"};
#endif

constexpr char kFailedExec[] = "process.exec_failed";
constexpr char kNoFailedExecs[] = "failed execs are not seen";

}  // namespace

void FailedExec::Load(const bpf_object* base, HasFunction has_function) {
  backends_ = {{.feature = kFailedExec, .name = "fexit on the exec system calls"},
               {.feature = kFailedExec, .name = "kretprobe on the exec system calls"}};
  Backend& best = backends_[0];
  fexit_.reset(ke_failed_fexit::open());
  if (fexit_ != nullptr) {
    const std::array<std::pair<bpf_program*, const char*>, 4> targets = {{
        {fexit_->progs.execve__fexit, kExecFunctions.execve},
        {fexit_->progs.execveat__fexit, kExecFunctions.execveat},
        {fexit_->progs.execve32__fexit, kExecFunctions.execve32},
        {fexit_->progs.execveat32__fexit, kExecFunctions.execveat32},
    }};
    for (const auto& [program, function] : targets) {
      // A kernel without 32-bit emulation lacks two of them.
      bpf_program__set_autoload(program, has_function(function));
      bpf_program__set_attach_target(program, 0, function);
    }
    best.reason = LoadBeside(base, fexit_->obj);
  } else {
    best.reason = ErrnoText(errno);
  }
  if (best.reason.empty()) {
    best.available = best.chosen = true;
    backends_[1].reason = "not tried: a better one is in use";
  } else {
    fexit_.reset();
    LoadKretprobes(base);
  }
}

void FailedExec::Adopt(std::vector<AttachedHook> hooks) {
  backends_ = {{.feature = kFailedExec,
                .name = "fexit on the exec system calls",
                .available = true,
                .chosen = true},
               {.feature = kFailedExec,
                .name = "kretprobe on the exec system calls",
                .reason = "not tried: a better one is in use"}};
  hooks_ = std::move(hooks);
}

void FailedExec::LoadKretprobes(const bpf_object* base) {
  Backend& backend = backends_[1];
  kret_.reset(ke_failed_kret::open());
  backend.reason = kret_ ? LoadBeside(base, kret_->obj) : ErrnoText(errno);
  backend.available = backend.chosen = backend.reason.empty();
  if (backend.available) return;
  backend.cost = kNoFailedExecs;
  kret_.reset();
}

void FailedExec::GiveUp(Backend* backend, const absl::Status& why) {
  backend->available = backend->chosen = false;
  backend->reason = std::string(why.message());
}

absl::Status FailedExec::AttachFexit() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, fexit_->obj) {
    if (!bpf_program__autoload(program)) continue;
    absl::StatusOr<AttachedHook> hook = AttachHook(program);
    if (!hook.ok()) {
      hooks_.clear();
      return hook.status();
    }
    hooks_.push_back(*std::move(hook));
  }
  return absl::OkStatus();
}

absl::Status FailedExec::AttachKretprobes(HasFunction has_function) {
  const std::array<std::pair<bpf_program*, const char*>, 4> probes = {{
      {kret_->progs.execve__kretprobe, kExecFunctions.execve},
      {kret_->progs.execveat__kretprobe, kExecFunctions.execveat},
      {kret_->progs.execve32__kretprobe, kExecFunctions.execve32},
      {kret_->progs.execveat32__kretprobe, kExecFunctions.execveat32},
  }};
  for (const auto& [program, function] : probes) {
    if (!has_function(function)) continue;
    LibbpfLog log;
    Link link(bpf_program__attach_kprobe(program, /*retprobe=*/true, function));
    if (link == nullptr) {
      const int err = errno;
      hooks_.clear();
      return ErrnoError(err, fmt::format("attach to {}: {}", function, log.Reason()));
    }
    hooks_.push_back(
        {.program = bpf_program__name(program), .link = std::move(link), .fd = ProgramFd(program)});
  }
  return absl::OkStatus();
}

// A kernel may load what it then refuses to attach: the next backend has its turn.
void FailedExec::Attach(const bpf_object* base, HasFunction has_function) {
  if (fexit_ != nullptr) {
    const absl::Status status = AttachFexit();
    if (status.ok()) return;
    GiveUp(&backends_[0], status);
    fexit_.reset();
    LoadKretprobes(base);
  }
  if (kret_ == nullptr) return;
  if (const absl::Status status = AttachKretprobes(has_function); !status.ok()) {
    GiveUp(&backends_[1], status);
    backends_[1].cost = kNoFailedExecs;
    kret_.reset();
  }
}

}  // namespace kentry
