// SPDX-License-Identifier: Apache-2.0
// A file, and all ways to open it.
#ifndef KENTRY_TESTS_VM_OPEN_WAYS_H_
#define KENTRY_TESTS_VM_OPEN_WAYS_H_

#include <fcntl.h>

#include <cstdint>
#include <span>
#include <string>

namespace kentry::vm {

// A file in a folder of its own. It has a line of text.
class Secret {
 public:
  Secret();
  const std::string& folder() const { return folder_; }
  std::string vault() const { return folder_ + "/vault"; }
  std::string path() const { return folder_ + "/vault/secret"; }
  uint64_t ino() const { return ino_; }
  uint64_t dev() const { return dev_; }

 private:
  std::string folder_;
  uint64_t ino_ = 0;
  uint64_t dev_ = 0;
};

// 0 or errno.
int OpenAndClose(const std::string& path, int flags = O_RDONLY);

// One way, for a process of its own: it may change its root and its mounts. 0 or errno.
struct Way {
  const char* name;
  int (*open)(const Secret& secret);
};
std::span<const Way> WaysToOpen();

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_OPEN_WAYS_H_
