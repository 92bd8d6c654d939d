// SPDX-License-Identifier: Apache-2.0
// Which container, and which pod, a cgroup path belongs to.
#ifndef KENTRY_SENSOR_WORKLOAD_CGROUP_PATH_H_
#define KENTRY_SENSOR_WORKLOAD_CGROUP_PATH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kentry {

enum class Runtime : uint8_t {
  kNone,  // not in a container
  kDocker,
  kContainerd,
  kCrio,
  kPodman,
  kNspawn,
  kLxc,
  kUnknown,  // a container whose path does not say who made it (cgroupfs driver)
};

// The word used in events and rules: "docker", "containerd", "cri-o", "podman", "systemd-nspawn",
// "lxc", "unknown"; empty for kNone. Static storage. Any thread.
std::string_view RuntimeName(Runtime runtime);

// A Kubernetes pod UID as the API server prints it: a lower-case UUID, or the 32 hex digits that
// the kubelet gives to pods from static manifests. Empty (size 0) when there is none.
struct PodUid {
  static constexpr size_t kMaxSize = 36;

  // Valid as long as this object lives and is not assigned to.
  std::string_view view() const { return {text.data(), size}; }
  bool empty() const { return size == 0; }
  friend bool operator==(const PodUid&, const PodUid&) = default;

  std::array<char, kMaxSize> text{};
  uint8_t size = 0;
};

// Containers nest (docker in docker, kind, podman in a pod). `runtime` and `id` name the innermost
// one, because that is where the process runs. A process that may create cgroups inside of its
// container can invent the innermost name, but never the outermost: decisions that must hold
// against a hostile container use the `outer_` members.
struct ContainerRef {
  Runtime runtime = Runtime::kNone;
  Runtime outer_runtime = Runtime::kNone;  // same as `runtime` when depth is 1
  uint16_t depth = 0;                      // containers on the path, 65535 for more; 0: none
  std::string_view id;        // 64 hex digits, or a name; see ContainerIdText(). Empty: none
  std::string_view outer_id;  // same as `id` when depth is 1
  // The innermost pod on the path. It is also set where no container is: in the pod's own cgroup
  // and in those of the runtime's helpers inside of the pod.
  PodUid pod_uid;
  PodUid outer_pod_uid;  // the pod around or of the outermost container
};

// Finds the container in `path`, a cgroup path as the kernel prints it, from the root of its
// hierarchy; v1 and v2 paths look the same. Never fails: what fits no known layout is not a
// container. Everything below a container's cgroup belongs to that container, whatever its name.
// Any bytes are allowed; time is linear in the length, nothing is allocated. `id` and `outer_id`
// point into `path`. Any thread.
//
// A user whose systemd manager or delegated cgroup lets him create cgroups can make one that looks
// like a container on the host; rootless docker and podman are exactly that.
ContainerRef ParseCgroupPath(std::string_view path);

// `id` of a ContainerRef as its runtime's own tools print it: systemd's "\x2d" undone for machine
// names, everything else as it is. Any thread.
std::string ContainerIdText(std::string_view id);

}  // namespace kentry

#endif  // KENTRY_SENSOR_WORKLOAD_CGROUP_PATH_H_
