// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/event_maker.h"

#include <sys/wait.h>
#include <csignal>
#include <cstring>

#include "sensor/decode/record.h"

namespace kentry {
namespace {

constexpr int kMaxDepth = 64;

uint64_t LoadNumber(const uint8_t* at, size_t size) {
  switch (size) {
    case 2: {
      uint16_t value;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    case 4: {
      uint32_t value;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    default: {
      uint64_t value;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
  }
}

std::string_view InlineText(const uint8_t* at, size_t size) {
  const auto* text = reinterpret_cast<const char*>(at);
  return {text, strnlen(text, size)};
}

std::string_view OperationName(uint32_t op) {
  switch (op) {
    case KE_CGROUP_MKDIR:
      return "created";
    case KE_CGROUP_RMDIR:
      return "removed";
    case KE_CGROUP_RENAME:
      return "renamed";
    default:
      return "unknown";
  }
}

// Is a field's value known of an image that was not started? `flags`: KE_F_*, of it.
bool KnownOfRefused(const FieldDef& field, uint32_t flags) {
  if ((field.ops & kLate) != 0) return false;
  const bool capabilities = field.type == FieldType::kHex || field.id == FieldId::kProcessFileCaps;
  return !capabilities || (flags & KE_F_CAPS_UNKNOWN) == 0;
}

}  // namespace

std::optional<FieldValue> ImageField(const Process& process, FieldId id) {
  const FieldDef& field = GetField(id);
  FieldValue value{.id = id};
  if (id == FieldId::kProcessUnknown) {
    value.number = process.image_known ? 0 : 1;
    return value;
  }
  if (field.source != FieldSource::kProcess) return std::nullopt;
  const Place& place = field.place;
  const uint8_t* at = reinterpret_cast<const uint8_t*>(&process.image) + place.offset;
  switch (field.type) {
    case FieldType::kUint:
    case FieldType::kInt:
    case FieldType::kDuration:
    case FieldType::kHex:
    case FieldType::kDevice:
      value.number = LoadNumber(at, place.size);
      return value;
    case FieldType::kBool:
      value.number = (LoadNumber(at, place.size) & place.mask) != 0;
      return value;
    case FieldType::kString:
    case FieldType::kStringList:
      break;
  }
  if (place.inline_text) {
    value.text = InlineText(at, place.size);
    return value;
  }
  ke_span span;
  std::memcpy(&span, at, sizeof(span));
  value.text = process.Text(span);
  if ((process.image.flags & place.cut_mask) != 0) value.flags = kFieldCut;
  return value;
}

void EventMaker::Stamp(EventClass cls, const ke_hdr& hdr) {
  builder_.Begin(cls);
  EventHeader& header = builder_.header();
  header.boot_ns = hdr.ktime_ns;
  header.time_ns = static_cast<int64_t>(hdr.ktime_ns) + wall_offset_ns_;
  header.seq = hdr.seq;
  header.cpu = hdr.cpu;
}

EventBuilder& EventMaker::Begin(EventClass cls, uint64_t boot_ns) {
  Stamp(cls, {.ktime_ns = boot_ns});
  return builder_;
}

// `behind`: the record's bytes behind its fixed part, where its spans point.
void EventMaker::AddPlaced(const FieldDef& field, const uint8_t* fixed, std::string_view behind,
                           size_t fixed_size) {
  const Place& place = field.place;
  const uint8_t* at = fixed + place.offset;
  switch (field.type) {
    case FieldType::kUint:
    case FieldType::kDuration:
    case FieldType::kHex:
    case FieldType::kDevice:
      builder_.AddNumber(field.id, LoadNumber(at, place.size));
      return;
    case FieldType::kInt: {
      const uint64_t value = LoadNumber(at, place.size);
      builder_.AddNumber(
          field.id, place.size == 4
                        ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(value)))
                        : value);
      return;
    }
    case FieldType::kBool:
      AddTrue(field.id, (LoadNumber(at, place.size) & place.mask) != 0);
      return;
    case FieldType::kString:
    case FieldType::kStringList: {
      if (place.inline_text) {
        AddText(field.id, InlineText(at, place.size));
        return;
      }
      ke_span span;
      std::memcpy(&span, at, sizeof(span));
      uint32_t flags = 0;
      std::memcpy(&flags, fixed + place.flags_offset, sizeof(flags));
      const uint16_t cut = (flags & place.cut_mask) != 0 ? kFieldCut : 0;
      if (span.len != 0) {
        builder_.AddText(field.id, behind.substr(span.off - fixed_size, span.len), cut);
      } else if (cut != 0) {
        builder_.AddText(field.id, "", cut);
      }
      return;
    }
  }
}

EventView EventMaker::Make(EventClass cls, std::span<const uint8_t> record,
                           const Process& process) {
  Source source{.cls = cls, .record = record, .process = &process, .image = &process.image};
  ke_process now;
  if (IsFileClass(cls) || IsDeedClass(cls)) {
    // Credentials, namespaces and container as of the event, not of the exec.
    const auto& rec = As<ke_actor>(record);
    now = process.image;
    now.tid = rec.tid;
    now.creds = rec.creds;
    now.ns = rec.ns;
    now.cgroup_id = rec.cgroup_id;
    source.image = &now;
  }
  source.parent = processes_.Find(process.parent());
  source.cgroup = cgroups_.Find(source.image->cgroup_id);
  Stamp(cls, RecordHeader(record));
  const bool refused = RecordHeader(record).type == KE_EXEC_DENIED;
  if (refused) builder_.header().seq = 0;  // a number of the hook's that refuses
  for (const FieldDef* field : FieldsOf(cls)) {
    if (refused && !KnownOfRefused(*field, process.image.flags)) {
      AddUnknown(*field);
    } else {
      AddField(*field, source);
    }
  }
  if (!process.image_known || source.cgroup == nullptr) builder_.header().flags |= kEventPartial;
  return builder_.View();
}

void EventMaker::AddField(const FieldDef& field, const Source& source) {
  const Process& process = *source.process;
  const auto* image = reinterpret_cast<const uint8_t*>(source.image);
  switch (field.source) {
    case FieldSource::kEvent:
      return AddPlaced(field, source.record.data(),
                       {reinterpret_cast<const char*>(source.record.data()), source.record.size()},
                       0);
    case FieldSource::kProcess:
      return AddPlaced(field, image, process.text.view(), sizeof(ke_process));
    case FieldSource::kParent:
      if (source.parent != nullptr) {
        AddPlaced(field, reinterpret_cast<const uint8_t*>(&source.parent->image),
                  source.parent->text.view(), sizeof(ke_process));
      } else if (field.id == FieldId::kParentPid && process.image.parent_tgid != 0) {
        builder_.AddNumber(field.id, process.image.parent_tgid);
      } else if (field.id == FieldId::kParentStart && process.image.parent_tgid != 0) {
        builder_.AddNumber(field.id, process.image.parent_start_ns);
      }
      return;
    case FieldSource::kDerived:
      return AddDerived(field, source);
  }
}

// Strings say that they are not whole; process.env says it by a field of its own.
void EventMaker::AddUnknown(const FieldDef& field) {
  if (field.id == FieldId::kProcessEnvCut) builder_.AddNumber(field.id, 1);
  if (field.id == FieldId::kProcessEnv) return;
  if (field.type == FieldType::kString || field.type == FieldType::kStringList) {
    builder_.AddText(field.id, "", kFieldCut);
  }
}

EventView EventMaker::MakeCgroup(std::span<const uint8_t> record) {
  const auto& rec = As<ke_cgroup>(record);
  Stamp(EventClass::kCgroup, rec.hdr);
  builder_.AddNumber(FieldId::kCgroupId, rec.id);
  AddText(FieldId::kCgroupPath, SpanText(record, rec.path));
  AddText(FieldId::kCgroupOp, OperationName(rec.op));
  return builder_.View();
}

void EventMaker::AddDerived(const FieldDef& field, const Source& source) {
  const Process& process = *source.process;
  const Cgroup* cgroup = source.cgroup;
  switch (field.id) {
    case FieldId::kProcessInterpreters:
      return AddInterpreters(process);
    case FieldId::kProcessInterpretersDerived:
      return AddTrue(field.id, (process.image.flags & (KE_F_SCRIPT | KE_F_CHAIN)) == KE_F_SCRIPT);
    case FieldId::kProcessEnv:
      return AddEnv(process);
    case FieldId::kProcessEarlier:
      return AddEarlier(process);
    case FieldId::kProcessMarks:
      return AddMarks(process);
    case FieldId::kProcessInContainer:
      return AddTrue(field.id, cgroup != nullptr && cgroup->in_container());
    case FieldId::kProcessDepth:
      return builder_.AddNumber(field.id,
                                static_cast<uint64_t>(processes_.Depth(process, kMaxDepth)));
    case FieldId::kProcessUnknown:
      return AddTrue(field.id, !process.image_known);
    case FieldId::kContainerId:
      return AddText(field.id, cgroup == nullptr ? "" : std::string_view(cgroup->container_id));
    case FieldId::kContainerRuntime:
      return AddText(field.id, cgroup == nullptr ? "" : RuntimeName(cgroup->runtime));
    case FieldId::kContainerPodUid:
      return AddText(field.id, cgroup == nullptr ? "" : cgroup->pod_uid.view());
    case FieldId::kCgroupId:
      return builder_.AddNumber(field.id, source.image->cgroup_id);
    case FieldId::kCgroupPath:
      return AddText(field.id, cgroup == nullptr ? "" : std::string_view(cgroup->path));
    case FieldId::kCgroupUnknown:
      return AddTrue(field.id, cgroup == nullptr);
    case FieldId::kFileAliases:
      return AddText(field.id, aliases_);
    case FieldId::kFailedErrorName:
      return AddText(field.id, [&]() -> std::string_view {
        const char* name = strerrorname_np(As<ke_exec_failed>(source.record).error);
        return name == nullptr ? "" : name;
      }());
    default:
      if (source.cls == EventClass::kProcessExit) AddExit(field.id, As<ke_exit>(source.record));
      if (IsDeedClass(source.cls)) AddDeed(field.id, As<ke_deed>(source.record));
  }
}

void EventMaker::AddExit(FieldId id, const ke_exit& rec) {
  const int status = static_cast<int>(rec.status);
  const bool signaled = WIFSIGNALED(status);
  switch (id) {
    case FieldId::kExitCode:
      if (!signaled) builder_.AddNumber(id, static_cast<uint64_t>(WEXITSTATUS(status)));
      return;
    case FieldId::kExitSignal:
      if (signaled) builder_.AddNumber(id, static_cast<uint64_t>(WTERMSIG(status)));
      return;
    case FieldId::kExitSignalName:
      if (signaled) AddSignalName(id, static_cast<uint32_t>(WTERMSIG(status)));
      return;
    case FieldId::kExitRuntime:
      return builder_.AddNumber(id, rec.hdr.ktime_ns - rec.start_ns);
    case FieldId::kExitKilledBy:
      if (kill_) builder_.AddText(id, kill_->rule);
      return;
    case FieldId::kExitKilledAfter:
      if (kill_) builder_.AddNumber(id, kill_->lived_ns);
      return;
    default:
      return;
  }
}

void EventMaker::AddSignalName(FieldId id, uint32_t signal) {
  const char* name = sigabbrev_np(static_cast<int>(signal));
  if (name == nullptr) return;
  scratch_.assign("SIG");
  scratch_ += name;
  AddText(id, scratch_);
}

void EventMaker::AddDeed(FieldId id, const ke_deed& rec) {
  const Process* target = processes_.Find({rec.target_tgid, rec.target_start_ns});
  const Cgroup* cgroup = cgroups_.Find(rec.target_cgroup_id);
  switch (id) {
    case FieldId::kTargetBinary:
      if (target == nullptr || !target->image_known) return builder_.AddText(id, "", kFieldCut);
      return AddText(id, target->Text(target->image.binary));
    case FieldId::kTargetContainer:
      if (cgroup == nullptr) return builder_.AddText(id, "", kFieldCut);
      return AddText(id, cgroup->container_id);
    case FieldId::kSignalName:
      return AddSignalName(id, rec.signal);
    case FieldId::kBpfObject:
      return AddText(id, (rec.access & KE_DEED_BPF_PROGRAM) != 0 ? "program" : "map");
    default:
      return;
  }
}

void EventMaker::AddInterpreters(const Process& process) {
  const ke_process& image = process.image;
  if ((image.flags & KE_F_SCRIPT) == 0) return;
  if ((image.flags & KE_F_CHAIN) != 0) {
    return AddText(FieldId::kProcessInterpreters, process.Text(image.interps));
  }
  // Each level puts its interpreter (and perhaps one option) before the script's name: what stands
  // in argv before that name, last level first.
  const std::string_view script = process.Text(image.script);
  std::vector<std::string_view> levels;
  bool found = false;
  ForEachString(process.Text(image.args), [&](std::string_view arg) {
    if (arg == script) found = true;
    if (!found) levels.push_back(arg);
  });
  if (!found) levels.resize(levels.empty() ? 0 : 1);
  scratch_.clear();
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    scratch_ += *level;
    scratch_ += '\0';
  }
  AddText(FieldId::kProcessInterpreters, scratch_);
}

void EventMaker::AddEnv(const Process& process) {
  scratch_.clear();
  ForEachString(process.Text(process.image.env), [&](std::string_view variable) {
    for (const std::string& name : env_names_) {
      if (variable.size() > name.size() && variable[name.size()] == '=' &&
          variable.starts_with(name)) {
        scratch_ += variable;
        scratch_ += '\0';
      }
    }
  });
  AddText(FieldId::kProcessEnv, scratch_);
}

void EventMaker::AddMarks(const Process& process) {
  if (process.marks.empty()) return;
  const uint64_t now = builder_.header().boot_ns;
  scratch_.clear();
  for (const ProcessMark& mark : process.marks) {
    if (mark.expires_ns != 0 && mark.expires_ns <= now) continue;
    scratch_ += mark.name;
    scratch_ += '\0';
  }
  AddText(FieldId::kProcessMarks, scratch_);
}

void EventMaker::AddEarlier(const Process& process) {
  scratch_.clear();
  for (const std::string& binary : process.earlier) {
    scratch_ += binary;
    scratch_ += '\0';
  }
  AddText(FieldId::kProcessEarlier, scratch_);
}

}  // namespace kentry
