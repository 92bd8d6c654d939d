// SPDX-License-Identifier: Apache-2.0
// The hooks that see an exec fail: fexit where the kernel has it, else kretprobes. Internal to
// sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_FAILED_EXEC_H_
#define KENTRY_SENSOR_KERNEL_FAILED_EXEC_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "ke_failed_fexit.skel.h"
#include "ke_failed_kret.skel.h"
#include "sensor/kernel/kernel.h"
#include "sensor/kernel/object.h"

namespace kentry {

class FailedExec {
 public:
  using HasFunction = absl::FunctionRef<bool(const char*)>;

  // Loads the better one beside `base`. backends() says what came of it.
  void Load(const bpf_object* base, HasFunction has_function);
  void Attach(const bpf_object* base, HasFunction has_function);
  // Instead of both: the fexit hooks that another process attached.
  void Adopt(std::vector<AttachedHook> hooks);
  void Detach() { Release(&hooks_); }

  // fexit, then kretprobe.
  const std::vector<Backend>& backends() const { return backends_; }
  const std::vector<AttachedHook>& hooks() const { return hooks_; }
  // Whether they are links that can be pinned: kretprobes are not before 5.15.
  bool pinnable() const { return fexit_ != nullptr && !hooks_.empty(); }
  // What is loaded, or nullptr.
  const bpf_object* object() const { return fexit_ ? fexit_->obj : kret_ ? kret_->obj : nullptr; }

 private:
  void LoadKretprobes(const bpf_object* base);
  absl::Status AttachFexit();
  absl::Status AttachKretprobes(HasFunction has_function);
  void GiveUp(Backend* backend, const absl::Status& why);

  std::unique_ptr<ke_failed_fexit, Destroy<&ke_failed_fexit::destroy>> fexit_;
  std::unique_ptr<ke_failed_kret, Destroy<&ke_failed_kret::destroy>> kret_;
  std::vector<Backend> backends_;
  std::vector<AttachedHook> hooks_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_FAILED_EXEC_H_
