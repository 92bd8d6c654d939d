// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace kentry {
namespace {

// Most used by runtimes first. net_cls, perf_event and hugetlb may be mounted by others alone.
constexpr std::array<std::string_view, 8> kControllers = {"memory", "pids",  "cpu",     "cpuacct",
                                                          "cpuset", "blkio", "devices", "freezer"};

struct Mount {
  std::string root;  // directory of the hierarchy that is mounted; "/" is all of it
  std::string mount_point;
  std::string type;     // "cgroup", "cgroup2"
  std::string options;  // the superblock's: v1 names its controllers there
};

struct Controller {
  std::string name;
  int index = 0;
  int hierarchy_id = 0;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    // The stream promises no errno, and a status made of 0 would be OK.
    return absl::ErrnoToStatus(errno != 0 ? errno : EIO, fmt::format("can't read {}", path));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes blank, tab, newline and backslash of a path as "\040" and the like.
std::string UnescapeMountField(std::string_view field) {
  std::string text;
  while (!field.empty()) {
    if (field.size() >= 4 && field[0] == '\\' && IsOctal(field[1]) && IsOctal(field[2]) &&
        IsOctal(field[3])) {
      text.push_back(
          static_cast<char>((field[1] - '0') * 64 + (field[2] - '0') * 8 + (field[3] - '0')));
      field.remove_prefix(4);
      continue;
    }
    text.push_back(field.front());
    field.remove_prefix(1);
  }
  return text;
}

// ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS [TAG…] - TYPE SOURCE SUPER_OPTIONS
std::optional<Mount> ReadMountLine(const std::string& line) {
  std::istringstream words(line);
  std::string skipped;
  Mount mount;
  words >> skipped >> skipped >> skipped >> mount.root >> mount.mount_point;
  while (words >> skipped && skipped != "-") {
  }
  words >> mount.type >> skipped >> mount.options;
  if (!words || (mount.type != "cgroup" && mount.type != "cgroup2")) {
    return std::nullopt;
  }
  mount.root = UnescapeMountField(mount.root);
  mount.mount_point = UnescapeMountField(mount.mount_point);
  return mount;
}

absl::StatusOr<std::vector<Mount>> ReadCgroupMounts(const std::string& proc) {
  const absl::StatusOr<std::string> text = ReadFile(proc + "/self/mountinfo");
  if (!text.ok()) {
    return text.status();
  }
  std::vector<Mount> mounts;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (std::optional<Mount> mount = ReadMountLine(line)) {
      mounts.push_back(*std::move(mount));
    }
  }
  return mounts;
}

// Rows of /proc/cgroups that belong to a mounted v1 hierarchy and are enabled.
absl::StatusOr<std::vector<Controller>> ReadV1Controllers(const std::string& proc) {
  const absl::StatusOr<std::string> text = ReadFile(proc + "/cgroups");
  if (!text.ok()) {
    return text.status();
  }
  std::vector<Controller> controllers;
  std::istringstream lines(*text);
  int index = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    Controller controller;
    controller.index = index++;
    int cgroups = 0;
    int enabled = 0;
    std::istringstream words(line);
    words >> controller.name >> controller.hierarchy_id >> cgroups >> enabled;
    if (words && controller.hierarchy_id != 0 && enabled == 1) {
      controllers.push_back(std::move(controller));
    }
  }
  return controllers;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    if (option == wanted) {
      return true;
    }
    options.remove_prefix(std::min(options.size(), option.size() + 1));
  }
  return false;
}

// The mount of the whole hierarchy below `sys`, else one that is as near to that as there is.
template <class Predicate>
const Mount* BestMount(const std::vector<Mount>& mounts, const std::string& sys,
                       Predicate predicate) {
  const Mount* best = nullptr;
  int best_score = -1;
  for (const Mount& mount : mounts) {
    const int score =
        (mount.root == "/" ? 2 : 0) + (mount.mount_point.starts_with(sys + "/fs/cgroup") ? 1 : 0);
    if (predicate(mount) && score > best_score) {
      best = &mount;
      best_score = score;
    }
  }
  return best;
}

// Cgroup namespaces hide what lies above: only the inode tells, the root's being always 1.
bool IsHierarchyRoot(const Mount& mount) {
  struct stat status;
  return mount.root == "/" && stat(mount.mount_point.c_str(), &status) == 0 && status.st_ino == 1;
}

CgroupMount MakeV2(const Mount& mount) {
  CgroupMount found;
  found.path = mount.mount_point;
  found.from_root = IsHierarchyRoot(mount);
  return found;
}

// The last mount on a directory hides the earlier ones.
const Mount* LastMountOn(const std::vector<Mount>& mounts, const std::string& directory) {
  const Mount* last = nullptr;
  for (const Mount& mount : mounts) {
    last = mount.mount_point == directory ? &mount : last;
  }
  return last;
}

class DirectoryWalk {
 public:
  DirectoryWalk(int root_fd, CgroupVisitor visitor, size_t max_cgroups)
      : root_fd_(root_fd), visitor_(visitor), max_cgroups_(max_cgroups) {}

  absl::Status Run() {
    pending_.emplace_back();
    while (!pending_.empty()) {
      const std::string relative = std::move(pending_.back());
      pending_.pop_back();
      Visit(relative);
    }
    if (skipped_ != 0) {
      return absl::ResourceExhaustedError(fmt::format(
          "{} cgroups and what is below them not read: more than {} in all, a path longer "
          "than {} bytes, or no access",
          skipped_, max_cgroups_, PATH_MAX - 1));
    }
    return absl::OkStatus();
  }

 private:
  // By path from the root, not by one descriptor a level: a container may nest cgroups deeper than
  // the limit of open files.
  void Visit(const std::string& relative) {
    const int fd = openat(root_fd_, relative.empty() ? "." : relative.c_str(),
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
      // Gone meanwhile, or a file where the kind of entry was not told.
      const bool expected = errno == ENOENT || errno == ENODEV || errno == ENOTDIR;
      skipped_ += expected ? 0 : 1;
      return;
    }
    DIR* const opened = fdopendir(fd);
    if (opened == nullptr) {
      close(fd);
      return;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opened, closedir);
    struct stat status;
    if (fstat(fd, &status) != 0) {
      return;
    }
    if (relative.empty()) {
      device_ = status.st_dev;
    } else if (status.st_dev != device_) {
      return;  // something else is mounted there
    }
    visitor_(status.st_ino, fmt::format("/{}", relative));
    PushChildren(directory.get(), relative);
  }

  void PushChildren(DIR* directory, const std::string& relative) {
    while (const dirent* entry = readdir(directory)) {
      const std::string_view name = entry->d_name;
      if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || name == "." || name == "..") {
        continue;
      }
      // Counted when found, so that the list of pending ones is bounded as well.
      if (++found_ >= max_cgroups_) {
        ++skipped_;
        continue;
      }
      pending_.push_back(relative.empty() ? std::string(name)
                                          : fmt::format("{}/{}", relative, name));
    }
  }

  const int root_fd_;
  const CgroupVisitor visitor_;
  const size_t max_cgroups_;
  dev_t device_ = 0;
  size_t found_ = 0;  // without the root
  size_t skipped_ = 0;
  std::vector<std::string> pending_;
};

}  // namespace

absl::StatusOr<CgroupMount> FindCgroupMount(const CgroupRoots& roots) {
  const absl::StatusOr<std::vector<Mount>> mounts = ReadCgroupMounts(roots.proc);
  if (!mounts.ok()) {
    return mounts.status();
  }
  const Mount* const top = LastMountOn(*mounts, roots.sys + "/fs/cgroup");
  if (top != nullptr && top->type == "cgroup2") {
    return MakeV2(*top);
  }
  const absl::StatusOr<std::vector<Controller>> controllers = ReadV1Controllers(roots.proc);
  if (!controllers.ok()) {
    return controllers.status();
  }
  for (std::string_view name : kControllers) {
    const auto it = std::ranges::find(*controllers, name, &Controller::name);
    const Mount* const mount = BestMount(*mounts, roots.sys, [name](const Mount& candidate) {
      return candidate.type == "cgroup" && HasOption(candidate.options, name);
    });
    if (it != controllers->end() && mount != nullptr) {
      return CgroupMount{.path = mount->mount_point,
                         .version = 1,
                         .controller = it->name,
                         .subsys_index = it->index,
                         .hierarchy_id = it->hierarchy_id,
                         .from_root = IsHierarchyRoot(*mount)};
    }
  }
  const Mount* const v2 = BestMount(
      *mounts, roots.sys, [](const Mount& candidate) { return candidate.type == "cgroup2"; });
  if (v2 == nullptr) {
    return absl::NotFoundError(
        fmt::format("no cgroup hierarchy is mounted: {}/self/mountinfo lists neither cgroup2 nor a "
                    "v1 controller that runtimes use",
                    roots.proc));
  }
  return MakeV2(*v2);
}

absl::Status WalkCgroups(const std::string& mount, CgroupVisitor visitor, size_t max_cgroups) {
  const int fd = open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, fmt::format("can't open cgroup mount {}", mount));
  }
  absl::Status status = DirectoryWalk(fd, visitor, max_cgroups).Run();
  close(fd);
  return status;
}

}  // namespace kentry
