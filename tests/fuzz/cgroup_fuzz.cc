// SPDX-License-Identifier: Apache-2.0
// Any bytes as a cgroup path: what ParseCgroupPath() promises must hold.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sensor/workload/cgroup_path.h"

namespace {

using kentry::ContainerRef;
using kentry::ParseCgroupPath;
using kentry::PodUid;
using kentry::Runtime;

void Check(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
  }
}

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsNameChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

bool Inside(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void CheckId(Runtime runtime, std::string_view id, std::string_view path) {
  Check((runtime == Runtime::kNone) == id.empty(), "an id exactly where there is a runtime");
  if (id.empty()) {
    return;
  }
  Check(Inside(id, path), "the id lies inside of the path");
  const std::string text = kentry::ContainerIdText(id);
  if (runtime == Runtime::kNspawn || runtime == Runtime::kLxc) {
    Check(text.size() <= 128, "names are short");
    Check(std::ranges::all_of(text, IsNameChar), "names need no escaping in any output");
    return;
  }
  Check(text == id, "hexadecimal ids have nothing to unescape");
  const bool build_step = runtime == Runtime::kDocker && id.size() == 25;
  Check(build_step || (id.size() == 64 && std::ranges::all_of(id, IsLowerHex)), "64 hex digits");
}

void CheckPod(const PodUid& uid) {
  Check(uid.size == 0 || uid.size == 32 || uid.size == 36, "size of a pod's UID");
  for (size_t i = 0; i < uid.view().size(); ++i) {
    const bool dash = uid.size == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
    Check(dash ? uid.view()[i] == '-' : IsLowerHex(uid.view()[i]), "alphabet of a pod's UID");
  }
}

void CheckSame(const ContainerRef& a, const ContainerRef& b) {
  Check(a.runtime == b.runtime && a.id == b.id && a.depth == b.depth, "same container");
  Check(a.outer_runtime == b.outer_runtime && a.outer_id == b.outer_id, "same outermost");
  Check(a.pod_uid == b.pod_uid && a.outer_pod_uid == b.outer_pod_uid, "same pods");
}

// Going deeper never leads out of a container, and never changes which one is outermost.
void CheckPrefixes(std::string_view path, const ContainerRef& whole) {
  size_t checked = 0;
  for (size_t at = path.find('/'); at != std::string_view::npos && checked < 32;
       at = path.find('/', at + 1), ++checked) {
    const ContainerRef part = ParseCgroupPath(path.substr(0, at));
    Check(part.depth <= whole.depth, "depth only grows");
    if (part.depth != 0) {
      Check(part.outer_id == whole.outer_id && part.outer_runtime == whole.outer_runtime &&
                part.outer_pod_uid == whole.outer_pod_uid,
            "the outermost container stays");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view path(reinterpret_cast<const char*>(data), size);
  const ContainerRef ref = ParseCgroupPath(path);
  CheckId(ref.runtime, ref.id, path);
  CheckId(ref.outer_runtime, ref.outer_id, path);
  CheckPod(ref.pod_uid);
  CheckPod(ref.outer_pod_uid);
  Check((ref.depth == 0) == (ref.runtime == Runtime::kNone), "depth counts containers");
  Check(ref.depth != 1 || ref.id.data() == ref.outer_id.data(), "one container is also the outer");
  CheckPrefixes(path, ref);
  // '!' is in no runtime's names, so this child is never a container of its own.
  const std::string child = std::string(path) + "/!";
  CheckSame(ref, ParseCgroupPath(child));
  const std::string slashed = "/" + std::string(path) + "//";
  CheckSame(ref, ParseCgroupPath(slashed));
  return 0;
}
