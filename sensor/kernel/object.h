// SPDX-License-Identifier: Apache-2.0
// Handling of libbpf's objects. Internal to sensor/kernel.
#ifndef KENTRY_SENSOR_KERNEL_OBJECT_H_
#define KENTRY_SENSOR_KERNEL_OBJECT_H_

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sensor/util/fd.h"

namespace kentry {

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using Link = std::unique_ptr<bpf_link, Destroy<&bpf_link__destroy>>;

// A hook that is attached: by this process, or by one before that pinned it.
struct AttachedHook {
  std::string program;
  Link link;
  Fd fd;  // of the program
};

// A number that tells whether bytes are the same as those of another process. Not cryptographic.
class Fingerprint {
 public:
  void Add(const void* bytes, size_t size);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;  // FNV-1a
};

// The object's code, and the sizes that were set of its maps.
template <typename Skeleton>
void AddObject(const bpf_object* object, Fingerprint* print) {
  size_t size = 0;
  const void* bytes = Skeleton::elf_bytes(&size);
  print->Add(bytes, size);
  bpf_map* map = nullptr;
  if (object == nullptr) return;
  bpf_object__for_each_map(map, object) {
    const uint32_t entries = bpf_map__max_entries(map);
    print->Add(&entries, sizeof(entries));
  }
}

// The map that stands at `key` of an array of maps.
absl::StatusOr<Fd> InnerMap(int outer, uint32_t key);
// Only these programs of the object are to be loaded.
void LoadNothingBut(std::initializer_list<const bpf_program*> programs, bpf_object* object);

// The kernel's word for an error number of either sign.
std::string ErrnoText(int err);

// The number that stands behind `key` in the kernel's account of this process's descriptor, 0 when
// there is none: "map_id:", "prog_id:" (of links too).
uint32_t FdInfoNumber(int fd, std::string_view key);

// Gives `object`, which isn't loaded yet, the maps that `base` has by the same name, but for those
// of its `own`.
void ShareMaps(const bpf_object* base, bpf_object* object,
               std::initializer_list<std::string_view> own = {});
// The same, and loads it. "" or why not.
std::string LoadBeside(const bpf_object* base, bpf_object* object,
                       std::initializer_list<std::string_view> own = {});
// Attaches by the program's own section name; `what` stands in the error.
absl::StatusOr<Link> AttachProgram(bpf_program* program, std::string_view what);
absl::StatusOr<AttachedHook> AttachHook(bpf_program* program);
// A descriptor of its own.
Fd ProgramFd(const bpf_program* program);
// Gives the links up; what is not pinned is detached. Programs stay known.
void Release(std::vector<AttachedHook>* hooks);
// Runs that the kernel skipped; 0 before 5.12. Of a descriptor that is none: 0.
uint64_t RecursionMisses(int program);
uint64_t RecursionMisses(std::span<const AttachedHook> hooks);

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_OBJECT_H_
