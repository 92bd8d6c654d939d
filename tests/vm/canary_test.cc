// SPDX-License-Identifier: Apache-2.0
// Hooks that don't fire any more are noticed and told, each by its class.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "fmt/format.h"
#include "sensor/util/fd.h"
#include "tests/vm/raw_sensor.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kSwitch[] = "/proc/sys/kernel/ftrace_enabled";

// Every class whose hooks are attached for rules, but for those that have been tried elsewhere.
// To load the hooks of a class takes seconds; the second half is tried with KENTRY_FULL only.
constexpr const char* kClasses[] = {
    "file.open",      "file.unlink", "file.rename",  "file.chmod",   "file.truncate",
    "file.mmap_exec", "file.mount",  "file.umount",  "process.bpf",  "process.ptrace",
    "process.signal", "file.rmdir",  "file.link",    "file.symlink", "file.mkdir",
    "file.mknod",     "file.chown",  "file.setxattr"};
std::span<const char* const> Tried() {
  return std::span(kClasses).first(
      static_cast<size_t>(Count(11, static_cast<int>(std::size(kClasses)))));
}

// For the machine as it is after the test, too.
class Tracing {
 public:
  ~Tracing() { Set("1"); }
  bool Set(const char* value) {
    const Fd fd(open(kSwitch, O_WRONLY | O_CLOEXEC));
    return fd.valid() && write(fd.get(), value, 1) == 1;
  }
};

// No further file can be opened.
class NoFiles {
 public:
  NoFiles() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{.rlim_cur = 3, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoFiles() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class CanaryTest : public RuleTest {
 protected:
  // Waits until each class has been told of once, as firing or not.
  void ExpectTold(bool fires) {
    for (const char* cls : Tried()) {
      const auto is_it = [&](const Seen& seen) {
        return seen.cls() == EventClass::kSensorHook && seen.Text(kHookClass) == cls &&
               seen.Is(kHookTried) && seen.Is(kHookFires) == fires;
      };
      EXPECT_TRUE(sensor().Wait(is_it)) << cls;
      EXPECT_EQ(sensor().Events(is_it).size(), 1u) << cls;
    }
  }
  size_t Told() {
    return sensor()
        .Events([](const Seen& seen) { return seen.cls() == EventClass::kSensorHook; })
        .size();
  }
};

TEST_F(CanaryTest, HooksThatTheKernelNoLongerCallsAreTold) {
  std::string rules = "mode: enforce\nrules:\n";
  for (size_t i = 0; i < Tried().size(); ++i) {
    // Of nothing that happens.
    const std::string_view condition =
        std::string_view(kClasses[i]).starts_with("file.") ? "file.path == \"/nowhere\""
        : kClasses[i] == std::string_view("process.bpf")   ? "bpf.sensor"
                                                           : "target.uid == 4711";
    rules += fmt::format("  - {{name: rule-{}, on: {}, when: '{}', then: deny}}\n", i, kClasses[i],
                         condition);
  }
  Load(rules);
  sleep(3);
  EXPECT_EQ(Told(), 0u) << "all fire";
  Tracing tracing;
  if (!tracing.Set("0")) {
    EXPECT_EQ(errno, EBUSY) << "the kernel keeps it on while BPF programs stand on it";
    return;
  }
  ExpectTold(false);
  ASSERT_TRUE(tracing.Set("1"));
  ExpectTold(true);
}

TEST_F(CanaryTest, WhatCanNotBeTriedIsTold) {
  // Of no file: rules on files want some open themselves.
  Load("rules:\n  - {name: rule, on: process.ptrace, when: 'target.uid == 4711'}\n");
  const auto told = [](bool tried) {
    return [tried](const Seen& seen) {
      return seen.cls() == EventClass::kSensorHook && seen.Text(kHookClass) == "process.ptrace" &&
             seen.Is(kHookTried) == tried;
    };
  };
  {
    const NoFiles none;
    const auto seen = sensor().Wait(told(false));
    ASSERT_TRUE(seen);
    EXPECT_FALSE(seen->Has(kHookFires));
  }
  const auto seen = sensor().Wait(told(true));
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->Is(kHookFires));
  // What else it could not open it counted as errors.
  LiveSensor::StopShared();
}

}  // namespace
}  // namespace kentry::vm
