// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/file_idents.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>

#include "sensor/util/fd.h"

namespace kentry {
namespace {

// Descriptors that are open at once to look at their inodes.
constexpr size_t kFilesAtOnce = 512;
// Seconds between looks at a root when the kernel has not forgotten an inode.
constexpr uint64_t kLookEvery = 10;
// What one call may take: the pipeline waits for it.
constexpr size_t kRootsAtOnce = 4;
constexpr size_t kPathsAtOnce = 2048;
// Processes of further ones count as skipped roots.
constexpr size_t kRootsMax = 4096;
// Some room is left for what is told before the old is forgotten.
constexpr size_t kFilesMax = kIdentsMax - 1024;

Fd OpenOnHost(const std::string& path, bool directory) {
  return Fd(
      open(path.empty() ? "/" : path.c_str(), O_PATH | O_CLOEXEC | (directory ? O_DIRECTORY : 0)));
}

// One inode may be a rule's directory and, by another rule, a path of its own.
void Merge(const ke_ident& from, ke_ident* into) {
  if (from.exact != 0) {
    into->exact = from.exact;
    into->exact_prefix = from.exact_prefix;
    into->exact_suffix = from.exact_suffix;
  }
  if (from.dir != 0) into->dir = from.dir;
  if (from.prefix != 0) into->prefix = from.prefix;
}

bool Same(const ke_ident& a, const ke_ident& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace

uint64_t FileIdents::Drops() const {
  uint64_t drops = 0;
  for (int cpu = 0; cpu < kernel_.cpu_count(); ++cpu) {
    drops += kernel_.stats(cpu).sites[KE_SITE_IDENT_DROPPED];
  }
  return drops;
}

void FileIdents::Start(const CompiledRules& rules) {
  told_.clear();
  roots_.clear();  // what they know belongs to the paths of other rules
  drops_ = Drops();
  LookAtHost(rules);
  LookAtRoots(rules);
  changed_ = true;
  Tell();
}

void FileIdents::Refresh(const CompiledRules& rules) {
  ++refreshes_;
  // The kernel forgets an inode that is renamed or removed: all are looked up again, and told
  // again as they are.
  const uint64_t drops = Drops();
  if (drops != drops_ || refreshes_ % kLookEvery == 0) {
    drops_ = drops;
    LookAtHost(rules);
  }
  LookAtRoots(rules);
  if (changed_) Tell();
}

void FileIdents::FindRoots() {
  for (auto& [ns, root] : roots_) {
    root.seen = false;
    root.before = root.owner;
  }
  uint64_t beyond = 0;
  processes_.ForEach([&](const Process& process) {
    const ke_process& image = process.image;
    if (process.exited_ns != 0 || !process.image_known || image.ns.mnt == own_mnt_ns_) return;
    const Cgroup* cgroup = cgroups_.Find(image.cgroup_id);
    if (cgroup == nullptr || !cgroup->in_container()) return;
    auto at = roots_.find(image.ns.mnt);
    if (at == roots_.end()) {
      if (roots_.size() >= kRootsMax) {
        ++beyond;
        return;
      }
      at = roots_.emplace(image.ns.mnt, Root()).first;
    }
    Root& root = at->second;
    const RootOwner owner = {.pid = image.tgid,
                             .start_ns = image.start_ns,
                             .mnt_ns = image.ns.mnt,
                             .user_ns = image.ns.user};
    // The oldest: it stays the same one from walk to walk.
    if (!root.seen || owner.start_ns < root.owner.start_ns) root.owner = owner;
    root.seen = true;
  });
  changed_ |= std::erase_if(roots_, [](const auto& entry) { return !entry.second.seen; }) != 0;
  counters_.skipped = beyond;
  for (auto& [ns, root] : roots_) {
    // Numbers of namespaces come back at once: this may be another container.
    if (root.owner != root.before) root.looked_at = root.look.next = 0;
    counters_.roots += root.looked_at != 0 && !root.skipped ? 1 : 0;
    counters_.skipped += root.skipped ? 1 : 0;
  }
}

void FileIdents::LookAtHost(const CompiledRules& rules) {
  Look look = {.drops = drops_};
  Batch batch;
  if (!LookAt(rules, nullptr, rules.known_paths().size(), &look, &batch) || !Ask(&batch)) return;
  host_ = std::move(look.found);
  changed_ = true;
}

// Whose look is under way, else one that was not looked at yet, else the one longest ago.
FileIdents::Root* FileIdents::NextRoot() {
  Root* next = nullptr;
  const auto rank = [](const Root& root) {
    return std::tuple(root.look.next == 0, root.looked_at, root.owner.start_ns);
  };
  for (auto& [ns, root] : roots_) {
    if (root.looked_at == refreshes_) continue;  // in this call
    const bool forgotten = !root.skipped && root.look.drops != drops_;
    const bool due = root.looked_at == 0 || root.look.next != 0 || forgotten ||
                     refreshes_ - root.looked_at >= kLookEvery;
    if (due && (next == nullptr || rank(root) < rank(*next))) next = &root;
  }
  return next;
}

void FileIdents::LookAtRoots(const CompiledRules& rules) {
  const size_t all = rules.known_paths().size();
  counters_.roots = counters_.skipped = 0;
  if (all == 0) return;
  FindRoots();
  size_t budget = kPathsAtOnce;
  bool asked = true;
  Batch batch;
  std::vector<Root*> begun;
  while (asked && begun.size() < kRootsAtOnce && budget > 0) {
    Root* root = NextRoot();
    if (root == nullptr) break;
    begun.push_back(root);
    if (root->look.next == 0) root->look = {.drops = drops_};
    const size_t begin = root->look.next;
    const absl::StatusOr<Fd> opened = OpenContainerRoot(root->owner);
    root->skipped = !opened.ok();
    if (opened.ok()) asked = LookAt(rules, &*opened, budget, &root->look, &batch);
    budget -= root->look.next - begin;
    root->looked_at = refreshes_;
  }
  asked = asked && Ask(&batch);
  for (Root* root : begun) {
    root->skipped |= !asked;
    if (root->skipped) root->look.found.clear();
    if (root->skipped || root->look.next == all) Finish(root);
  }
}

void FileIdents::Finish(Root* root) {
  Files& found = root->look.found;
  root->no_room = 0;
  size_t others = host_.size();
  for (const auto& [ns, other] : roots_) others += &other == root ? 0 : other.files.size();
  if (others + found.size() > kFilesMax) {
    root->no_room = found.size();
    found.clear();
  }
  root->files = std::move(found);
  found.clear();
  root->look.next = 0;
  changed_ = true;
}

bool FileIdents::LookAt(const CompiledRules& rules, const Fd* root, size_t budget, Look* look,
                        Batch* batch) {
  const size_t end = std::min(rules.known_paths().size(), look->next + budget);
  for (; look->next < end; ++look->next) {
    const CompiledRules::KnownPath& known = rules.known_paths()[look->next];
    Fd fd = root != nullptr ? OpenBelow(*root, known.path, known.directory)
                            : OpenOnHost(known.path, known.directory);
    if (!fd.valid()) continue;
    batch->by_fd[static_cast<uint32_t>(fd.get())] = {rules.IdentOf(known.path, known.directory),
                                                     look};
    batch->open.push_back(std::move(fd));
    if (batch->open.size() >= kFilesAtOnce && !Ask(batch)) return false;
  }
  return true;
}

bool FileIdents::Ask(Batch* batch) {
  if (batch->open.empty()) return true;
  const auto files = kernel_.OwnFiles();
  if (!Count(files.status())) return false;
  for (const ke_file_ident& file : *files) {
    const auto at = batch->by_fd.find(file.fd);
    if (at == batch->by_fd.end()) continue;
    const auto& [ident, look] = at->second;
    Known& known = look->found[{file.key.ino, file.key.dev}];
    Merge(ident, &known.ident);
    known.drops = look->drops;
  }
  batch->by_fd.clear();
  batch->open.clear();
  return true;
}

void FileIdents::Take(const Files& files, Files* wanted) {
  for (const auto& [key, known] : files) {
    const auto at = wanted->find(key);
    if (at == wanted->end()) {
      if (wanted->size() >= kFilesMax) {
        ++counters_.no_room;
      } else {
        wanted->emplace(key, known);
      }
      continue;
    }
    Merge(known.ident, &at->second.ident);
    at->second.drops = std::max(at->second.drops, known.drops);
  }
}

void FileIdents::Tell() {
  changed_ = false;
  counters_.no_room = 0;
  Files wanted;
  Take(host_, &wanted);
  for (const auto& [ns, root] : roots_) {
    Take(root.files, &wanted);
    counters_.no_room += root.no_room;
  }
  bool told = false;
  for (const auto& [key, known] : told_) {
    if (wanted.contains(key)) continue;
    told = true;
    Count(kernel_.rules().ForgetIdent({.ino = key.first, .dev = key.second}));
  }
  for (const auto& [key, known] : wanted) {
    // What the kernel forgot since is told again only by those who have looked since.
    const auto old = told_.find(key);
    if (old != told_.end() && Same(old->second.ident, known.ident) &&
        old->second.drops >= known.drops) {
      continue;
    }
    told = true;
    Count(kernel_.rules().SetIdent({.ino = key.first, .dev = key.second}, known.ident));
  }
  told_ = std::move(wanted);
  if (told && kernel_.rules().next() == kernel_.rules().epoch()) kernel_.rules().Touch();
}

}  // namespace kentry
