// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/rule_host.h"

#include "sensor/util/status.h"

namespace kentry {
namespace {

// Rule sets that records still in the rings may have been judged by.
constexpr size_t kEnginesKept = 4;
// Looks at the living processes after a change of rules, a second apart.
constexpr int kLaterPasses = 2;

ContainerStrings StringsOf(const Cgroup& cgroup) {
  return {.id = cgroup.container_id,
          .runtime = RuntimeName(cgroup.runtime),
          .pod_uid = cgroup.pod_uid.view()};
}

}  // namespace

RuleEngine* RuleHost::Find(uint32_t epoch) {
  for (Loaded& loaded : engines_) {
    if (loaded.epoch == epoch) return loaded.engine.get();
  }
  return nullptr;
}

void RuleHost::TellCgroup(RuleEngine* engine, const Cgroup& cgroup) {
  std::vector<RowUpdate> updates;
  const uint32_t value = engine->compiled().CgroupValue(StringsOf(cgroup), &updates);
  if (value != 0) {
    Count(kernel_.rules().SetCgroup(cgroup.id, value, updates));
  } else {
    Count(kernel_.rules().ForgetCgroup(cgroup.id));
  }
}

void RuleHost::TellCgroups(RuleEngine* engine) {
  cgroups_.ForEach([&](const Cgroup& cgroup) {
    if (!cgroup.removed()) {
      TellCgroup(engine, cgroup);
    } else {
      Count(kernel_.rules().ForgetCgroup(cgroup.id));
    }
  });
}

// Those that moved along with the one that is at `path` now, and that one.
void RuleHost::TellCgroupsBelow(RuleEngine* engine, const std::string& path) {
  cgroups_.ForEach([&](const Cgroup& cgroup) {
    if (cgroup.removed() || !cgroup.path.starts_with(path)) return;
    if (cgroup.path.size() == path.size() || cgroup.path[path.size()] == '/') {
      TellCgroup(engine, cgroup);
    }
  });
}

void RuleHost::OnCgroup(uint64_t id, CgroupChange change) {
  RuleEngine* engine = current();
  if (engine == nullptr || !engine->compiled().asks_for_cgroups()) return;
  const Cgroup* cgroup = cgroups_.Find(id);
  switch (change) {
    case CgroupChange::kNew:
      // What the kernel had not heard of was undecided, and the masks of such processes are not
      // cached: none can be stale.
      if (cgroup != nullptr) TellCgroup(engine, *cgroup);
      return;
    case CgroupChange::kRenamed:
      if (cgroup == nullptr) {
        Count(kernel_.rules().ForgetCgroup(id));
      } else {
        TellCgroupsBelow(engine, cgroup->path);
      }
      break;
    case CgroupChange::kRemoved:
      Count(kernel_.rules().ForgetCgroup(id));
      break;
  }
  // A rename changes the container, and ids of cgroups come back after a removal.
  kernel_.rules().Touch();
}

void RuleHost::OnCgroupsResynced() {
  RuleEngine* engine = current();
  if (engine == nullptr || !engine->compiled().asks_for_cgroups()) return;
  TellCgroups(engine);
  kernel_.rules().Touch();
}

absl::Status RuleHost::TellProcesses(const RuleEngine& engine) {
  std::vector<std::pair<uint32_t, ke_pending>> pending;
  processes_.ForEach([&](const Process& process) {
    if (process.exited_ns != 0 || !process.image_known) return;
    const ke_process& image = process.image;
    if ((image.flags & (KE_F_BINARY_CUT | KE_F_BINARY_UNSTABLE)) != 0) return;  // undecided
    ke_pending one{.start_ns = image.start_ns,
                   .exe_ino = image.exe_ino,
                   .exe_dev = image.exe_dev,
                   .flags = image.flags};
    one.own = engine.compiled().LaterIdsOf(process.Text(image.binary));
    const Process* parent = processes_.Find(process.parent());
    if (parent != nullptr) {
      one.parent = engine.compiled().LaterIdsOf(parent->Text(parent->image.binary));
    }
    pending.emplace_back(image.tgid, one);
  });
  return kernel_.PendProcesses(pending);
}

bool RuleHost::Silence(const RuleEngine& engine) {
  if (&engine != current()) return false;
  const CompiledRules& compiled = engine.compiled();
  bool told = true;
  for (const ke_rule_class cls : kRuledClasses) {
    const uint32_t number = compiled.tables().config.acts[cls].quiet;
    if (number == 0) continue;
    const absl::Status status =
        kernel_.rules().SetRow(number, compiled.QuietRow(cls, engine.silenced()));
    Count(status);
    told = told && status.ok();
  }
  return told;
}

void RuleHost::Refresh() {
  RuleEngine* engine = current();
  if (engine == nullptr) return;
  files_.Refresh(engine->compiled());
  if (later_passes_ == 0) return;
  --later_passes_;
  Count(TellProcesses(*engine));
}

bool RuleHost::Adopt(uint32_t epoch, std::string_view text, const EngineMaker& make) {
  absl::StatusOr<KeptRules> kept = ReadKeptRules(text);
  if (!kept.ok()) return false;
  mark_places_ = std::move(kept->places);
  std::unique_ptr<RuleEngine> engine = RestoreEngine(*kept, make);
  if (engine == nullptr) return false;
  engines_.push_back({epoch, std::move(engine)});
  return true;
}

bool RuleHost::AddOlder(uint32_t epoch, std::string_view text, const EngineMaker& make) {
  const absl::StatusOr<KeptRules> kept = ReadKeptRules(text);
  if (!kept.ok()) return false;
  std::unique_ptr<RuleEngine> engine = RestoreEngine(*kept, make);
  if (engine == nullptr) return false;
  engines_.push_front({epoch, std::move(engine)});
  return true;
}

absl::Status RuleHost::Keep(const RuleEngine& engine, const MarkPlaces& places) {
  if (!kernel_.pinned()) return absl::OkStatus();
  const uint32_t oldest = engines_.empty() ? kernel_.rules().next() : engines_.front().epoch;
  return kernel_.KeepRules(KeepRules(engine, places), oldest);
}

absl::Status RuleHost::Fill(RuleEngine* engine) {
  if (engine->compiled().asks_for_cgroups()) TellCgroups(engine);
  files_.Start(engine->compiled());
  return TellProcesses(*engine);
}

absl::Status RuleHost::Load(std::unique_ptr<RuleEngine> engine,
                            std::vector<std::pair<std::string, Limiter::Suppressed>>* suppressed) {
  MarkPlaces places = mark_places_;
  engine->compiled().PlaceMarks(places.Place(engine->compiled().marks()));
  RETURN_IF_ERROR(kernel_.PrepareRules(engine->compiled().tables()));
  absl::Status status = Fill(engine.get());
  if (status.ok()) status = Keep(*engine, places);
  if (!status.ok()) {
    kernel_.rules().Abandon();
    // The files that the rules in force name were given up for those of the others.
    if (RuleEngine* old = current(); old != nullptr) files_.Start(old->compiled());
    return status;
  }
  RETURN_IF_ERROR(kernel_.rules().Commit());
  mark_places_ = std::move(places);
  if (RuleEngine* old = current(); old != nullptr) {
    std::vector<Limiter::Suppressed> held_back;
    old->TakeAllSuppressed(&held_back);
    for (Limiter::Suppressed& one : held_back) {
      suppressed->emplace_back(old->rules().rules[one.rule].name, std::move(one));
    }
  }
  engines_.push_back({kernel_.rules().epoch(), std::move(engine)});
  if (engines_.size() > kEnginesKept) engines_.pop_front();
  // Who was forked while the others were told is undecided, so judged by user space, until the
  // table has heard of it.
  later_passes_ = kLaterPasses;
  return absl::OkStatus();
}

std::string RuleHost::Aliases(uint32_t epoch, std::string_view path, uint32_t exact,
                              uint32_t prefix) {
  const RuleEngine* engine = Find(epoch);
  std::string aliases;
  if (engine == nullptr) return aliases;
  const auto add = [&aliases](std::string_view name) {
    if (name.empty()) return;
    aliases += name;
    aliases += '\0';
  };
  const std::string_view file = engine->compiled().ExactName(exact);
  const std::string_view directory = engine->compiled().PrefixName(prefix);
  if (file != path) add(file);
  // A directory above is no other name of what is below it.
  if (!path.starts_with(directory)) add(directory);
  return aliases;
}

}  // namespace kentry
