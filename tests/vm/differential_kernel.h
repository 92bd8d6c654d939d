// SPDX-License-Identifier: Apache-2.0
// The kernel's filter over records that the test made up, by BPF_PROG_TEST_RUN.
#ifndef KENTRY_TESTS_VM_DIFFERENTIAL_KERNEL_H_
#define KENTRY_TESTS_VM_DIFFERENTIAL_KERNEL_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "rules/compile/compiler.h"
#include "tests/vm/bpf/try.h"
#include "tests/vm/differential_case.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {

class TryKernel {
 public:
  // Loads the program; attaches nothing.
  static absl::StatusOr<std::unique_ptr<TryKernel>> Load();
  ~TryKernel();

  // Puts the tables in force, and tells of the containers' cgroups and of the paths that rules
  // name.
  absl::Status SetRules(CompiledRules& rules, std::span<const TryContainer> containers);
  // What the filter says of each record. `records` refer to the containers of SetRules.
  absl::StatusOr<std::vector<ke_try_out>> Judge(std::span<const TryRecord> records);

  // Fills `id` and `row` of each.
  absl::Status Look(std::span<ke_try_address> addresses);

 private:
  class Impl;
  explicit TryKernel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Each test has the program loaded, and no sensor beside it.
class TryKernelTest : public OwnSensorTest {
 protected:
  void SetUp() override;

  std::unique_ptr<TryKernel> kernel_;
};

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_DIFFERENTIAL_KERNEL_H_
