// SPDX-License-Identifier: Apache-2.0
// Handling of libbpf's objects. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_OBJECT_H_
#define KENTRY_SENSOR_KERNEL_OBJECT_H_

#include <bpf/libbpf.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kentry {

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using Link = std::unique_ptr<bpf_link, Destroy<&bpf_link__destroy>>;

// The kernel's word for an error number of either sign.
std::string ErrnoText(int err);

// Gives `object`, which isn't loaded yet, the maps that `base` has by the same name, but for those
// of its `own`.
void ShareMaps(const bpf_object* base, bpf_object* object,
               std::initializer_list<std::string_view> own = {});
// The same, and loads it. "" or why not.
std::string LoadBeside(const bpf_object* base, bpf_object* object,
                       std::initializer_list<std::string_view> own = {});
// Attaches by the program's own section name; `what` stands in the error.
absl::StatusOr<Link> AttachProgram(bpf_program* program, std::string_view what);
// Runs that the kernel skipped; 0 before 5.12.
uint64_t RecursionMisses(const bpf_program* program);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_OBJECT_H_
