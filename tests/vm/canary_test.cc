// SPDX-License-Identifier: Apache-2.0
// Hooks that don't fire any more are noticed and told, each by its class.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fmt/format.h"
#include "sensor/util/fd.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kSwitch[] = "/proc/sys/kernel/ftrace_enabled";

// Every class whose hooks are attached for rules, but for those that have been tried elsewhere.
constexpr const char* kClasses[] = {
    "file.open",     "file.unlink",   "file.rmdir",     "file.rename",    "file.link",
    "file.symlink",  "file.mkdir",    "file.mknod",     "file.chmod",     "file.chown",
    "file.truncate", "file.setxattr", "file.mmap_exec", "process.ptrace", "process.signal"};

// For the machine as it is after the test, too.
class Tracing {
 public:
  ~Tracing() { Set("1"); }
  bool Set(const char* value) {
    const Fd fd(open(kSwitch, O_WRONLY | O_CLOEXEC));
    return fd.valid() && write(fd.get(), value, 1) == 1;
  }
};

class CanaryTest : public RuleTest {
 protected:
  // Waits until each class has been told of once, as firing or not.
  void ExpectTold(bool fires) {
    for (const char* cls : kClasses) {
      const auto is_it = [&](const Seen& seen) {
        return seen.cls() == EventClass::kSensorHook && seen.Text(kHookClass) == cls &&
               seen.Is(kHookFires) == fires;
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
  for (size_t i = 0; i < std::size(kClasses); ++i) {
    // Of nothing that happens.
    const std::string_view condition = std::string_view(kClasses[i]).starts_with("file.")
                                           ? "file.path == \"/nowhere\""
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
  EXPECT_EQ(Told(), 2 * std::size(kClasses));
}

}  // namespace
}  // namespace kentry::vm
