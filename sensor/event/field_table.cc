// SPDX-License-Identifier: Apache-2.0
#include "sensor/event/field_table.h"

#include <array>
#include <vector>

namespace kentry {
namespace {

using enum EventClass;
using enum FieldType;
using enum FieldSource;
using enum FieldId;

constexpr std::array<ClassDef, kEventClassCount - 1> kClasses = {{
    {kProcessExec, "process.exec", KE_EXEC, "a process image was replaced by a program"},
    {kProcessFork, "process.fork", KE_FORK,
     "a process was created (fork, vfork, clone, clone3); threads are not reported"},
    {kProcessExit, "process.exit", KE_EXIT, "the last thread of a process ended"},
    {kProcessExecFailed, "process.exec_failed", KE_EXEC_FAILED, "an exec returned an error"},
    {kProcessExisting, "process.existing", KE_EXISTING,
     "a process that the sensor found running: it is older than the sensor, or a loss had hidden "
     "it"},
    {kCgroup, "cgroup.change", KE_CGROUP, "a cgroup was created, removed or renamed"},
    {kSensorStart, "sensor.start", KE_INVALID, "the sensor watches from here on"},
    {kSensorLoss, "sensor.loss", KE_INVALID, "events happened that are not in this output"},
    {kSensorStop, "sensor.stop", KE_INVALID, "the sensor stopped in an orderly way"},
    {kFileOpen, "file.open", KE_FILE_OPEN,
     "a file was opened, and a rule asked for it: seen when the file system's permissions had "
     "agreed, "
     "before other security modules are asked"},
    {kSensorRules, "sensor.rules", KE_INVALID, "a rule set was put in force"},
    {kSensorSuppressed, "sensor.suppressed", KE_INVALID,
     "a rule's limit held back alerts; the events themselves are not lost where their class is "
     "always reported"},
    {kSensorGuard, "sensor.guard", KE_INVALID,
     "an enforcing rule acted on more processes in its first minute than its guard allows: from "
     "here on it only says what it would do, until rules are loaded again"},
    {kFileUnlink, "file.unlink", KE_FILE_UNLINK,
     "a name of a file was to be removed, and a rule asked for it"},
    {kFileRmdir, "file.rmdir", KE_FILE_RMDIR,
     "a directory was to be removed, and a rule asked for it"},
    {kFileRename, "file.rename", KE_FILE_RENAME,
     "a file or directory was to be renamed; with RENAME_EXCHANGE one event for each of the two, "
     "and a rule asked for it"},
    {kFileLink, "file.link", KE_FILE_LINK,
     "a file was to get another name (hard link), and a rule asked for it"},
    {kFileSymlink, "file.symlink", KE_FILE_SYMLINK,
     "a symbolic link was to be made, and a rule asked for it"},
    {kFileMkdir, "file.mkdir", KE_FILE_MKDIR,
     "a directory was to be made, and a rule asked for it"},
    {kFileMknod, "file.mknod", KE_FILE_MKNOD,
     "a device, FIFO or socket was to be made in the file system; regular files: see file.open, "
     "and a rule asked for it"},
    {kFileChmod, "file.chmod", KE_FILE_CHMOD,
     "the mode of a file was to be changed, and a rule asked for it"},
    {kFileChown, "file.chown", KE_FILE_CHOWN,
     "the owner or group of a file was to be changed, and a rule asked for it"},
    {kFileTruncated, "file.truncate", KE_FILE_TRUNCATED,
     "a file was to be cut or lengthened: truncate, ftruncate, an open with O_TRUNC, and a rule "
     "asked for it"},
    {kFileSetxattr, "file.setxattr", KE_FILE_SETXATTR,
     "an extended attribute or access control list of a file was to be set, and a rule asked for "
     "it"},
    {kFileMmapExec, "file.mmap_exec", KE_FILE_MMAP_EXEC,
     "memory was to become executable: mmap or mprotect with PROT_EXEC, also those of an exec and "
     "of the dynamic loader, and a rule asked for it"},
    {kFileMount, "file.mount", KE_FILE_MOUNT,
     "a file system or directory was to be mounted on a name, or the mount there to be changed, "
     "and "
     "a rule asked for it"},
    {kFileUmount, "file.umount", KE_FILE_UMOUNT,
     "a mount was to be taken away, and a rule asked for it"},
    {kProcessPtrace, "process.ptrace", KE_PTRACE,
     "a process was to look into another one or to take control of it (ptrace, process_vm_readv "
     "and process_vm_writev, /proc/PID/mem, maps, environ and the like), and a rule asked for it"},
    {kProcessSignal, "process.signal", KE_SIGNAL,
     "a process was to send a signal to another one (kill, tgkill, sigqueue, pidfd_send_signal), "
     "and a rule asked for it; signals of the kernel's own are not seen"},
    {kProcessBpf, "process.bpf", KE_BPF,
     "a process was to get a descriptor of a BPF map or program (it made it, took it by its id or "
     "from a pin), and a rule asked for it"},
    {kSensorEnforcement, "sensor.enforcement", KE_INVALID,
     "somebody changed what is enforced: paused or resumed it, or had a program trusted or not"},
    {kSensorHook, "sensor.hook", KE_INVALID,
     "a hook that rules asked for does not fire any more: what it watches is neither seen nor "
     "stopped; or it does again; or that can't be tried"},
}};

constexpr ClassMask C(EventClass cls) { return ClassBit(cls); }
constexpr ClassMask kExecOnly = C(kProcessExec);
constexpr ClassMask kExistingOnly = C(kProcessExisting);
constexpr ClassMask kImage = C(kProcessExec) | C(kProcessExisting);
constexpr ClassMask kImageFork = kImage | C(kProcessFork);
constexpr ClassMask kFile = C(kFileOpen);
// Changes of a file that is there, and of names for something new.
constexpr ClassMask kOld = C(kFileUnlink) | C(kFileRmdir) | C(kFileRename) | C(kFileLink) |
                           C(kFileChmod) | C(kFileChown) | C(kFileTruncated) | C(kFileSetxattr) |
                           C(kFileMmapExec) | C(kFileMount) | C(kFileUmount);
constexpr ClassMask kNew = C(kFileSymlink) | C(kFileMkdir) | C(kFileMknod);
constexpr ClassMask kAnyFile = kFile | kOld | kNew;
// What is done to another process, and to it or a map or program.
constexpr ClassMask kTarget = C(kProcessPtrace) | C(kProcessSignal);
constexpr ClassMask kDeed = kTarget | C(kProcessBpf);
constexpr ClassMask kAnyProcess =
    kImageFork | C(kProcessExit) | C(kProcessExecFailed) | kAnyFile | kDeed;
// Image fields that a rule on another class may ask for; the event carries them too.
constexpr ClassMask kImageFile = kImage | kAnyFile | kDeed;
constexpr ClassMask kSensorEvents = C(kSensorStart) | C(kSensorStop);

// C++20 has no offsetof for nested members in constexpr, the builtin does.
#define MEMBER_SIZE(type, member) sizeof(static_cast<type*>(nullptr)->member)
#define REC(type, member) \
  Place { .offset = KE_OFFSETOF(type, member), .size = MEMBER_SIZE(type, member) }
#define RECBITS(type, member, bits) \
  Place { .offset = KE_OFFSETOF(type, member), .size = MEMBER_SIZE(type, member), .mask = bits }
#define RECTEXT(type, member)                                                                   \
  Place {                                                                                       \
    .offset = KE_OFFSETOF(type, member), .size = MEMBER_SIZE(type, member), .inline_text = true \
  }
#define PROC(member) REC(ke_process, member)
#define BITS(member, bits) RECBITS(ke_process, member, bits)
#define TEXT(member) RECTEXT(ke_process, member)
#define RECSPAN(type, member, cut)                                                 \
  Place {                                                                          \
    .offset = KE_OFFSETOF(type, member), .size = sizeof(ke_span), .cut_mask = cut, \
    .flags_offset = KE_OFFSETOF(type, flags)                                       \
  }
#define SPAN(member, cut) RECSPAN(ke_process, member, cut)
#define CHANGESPAN(member, flags_member)                                    \
  Place {                                                                   \
    .offset = KE_OFFSETOF(ke_file_change, member), .size = sizeof(ke_span), \
    .cut_mask = KE_FILE_PATH_CUT | KE_FILE_PATH_UNSTABLE,                   \
    .flags_offset = KE_OFFSETOF(ke_file_change, flags_member)               \
  }
#define NOWHERE \
  Place {}

constexpr FieldDef MakeField(FieldDef def) {
  const size_t dot = def.name.find('.');
  def.group = def.name.substr(0, dot);
  def.key = def.name.substr(dot + 1);
  return def;
}

constexpr std::array<FieldDef, kFieldCount - 1> kFields = {{
#define KE_FIELD(id_, name_, type_, source_, place_, ops_, classes_, doc_) \
  MakeField({.id = id_,                                                    \
             .name = name_,                                                \
             .type = type_,                                                \
             .source = source_,                                            \
             .place = place_,                                              \
             .ops = ops_,                                                  \
             .classes = classes_,                                          \
             .doc = doc_}),
#include "sensor/event/fields.inc"
#undef KE_FIELD
}};

constexpr bool GroupsAreContiguous() {
  for (size_t i = 0; i < kFields.size(); ++i) {
    for (size_t j = i + 2; j < kFields.size(); ++j) {
      if (kFields[i].group == kFields[j].group && kFields[j - 1].group != kFields[j].group) {
        return false;
      }
    }
  }
  return true;
}
static_assert(GroupsAreContiguous(), "the JSON encoder opens one object per group");

using ClassFields = std::array<std::vector<const FieldDef*>, kEventClassCount>;

const ClassFields& FieldsByClass() {
  static const ClassFields* const table = [] {
    auto* fields = new ClassFields;
    for (const FieldDef& field : kFields) {
      for (const ClassDef& cls : kClasses) {
        if ((field.classes & C(cls.id)) != 0) {
          (*fields)[static_cast<size_t>(cls.id)].push_back(&field);
        }
      }
    }
    return fields;
  }();
  return *table;
}

}  // namespace

std::span<const ClassDef> Classes() { return kClasses; }

const ClassDef& GetClass(EventClass id) { return kClasses[static_cast<size_t>(id) - 1]; }

const ClassDef* FindClass(std::string_view name) {
  for (const ClassDef& cls : kClasses) {
    if (cls.name == name) return &cls;
  }
  return nullptr;
}

std::span<const FieldDef> Fields() { return kFields; }

const FieldDef& GetField(FieldId id) { return kFields[static_cast<size_t>(id) - 1]; }

const FieldDef* FindField(std::string_view name) {
  for (const FieldDef& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::span<const FieldDef* const> FieldsOf(EventClass cls) {
  return FieldsByClass()[static_cast<size_t>(cls)];
}

std::string_view TypeName(FieldType type) {
  switch (type) {
    case kUint:
      return "uint";
    case kInt:
      return "int";
    case kBool:
      return "bool";
    case kString:
      return "string";
    case kStringList:
      return "string list";
    case kDuration:
      return "duration";
    case kHex:
      return "bit mask";
    case kDevice:
      return "device";
  }
  return "?";
}

}  // namespace kentry
