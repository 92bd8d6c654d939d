// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_path.h"

#include <algorithm>
#include <limits>

namespace kentry {
namespace {

constexpr size_t kHexIdSize = 64;
constexpr size_t kBuildStepIdSize = 25;
constexpr size_t kMachineNameMax = 64;  // HOST_NAME_MAX, systemd's limit for a machine's name
constexpr size_t kLxcNameMax = 128;     // LXD and Incus: project, '_' and instance, 63 each
constexpr std::string_view kEscapedDash = "\\x2d";
constexpr std::string_view kSlice = ".slice";

// Where a layout's directory stands.
enum class Place : uint8_t {
  kAnywhere,
  kUnder,       // directly below a directory named Layout::parent
  kAfterSlice,  // the name itself starts with that of a slice: "<slice>:<prefix>:<id>"
};

enum class IdKind : uint8_t {
  kHex64,      // 64 lower-case hex digits: what all OCI engines generate
  kBuildStep,  // BuildKit: 25 digits and lower-case letters
  kMachine,    // systemd machine name, dashes escaped in scope names
  kLxcName,
};

struct Layout {
  Runtime runtime;  // kNone: known, and not a container; keeps later rows from taking it
  Place place;
  IdKind id;
  std::string_view parent;
  std::string_view prefix;
  std::string_view suffix;
};

// The first row that fits a directory decides. Sources: the cgroupsPath that each engine writes
// into the OCI spec, and what runc and crun make of it: with the systemd driver
// "slice:prefix:name" becomes <slice>/<prefix>-<name>.scope; with the cgroupfs driver the string
// is taken for a directory's name, colons included, when engine and driver disagree.
// Helpers (crio-conmon-…, libpod-conmon-…, lxc.monitor.…) fit no row: "conmon-…" is not an id.
constexpr Layout kLayouts[] = {
    // Docker Engine: systemd driver, also rootless (below user@N.service/user.slice) and in
    // Kubernetes through dockershim or cri-dockerd.
    {Runtime::kDocker, Place::kAnywhere, IdKind::kHex64, "", "docker-", ".scope"},
    // Docker Engine: cgroupfs driver, default parent; nested once more for docker in docker.
    {Runtime::kDocker, Place::kUnder, IdKind::kHex64, "docker", "", ""},
    {Runtime::kDocker, Place::kAfterSlice, IdKind::kHex64, "", ":docker:", ""},
    // A RUN step of `docker build` (BuildKit in dockerd), both drivers; BuildKit's executor is
    // never told about systemd, so the colons stay.
    {Runtime::kDocker, Place::kUnder, IdKind::kBuildStep, "docker", "", ""},
    {Runtime::kDocker, Place::kAfterSlice, IdKind::kBuildStep, "", ":docker:", ""},
    // containerd's CRI plugin: systemd driver, and kubelet with systemd but containerd without.
    {Runtime::kContainerd, Place::kAnywhere, IdKind::kHex64, "", "cri-containerd-", ".scope"},
    {Runtime::kContainerd, Place::kAfterSlice, IdKind::kHex64, "", ":cri-containerd:", ""},
    // nerdctl: systemd driver; cgroupfs driver uses containerd's namespace as parent, as does the
    // CRI plugin for a pod without a cgroup parent.
    {Runtime::kContainerd, Place::kAnywhere, IdKind::kHex64, "", "nerdctl-", ".scope"},
    {Runtime::kContainerd, Place::kAfterSlice, IdKind::kHex64, "", ":nerdctl:", ""},
    {Runtime::kContainerd, Place::kUnder, IdKind::kHex64, "default", "", ""},
    {Runtime::kContainerd, Place::kUnder, IdKind::kHex64, "k8s.io", "", ""},
    // CRI-O: systemd driver, cgroupfs driver, disagreeing drivers.
    {Runtime::kCrio, Place::kAnywhere, IdKind::kHex64, "", "crio-", ".scope"},
    {Runtime::kCrio, Place::kAnywhere, IdKind::kHex64, "", "crio-", ""},
    {Runtime::kCrio, Place::kAfterSlice, IdKind::kHex64, "", ":crio:", ""},
    // Podman: systemd driver (machine.slice, user.slice when rootless, or the pod's slice);
    // cgroupfs driver (below libpod_parent, or below the pod's directory there).
    {Runtime::kPodman, Place::kAnywhere, IdKind::kHex64, "", "libpod-", ".scope"},
    {Runtime::kPodman, Place::kAnywhere, IdKind::kHex64, "", "libpod-", ""},
    {Runtime::kPodman, Place::kAfterSlice, IdKind::kHex64, "", ":libpod:", ""},
    // Podman's pod with the cgroupfs driver: holds containers and conmon, is none itself.
    {Runtime::kNone, Place::kUnder, IdKind::kHex64, "libpod_parent", "", ""},
    // libvirt registers its domains with systemd-machined: a virtual machine is no container, a
    // domain of the LXC driver is one ("<domain id>-<name>").
    {Runtime::kNone, Place::kAnywhere, IdKind::kMachine, "", "machine-qemu\\x2d", ".scope"},
    {Runtime::kLxc, Place::kAnywhere, IdKind::kMachine, "", "machine-lxc\\x2d", ".scope"},
    // systemd-nspawn: by its template unit (machinectl start), and by hand, where
    // systemd-machined makes the scope.
    {Runtime::kNspawn, Place::kAnywhere, IdKind::kMachine, "", "systemd-nspawn@", ".service"},
    {Runtime::kNspawn, Place::kAnywhere, IdKind::kMachine, "", "machine-", ".scope"},
    // LXC 4 and later with LXD and Incus; LXC 3.1; before that, and Proxmox on v1.
    {Runtime::kLxc, Place::kAnywhere, IdKind::kLxcName, "", "lxc.payload.", ""},
    {Runtime::kLxc, Place::kUnder, IdKind::kLxcName, "lxc.payload", "", ""},
    {Runtime::kLxc, Place::kUnder, IdKind::kLxcName, "lxc", "", ""},
    // Kubernetes with the cgroupfs driver (docker, containerd: kubepods/<qos>/pod<uid>/<id>), and
    // any engine with a cgroup parent of the operator's own (--cgroup-parent, Amazon ECS, CRI).
    {Runtime::kUnknown, Place::kAnywhere, IdKind::kHex64, "", "", ""},
};

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsNameChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

// Machine names are host names, in which the dash is the only character that systemd escapes: any
// other escape is not a machine's.
bool IsMachineName(std::string_view name) {
  size_t decoded = 0;
  while (!name.empty() && decoded <= kMachineNameMax) {
    const size_t step = name.starts_with(kEscapedDash) ? kEscapedDash.size() : 1;
    if (step == 1 && !IsNameChar(name.front())) {
      return false;
    }
    name.remove_prefix(step);
    ++decoded;
  }
  return decoded > 0 && decoded <= kMachineNameMax;
}

bool IsId(IdKind kind, std::string_view text) {
  switch (kind) {
    case IdKind::kHex64:
      return text.size() == kHexIdSize && std::ranges::all_of(text, IsLowerHex);
    case IdKind::kBuildStep:
      return text.size() == kBuildStepIdSize && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
             });
    case IdKind::kMachine:
      return IsMachineName(text);
    case IdKind::kLxcName:
      return !text.empty() && text.size() <= kLxcNameMax && std::ranges::all_of(text, IsNameChar);
  }
  return false;
}

// Takes "<slice>.slice<prefix>" off the front of `name`; false if it is not there.
bool StripSlicePrefix(const Layout& layout, std::string_view& name) {
  const size_t id_size = layout.id == IdKind::kBuildStep ? kBuildStepIdSize : kHexIdSize;
  if (name.size() < id_size) {
    return false;
  }
  std::string_view head = name.substr(0, name.size() - id_size);
  if (!head.ends_with(layout.prefix)) {
    return false;
  }
  head.remove_suffix(layout.prefix.size());
  name.remove_prefix(name.size() - id_size);
  return head.ends_with(kSlice);
}

// The id in directory `name`, or an empty view when `layout` does not fit.
std::string_view MatchLayout(const Layout& layout, std::string_view parent, std::string_view name) {
  if (layout.place == Place::kUnder && parent != layout.parent) {
    return {};
  }
  if (!name.ends_with(layout.suffix)) {
    return {};
  }
  name.remove_suffix(layout.suffix.size());
  if (layout.place == Place::kAfterSlice) {
    if (!StripSlicePrefix(layout, name)) {
      return {};
    }
  } else {
    if (!name.starts_with(layout.prefix)) {
      return {};
    }
    name.remove_prefix(layout.prefix.size());
  }
  return IsId(layout.id, name) ? name : std::string_view();
}

// A UUID whose groups are joined by `separator`, or 32 hex digits without one.
bool ReadPodUid(std::string_view text, char separator, PodUid& uid) {
  constexpr size_t kHashSize = 32;
  const bool is_uuid = text.size() == PodUid::kMaxSize;
  if (!is_uuid && text.size() != kHashSize) {
    return false;
  }
  PodUid read;
  read.size = static_cast<uint8_t>(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool at_separator = is_uuid && (i == 8 || i == 13 || i == 18 || i == 23);
    if (at_separator ? text[i] != separator : !IsLowerHex(text[i])) {
      return false;
    }
    read.text[i] = at_separator ? '-' : text[i];
  }
  uid = read;
  return true;
}

// The kubelet's slice of a pod: [<root>-]kubepods[-<qos>]-pod<uid>.slice, where <root> is the
// kubelet's own --cgroup-root (kind: "kubelet"). A dash in a slice's name means a level, hence the
// underscores in the UID.
bool ReadPodSlice(std::string_view name, PodUid& uid) {
  constexpr std::string_view kHeads[] = {"kubepods-pod", "kubepods-burstable-pod",
                                         "kubepods-besteffort-pod"};
  if (!name.ends_with(kSlice)) {
    return false;
  }
  name.remove_suffix(kSlice.size());
  const size_t mark = name.rfind("-pod");
  if (mark == std::string_view::npos) {
    return false;
  }
  constexpr size_t kMarkSize = 4;
  const std::string_view head = name.substr(0, mark + kMarkSize);
  for (std::string_view known : kHeads) {
    if (head == known || (head.ends_with(known) && head[head.size() - known.size() - 1] == '-')) {
      return ReadPodUid(name.substr(head.size()), '_', uid);
    }
  }
  return false;
}

// The directories above the one being looked at, nearest first.
struct Above {
  std::string_view parent;
  std::string_view grandparent;
};

// The kubelet's directory of a pod with the cgroupfs driver: kubepods[/<qos>]/pod<uid>.
bool ReadPodDirectory(const Above& above, std::string_view name, PodUid& uid) {
  constexpr std::string_view kPod = "pod";
  constexpr std::string_view kKubepods = "kubepods";
  const bool below_qos = (above.parent == "burstable" || above.parent == "besteffort") &&
                         above.grandparent == kKubepods;
  if ((above.parent != kKubepods && !below_qos) || !name.starts_with(kPod)) {
    return false;
  }
  return ReadPodUid(name.substr(kPod.size()), '-', uid);
}

void ReadPod(const Above& above, std::string_view name, PodUid& uid) {
  if (ReadPodSlice(name, uid) || ReadPodDirectory(above, name, uid)) {
    return;
  }
  // The slice in front of a container's name, where kubelet and runtime use different drivers.
  const size_t colon = name.find(':');
  if (colon != std::string_view::npos) {
    ReadPodSlice(name.substr(0, colon), uid);
  }
}

void Enter(Runtime runtime, std::string_view id, ContainerRef& ref) {
  if (ref.depth == 0) {
    ref.outer_runtime = runtime;
    ref.outer_id = id;
    ref.outer_pod_uid = ref.pod_uid;
  }
  if (ref.depth < std::numeric_limits<decltype(ref.depth)>::max()) {
    ++ref.depth;
  }
  ref.runtime = runtime;
  ref.id = id;
}

}  // namespace

std::string_view RuntimeName(Runtime runtime) {
  switch (runtime) {
    case Runtime::kNone:
      return "";
    case Runtime::kDocker:
      return "docker";
    case Runtime::kContainerd:
      return "containerd";
    case Runtime::kCrio:
      return "cri-o";
    case Runtime::kPodman:
      return "podman";
    case Runtime::kNspawn:
      return "systemd-nspawn";
    case Runtime::kLxc:
      return "lxc";
    case Runtime::kUnknown:
      return "unknown";
  }
  return "";
}

ContainerRef ParseCgroupPath(std::string_view path) {
  ContainerRef ref;
  Above above;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty()) {
      continue;
    }
    ReadPod(above, name, ref.pod_uid);
    for (const Layout& layout : kLayouts) {
      const std::string_view id = MatchLayout(layout, above.parent, name);
      if (id.empty()) {
        continue;
      }
      if (layout.runtime != Runtime::kNone) {
        Enter(layout.runtime, id, ref);
      }
      break;
    }
    above = {.parent = name, .grandparent = above.parent};
  }
  return ref;
}

std::string ContainerIdText(std::string_view id) {
  std::string text;
  text.reserve(id.size());
  while (!id.empty()) {
    const bool escaped = id.starts_with(kEscapedDash);
    text.push_back(escaped ? '-' : id.front());
    id.remove_prefix(escaped ? kEscapedDash.size() : 1);
  }
  return text;
}

}  // namespace kentry
