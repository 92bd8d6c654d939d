// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/host.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace kentry {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Addresses of kernel symbols, 0 where the kernel doesn't tell.
void FindSymbols(std::span<const std::pair<std::string_view, uint64_t*>> wanted) {
  FILE* file = std::fopen("/proc/kallsyms", "re");
  if (file == nullptr) return;
  char line[512];
  size_t left = wanted.size();
  while (left > 0 && std::fgets(line, sizeof(line), file) != nullptr) {
    // "address type name": sscanf is slow, and there are a few hundred thousand lines.
    const char* space = std::strrchr(line, ' ');
    if (space == nullptr) continue;
    std::string_view name(space + 1);
    if (name.ends_with('\n')) name.remove_suffix(1);
    for (const auto& [symbol, value] : wanted) {
      if (symbol != name) continue;
      *value = std::strtoull(line, nullptr, 16);
      --left;
    }
  }
  std::fclose(file);
}

}  // namespace

absl::Status CheckHost() {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::FailedPreconditionError(
        "this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs 5.10 or later built with "
        "CONFIG_DEBUG_INFO_BTF");
  }
  if (geteuid() != 0) {
    return absl::PermissionDeniedError(
        "loading BPF programs needs root (CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE)");
  }
  if (getpagesize() != 4096) {
    return absl::FailedPreconditionError(
        fmt::format("pages of {} bytes; only 4096 is supported", getpagesize()));
  }
  return absl::OkStatus();
}

void RaiseMemlock() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  (void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

KernelSymbols FindKernelSymbols() {
  KernelSymbols found;
  const std::array<std::pair<std::string_view, uint64_t*>, 3> symbols = {
      {{"rename_lock", &found.rename_lock},
       {"mount_lock", &found.mount_lock},
       {"init_nsproxy", &found.init_nsproxy}}};
  FindSymbols(symbols);
  return found;
}

bool BpfLsmIsActive() {
  const std::string list = FirstLine("/sys/kernel/security/lsm");
  return ("," + list + ",").find(",bpf,") != std::string::npos;
}

bool HooksMayBePreempted() {
  const auto has = [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  // "none (voluntary) full": since 5.12.
  const std::string mode = FirstLine("/sys/kernel/debug/sched/preempt");
  if (!mode.empty()) return !has(mode, "(none)") && !has(mode, "(voluntary)");
  utsname name{};
  if (uname(&name) != 0 || !has(name.version, "PREEMPT")) return false;
  const std::string line = " " + FirstLine("/proc/cmdline") + " ";
  const bool dynamic = has(name.version, "PREEMPT_DYNAMIC");
  return !dynamic || (!has(line, " preempt=none ") && !has(line, " preempt=voluntary "));
}

}  // namespace kentry
