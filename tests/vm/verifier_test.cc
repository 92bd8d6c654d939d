// SPDX-License-Identifier: Apache-2.0
// Every BPF object against this kernel's verifier: it loads, and at a price that doesn't creep up.
//
// verifier_insns.tsv keeps the instructions that the verifier processed, by kernel and program. To
// write it anew, run the suite with --test Verifier, --env KENTRY_REBASE=1 and
// --get /tmp/verifier_insns.tsv:FOLDER/%k.tsv, then join the files.
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "ke_base.skel.h"
#include "ke_change.skel.h"
#include "ke_deed_hooks.skel.h"
#include "ke_exec_check.skel.h"
#include "ke_failed_fexit.skel.h"
#include "ke_failed_kret.skel.h"
#include "ke_names.skel.h"
#include "ke_open.skel.h"
#include "ke_script.skel.h"
#include "tests/vm/child.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

constexpr char kTable[] = "/fixtures/verifier_insns.tsv";
constexpr char kNewTable[] = "/tmp/verifier_insns.tsv";
// The kernel's own bound is a million (5.2 and later): what grows past this wants a look.
constexpr uint64_t kMaxInsns = 200'000;
constexpr uint32_t kStatsOnly = 4;  // BPF_LOG_STATS

// What came of one load.
struct Loaded {
  int error = 0;
  std::string log;  // libbpf's words and the verifier's, when it failed
  std::map<std::string, uint64_t> insns;
};

std::string* libbpf_says = nullptr;

int Collect(enum libbpf_print_level level, const char* format, va_list args) {
  char line[4096];
  const int len = std::vsnprintf(line, sizeof(line), format, args);
  if (level != LIBBPF_DEBUG && libbpf_says != nullptr && len > 0) *libbpf_says += line;
  return len;
}

// Loads an opened object with a log for each program. The verifier writes "processed N insns" into
// it, also on kernels that keep no such number.
Loaded LoadWithStats(bpf_object* object) {
  static std::array<char, 1 << 20> logs[48];
  Loaded loaded;
  libbpf_says = &loaded.log;
  libbpf_set_print(Collect);
  size_t count = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    logs[count][0] = 0;
    bpf_program__set_log_level(program, kStatsOnly);
    bpf_program__set_log_buf(program, logs[count].data(), logs[count].size());
    ++count;
  }
  loaded.error = bpf_object__load(object);
  libbpf_says = nullptr;
  size_t at = 0;
  bpf_object__for_each_program(program, object) {
    const std::string log = logs[at++].data();
    const size_t found = log.rfind("processed ");
    if (found != std::string::npos) {
      loaded.insns[bpf_program__name(program)] =
          std::strtoull(log.c_str() + found + sizeof("processed ") - 1, nullptr, 10);
    }
    if (loaded.error != 0 && bpf_program__autoload(program)) {
      loaded.log += fmt::format("{}: {}\n", bpf_program__name(program), log);
    }
  }
  return loaded;
}

// As sensor/kernel loads them: sizes for one CPU are enough for the verifier.
void SetSizes(bpf_object* object) {
  for (const char* name : {"ke_rings_bulk", "ke_rings_prio", "ke_stats", "ke_scratch"}) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (map != nullptr) bpf_map__set_max_entries(map, 2);
  }
}

template <typename Skeleton>
Loaded LoadSkeleton(const std::function<void(Skeleton*)>& prepare = {}) {
  Skeleton* skeleton = Skeleton::open();
  if (skeleton == nullptr) return {.error = -errno, .log = "can't be opened"};
  SetSizes(skeleton->obj);
  if (prepare) prepare(skeleton);
  Loaded loaded = LoadWithStats(skeleton->obj);
  Skeleton::destroy(skeleton);
  return loaded;
}

Loaded LoadFexit() {
  return LoadSkeleton<ke_failed_fexit>([](ke_failed_fexit* skeleton) {
    auto& progs = skeleton->progs;
#if defined(__x86_64__)
    bpf_program__set_attach_target(progs.execve__fexit, 0, "__x64_sys_execve");
    bpf_program__set_attach_target(progs.execveat__fexit, 0, "__x64_sys_execveat");
    bpf_program__set_attach_target(progs.execve32__fexit, 0, "__ia32_compat_sys_execve");
    bpf_program__set_attach_target(progs.execveat32__fexit, 0, "__ia32_compat_sys_execveat");
#else
    bpf_program__set_attach_target(progs.execve__fexit, 0, "__arm64_sys_execve");
    bpf_program__set_attach_target(progs.execveat__fexit, 0, "__arm64_sys_execveat");
    bpf_program__set_attach_target(progs.execve32__fexit, 0, "__arm64_compat_sys_execve");
    bpf_program__set_attach_target(progs.execveat32__fexit, 0, "__arm64_compat_sys_execveat");
#endif
  });
}

// One program of each shape: what follows the hook's few lines is the same in all.
Loaded LoadChange() {
  return LoadSkeleton<ke_change>([](ke_change* skeleton) {
    bpf_program* program = nullptr;
    auto& p = skeleton->progs;
    bpf_object__for_each_program(program, skeleton->obj) {
      bpf_program__set_autoload(program,
                                program == p.unlink__modify || program == p.rename__modify);
    }
  });
}

class VerifierTest : public OwnSensorTest {
 protected:
  // Kernel and program → instructions.
  static std::map<std::pair<std::string, std::string>, uint64_t> ReadTable() {
    std::map<std::pair<std::string, std::string>, uint64_t> table;
    std::ifstream file(kTable);
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line[0] == '#') continue;
      std::istringstream words(line);
      std::string kernel;
      std::string program;
      uint64_t insns = 0;
      words >> kernel >> program >> insns;
      table[{kernel, program}] = insns;
    }
    return table;
  }

  static void Check(const Loaded& loaded) {
    ASSERT_EQ(loaded.error, 0) << loaded.log;
    ASSERT_FALSE(loaded.insns.empty());
    const bool rebase = std::getenv("KENTRY_REBASE") != nullptr;
    const std::string kernel = KernelVersion();
    const auto table = ReadTable();
    for (const auto& [program, insns] : loaded.insns) {
      SCOPED_TRACE(program + " on " + kernel);
      EXPECT_GT(insns, 0u);
      EXPECT_LE(insns, kMaxInsns);
      if (rebase) {
        std::ofstream(kNewTable, std::ios::app)
            << fmt::format("{}\t{}\t{}\n", kernel, program, insns);
        continue;
      }
      const auto row = table.find({kernel, program});
      if (row == table.end()) {
        // The newest kernel changes from day to day and gates function, not figures.
        std::printf("no row for %s on %s: %llu instructions\n", program.c_str(), kernel.c_str(),
                    static_cast<unsigned long long>(insns));
        EXPECT_TRUE(std::none_of(table.begin(), table.end(),
                                 [&](const auto& entry) { return entry.first.first == kernel; }))
            << "new program: " << insns << " instructions; add it to verifier_insns.tsv";
        continue;
      }
      EXPECT_LE(insns * 10, row->second * 11) << "more than a tenth above the table";
    }
  }
};

TEST_F(VerifierTest, Base) { Check(LoadSkeleton<ke_base>()); }

TEST_F(VerifierTest, FileOpen) { Check(LoadSkeleton<ke_open>()); }

TEST_F(VerifierTest, FileChange) { Check(LoadChange()); }

TEST_F(VerifierTest, Deeds) { Check(LoadSkeleton<ke_deed_hooks>()); }

TEST_F(VerifierTest, Names) { Check(LoadSkeleton<ke_names>()); }
TEST_F(VerifierTest, ExecCheck) { Check(LoadSkeleton<ke_exec_check>()); }

TEST_F(VerifierTest, Script) { Check(LoadSkeleton<ke_script>()); }

TEST_F(VerifierTest, FailedExecByFexit) {
  const Loaded loaded = LoadFexit();
  if (loaded.error != 0 && LoadSkeleton<ke_failed_kret>().error == 0) {
    GTEST_SKIP() << "no atomic fetch in this kernel's BPF; the kretprobe backend takes its place";
  }
  Check(loaded);
}

TEST_F(VerifierTest, FailedExecByKretprobe) { Check(LoadSkeleton<ke_failed_kret>()); }

}  // namespace
}  // namespace kentry::vm
