// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/raw_sensor.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/vm/child.h"

namespace kentry::vm {

ke_counts Sum(const Kernel& kernel, ke_type type) {
  ke_counts sum{};
  for (int cpu = 0; cpu < kernel.cpu_count(); ++cpu) {
    const ke_counts& counts = kernel.stats(cpu).classes[type];
    sum.attempted += counts.attempted;
    sum.filtered += counts.filtered;
    sum.seq += counts.seq;
    sum.lost += counts.lost;
  }
  return sum;
}

std::unique_ptr<Kernel> LoadKernel(const KernelOptions& options) {
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Load(options);
  if (!kernel.ok()) {
    ADD_FAILURE() << kernel.status().ToString();
    return nullptr;
  }
  return *std::move(kernel);
}

std::vector<RawRecord> DrainAll(Kernel& kernel) {
  std::vector<RawRecord> records;
  kernel.rings().Drain(UINT64_MAX, [&](std::span<const uint8_t> bytes) {
    RawRecord record{std::vector<uint64_t>((bytes.size() + 7) / 8)};
    std::memcpy(record.words.data(), bytes.data(), bytes.size());
    records.push_back(std::move(record));
  });
  return records;
}

void RunExecs(int count) {
  const auto cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<std::unique_ptr<Child>> makers;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    const int share = count / cpus + (cpu < count % cpus ? 1 : 0);
    makers.push_back(std::make_unique<Child>([cpu, share] {
      PinToCpu(cpu);
      char name[] = "hold";
      char* const args[] = {name, nullptr};
      char* const env[] = {nullptr};
      for (int i = 0; i < share; ++i) {
        const pid_t pid = vfork();
        if (pid == 0) {
          close(STDIN_FILENO);
          execve(kHold, args, env);
          _exit(1);
        }
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || status != 0) return 1;
      }
      return 0;
    }));
  }
  for (const auto& maker : makers) EXPECT_EQ(maker->Wait(), 0);
}

int Count(int usual, int full) { return std::getenv("KENTRY_FULL") != nullptr ? full : usual; }

}  // namespace kentry::vm
