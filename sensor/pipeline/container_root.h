// SPDX-License-Identifier: Apache-2.0
// The file system that a container's processes see, looked at from outside. Whoever is in there may
// want the sensor to look elsewhere, or to wait for ever.
#ifndef KENTRY_SENSOR_PIPELINE_CONTAINER_ROOT_H_
#define KENTRY_SENSOR_PIPELINE_CONTAINER_ROOT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "sensor/util/fd.h"

namespace kentry {

// A process, and the namespaces that it must be in.
struct RootOwner {
  uint32_t pid = 0;
  uint64_t start_ns = 0;  // since boot
  uint32_t mnt_ns = 0;    // inode numbers of the namespaces
  uint32_t user_ns = 0;
  bool operator==(const RootOwner&) const = default;
};

// The namespace of this process; 0 when it can't be read. `name` as in /proc/self/ns.
uint32_t OwnNamespace(const char* name);

// The root of a living process. kNotFound: it has ended, or is in other namespaces by now.
// kFailedPrecondition: the root is on no file system that answers by itself (IsLocalFileSystem), or
// the process is in another user namespace than this one: who is root there may mount an overlay
// over FUSE, whose files make everyone wait for the one who serves it.
absl::StatusOr<Fd> OpenContainerRoot(const RootOwner& owner);

// `magic` is statfs.f_type: overlay, ext4, XFS, Btrfs, tmpfs.
bool IsLocalFileSystem(int64_t magic);

// What `path` leads to below `root`, without leaving the root's mount: no link of whatever kind
// leads out, and no other file system is asked. Invalid when there is nothing. The descriptor has
// O_PATH.
Fd OpenBelow(const Fd& root, const std::string& path, bool directory);

}  // namespace kentry

#endif  // KENTRY_SENSOR_PIPELINE_CONTAINER_ROOT_H_
