// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/text.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <utility>

#include "exporters/encode/duration.h"
#include "exporters/encode/number.h"
#include "exporters/encode/verdict_text.h"

namespace kentry {
namespace {

using enum FieldId;

constexpr size_t kWhereColumns = 12;
constexpr size_t kUserColumns = 8;
constexpr size_t kPidColumns = 7;
constexpr size_t kVerbColumns = 6;
constexpr uint64_t kDeepestIndent = 8;
constexpr int64_t kNsPerSecond = 1'000'000'000;

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kAlertYellow = "\x1b[1;33m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kReset = "\x1b[0m";

struct Note {
  FieldId field;
  std::string_view text;
};

constexpr Note kNotes[] = {
    {kProcessMemfd, "memfd"},
    {kProcessDeleted, "deleted"},
    {kProcessOverlayUpper, "overlay upper layer"},
    {kProcessSetuid, "setuid"},
    {kProcessSetgid, "setgid"},
    {kProcessFileCaps, "file caps"},
    {kProcessThreadExec, "by a thread"},
    {kProcessUnreachable, "outside its root"},
    {kProcessCwdDeleted, "cwd deleted"},
    {kProcessUnknown, "image unknown"},
};

std::string_view Verb(EventClass cls) {
  switch (cls) {
    case EventClass::kNone:
      return "";
    case EventClass::kProcessExec:
      return "exec";
    case EventClass::kProcessFork:
      return "fork";
    case EventClass::kProcessExit:
      return "exit";
    case EventClass::kProcessExecFailed:
      return "failed";
    case EventClass::kProcessExisting:
      return "is";
    case EventClass::kCgroup:
      return "cgroup";
    case EventClass::kFileOpen:
      return "open";
    case EventClass::kFileMmapExec:
      return "map";
    case EventClass::kProcessPtrace:
      return "ptrace";
    case EventClass::kProcessSignal:
      return "signal";
    case EventClass::kProcessBpf:
      return "bpf";
    case EventClass::kFileMount:
      return "mount";
    case EventClass::kFileUmount:
      return "umount";
    case EventClass::kSensorStart:
    case EventClass::kSensorLoss:
    case EventClass::kSensorStop:
    case EventClass::kSensorRules:
    case EventClass::kSensorSuppressed:
    case EventClass::kSensorGuard:
    case EventClass::kSensorEnforcement:
    case EventClass::kSensorHook:
      return "sensor";
    default:  // a change of a file is called after its class
      return GetClass(cls).name.substr(GetClass(cls).name.find('.') + 1);
  }
}

// The string at `place` of a kStringList; "" when there are fewer.
std::string_view Entry(std::string_view list, size_t place) {
  for (; place > 0 && !list.empty(); --place) {
    list.remove_prefix(std::min(list.size(), list.find('\0')));
    if (!list.empty()) list.remove_prefix(1);
  }
  return list.substr(0, list.find('\0'));
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

TextEncoder::TextEncoder(TextOptions options)
    : options_(std::move(options)), width_(options_.width) {}

void TextEncoder::Collect(EventView event) {
  event.ForEach([this](const FieldDef&, const FieldValue& value) {
    values_[static_cast<size_t>(value.id)] = value;
    present_.push_back(value.id);
  });
}

void TextEncoder::Forget() {
  for (const FieldId id : present_) values_[static_cast<size_t>(id)] = FieldValue{};
  present_.clear();
}

std::string_view TextEncoder::LineColor(EventClass cls) const {
  if (!options_.color) return "";
  if (alert_) {
    if (VerdictTextOf(Text(kAlertVerdict)).red) return kRed;
    const std::string_view severity = Entry(Text(kAlertSeverities), rule_);
    if (severity == "critical" || severity == "error") return kRed;
    return severity == "warning" ? kAlertYellow : kCyan;
  }
  if (cls == EventClass::kSensorLoss) return kRed;
  if (cls == EventClass::kProcessFork || cls == EventClass::kCgroup) return kDim;
  if (cls == EventClass::kProcessExecFailed) return kYellow;
  if (cls != EventClass::kProcessExit) return "";
  return Has(kExitSignal) || Number(kExitCode) != 0 ? kYellow : kDim;
}

void TextEncoder::Encode(EventView event, Buffer& out) {
  Collect(event);
  const EventClass cls = event.cls();
  alert_ = (event.header().flags & kEventAlert) != 0 && (Has(kAlertRules) || Has(kAlertVerdict));
  rule_ = alert_ ? FirstAlert() : 0;
  tail_ = VerdictTextOf(Text(kAlertVerdict)).tail;
  Line line(out, width_);
  const std::string_view color = LineColor(cls);
  line.Control(color);
  WriteTime(event.header().time_ns, line);
  WriteWhere(line);
  WriteUser(line);
  if (Has(kProcessPid)) {
    line.Number(Number(kProcessPid), kPidColumns);
  } else {
    line.Column("", kPidColumns);
  }
  line.Put("  ", 2);
  line.Column(What(cls), kVerbColumns);
  line.Put(" ", 1);
  WriteTree(line);
  line.Reserve(tail_.size());
  WriteDetails(event, line);
  line.Reserve(0);
  line.Put(tail_, tail_.size());
  line.End(color.empty() ? "" : kReset);
  Forget();
}

// A more severe rule that only logs is no alert, and one that only alerts didn't act.
size_t TextEncoder::FirstAlert() const {
  constexpr size_t kNone = SIZE_MAX;
  const std::string_view verdict = Text(kAlertVerdict);
  size_t acted = kNone;
  size_t alert = kNone;
  size_t at = 0;
  ForEachString(Text(kAlertActions), [&](std::string_view action) {
    if (acted == kNone && LedTo(action, verdict)) acted = at;
    if (alert == kNone && action != "log") alert = at;
    ++at;
  });
  if (acted != kNone) return acted;
  return alert == kNone ? 0 : alert;
}

std::string_view TextEncoder::What(EventClass cls) const {
  if (alert_) return VerdictTextOf(Text(kAlertVerdict)).what;
  return Has(kAlertRules) ? "log" : Verb(cls);
}

// One rule and its message; how many more there are; then what happened, as ever.
void TextEncoder::WriteAlert(EventClass cls, Line& line) const {
  const std::string_view rules = Text(kAlertRules);
  line.Text(Entry(Text(kAlertSeverities), rule_));
  line.Text(" ");
  line.Text(Entry(rules, rule_));
  line.Text(": ");
  line.Text(Entry(Text(kAlertMessages), rule_));
  const auto more = std::count(rules.begin(), rules.end(), '\0') - 1;
  if (more > 0) {
    line.Text(" (and ");
    line.Number(static_cast<uint64_t>(more));
    line.Text(more == 1 ? " more rule)" : " more rules)");
  }
  if (!Text(kAlertUncertain).empty()) line.Text(" (uncertain: a value was cut or not known)");
  line.Text(" | ");
  line.Text(Verb(cls));
  line.Text(" ");
}

void TextEncoder::WriteDetails(EventView event, Line& line) {
  const EventClass cls = event.cls();
  if (Has(kAlertRules)) {
    WriteAlert(cls, line);
  } else if (alert_) {
    line.Text(Verb(cls));
    line.Text(" ");
  }
  switch (cls) {
    case EventClass::kNone:
      return;
    case EventClass::kProcessExec:
    case EventClass::kProcessExisting:
      return WriteImage(event.header(), line);
    case EventClass::kProcessFork:
      return WriteFork(line);
    case EventClass::kProcessExit:
      return WriteExit(line);
    case EventClass::kProcessExecFailed:
      return WriteExecFailed(line);
    case EventClass::kCgroup:
      return WriteCgroup(line);
    case EventClass::kSensorLoss:
      return WriteLoss(line);
    case EventClass::kFileOpen:
      return WriteFileOpen(line);
    case EventClass::kSensorRules:
      return WriteRules(line);
    case EventClass::kSensorSuppressed:
      return WriteSuppressed(line);
    case EventClass::kSensorGuard:
      return WriteGuard(line);
    case EventClass::kSensorEnforcement:
      return WriteEnforcement(line);
    case EventClass::kSensorHook:
      return WriteHook(line);
    case EventClass::kSensorStart:
    case EventClass::kSensorStop:
      return WriteSensor(cls, line);
    case EventClass::kProcessPtrace:
    case EventClass::kProcessSignal:
    case EventClass::kProcessBpf:
      return WriteDeed(cls, line);
    default:
      return WriteChange(cls, line);
  }
}

void TextEncoder::WriteTime(int64_t time_ns, Line& line) {
  int64_t second = time_ns / kNsPerSecond;
  int64_t rest = time_ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    --second;
  }
  if (second != cached_second_) {
    cached_second_ = second;
    const time_t time = second;
    tm parts{};
    options_.utc ? gmtime_r(&time, &parts) : localtime_r(&time, &parts);
    char* to = WritePadded(static_cast<uint64_t>(parts.tm_hour), 2, second_text_);
    *to++ = ':';
    to = WritePadded(static_cast<uint64_t>(parts.tm_min), 2, to);
    *to++ = ':';
    to = WritePadded(static_cast<uint64_t>(parts.tm_sec), 2, to);
    *to = '.';
  }
  char text[sizeof(second_text_) + 3];
  std::copy(std::begin(second_text_), std::end(second_text_), text);
  WritePadded(static_cast<uint64_t>(rest) / 1'000'000, 3, text + sizeof(second_text_));
  line.Text({text, sizeof(text)});
  line.Put("  ", 2);
}

void TextEncoder::WriteWhere(Line& line) const {
  const std::string_view container = Text(kContainerId);
  if (!container.empty()) {
    // The usual short form of an id, which a cut mark would only make shorter.
    line.Column(container.substr(0, kWhereColumns), kWhereColumns);
  } else {
    line.Column(options_.host.empty() ? "-" : options_.host, kWhereColumns);
  }
  line.Put("  ", 2);
}

void TextEncoder::WriteUser(Line& line) const {
  if (!Has(kProcessUid)) {
    line.Column("-", kUserColumns);
  } else {
    std::string name;
    if (options_.user_name) name = options_.user_name(static_cast<uint32_t>(Number(kProcessUid)));
    if (name.empty()) name = std::to_string(Number(kProcessUid));
    line.Column(name, kUserColumns);
  }
  line.Put(" ", 1);
}

void TextEncoder::WriteTree(Line& line) const {
  const uint64_t depth = std::min(Number(kProcessDepth), kDeepestIndent);
  for (uint64_t level = 1; level < depth; ++level) line.Put("  ", 2);
  if (depth > 0) line.Put("└ ", 2);
}

size_t TextEncoder::MakeNotes(const EventHeader& header, size_t width) {
  notes_.Truncate(0);
  Line line(notes_, width);
  bool any = false;
  const auto next = [&] {
    line.Text(any ? ", " : " [");
    any = true;
  };
  // The name that a process gives itself can say anything; the file that runs cannot.
  const std::string_view args = Text(kProcessArgs);
  std::string_view called = BaseName(args.substr(0, args.find('\0')));
  if (called.starts_with('-')) called.remove_prefix(1);  // a login shell
  const std::string_view binary = Text(kProcessBinary);
  if (!args.empty() && !binary.empty() && called != BaseName(binary)) {
    next();
    line.Word(binary);
  }
  for (const Note& note : kNotes) {
    if (!Flag(note.field)) continue;
    next();
    line.Text(note.text);
  }
  if (!Text(kProcessScript).empty()) {
    next();
    line.Text("script ");
    line.Word(Text(kProcessScript));
  }
  if ((At(kProcessArgs).flags & kFieldCut) != 0 && Has(kProcessArgsLen)) {
    next();
    line.Text("of ");
    line.Number(Number(kProcessArgsLen));
    line.Text(" bytes");
  }
  if ((header.flags & kEventPartial) != 0) {
    next();
    line.Text("partial");
  }
  if (any) line.Text("]");
  return line.columns();
}

void TextEncoder::WriteImage(const EventHeader& header, Line& line) {
  const size_t width = width_;
  const size_t used = line.columns() + tail_.size();
  const size_t left = width > used ? width - used : 1;
  const size_t notes = MakeNotes(header, width == 0 ? 0 : std::max<size_t>(left / 2, 1));
  line.Reserve(tail_.size() + notes);
  WriteCommand(line);
  if (notes == 0) return;
  line.Reserve(tail_.size());
  if (options_.color) line.Control(kYellow);
  line.Put(notes_.view(), notes);
  if (options_.color) line.Control(kReset);
}

void TextEncoder::WriteCommand(Line& line) const {
  if (Flag(kProcessKernelThread)) {
    line.Text("(");
    line.Text(Text(kProcessName));
    line.Text(")");
    return;
  }
  const std::string_view args = Text(kProcessArgs);
  if (args.empty()) return line.Word(Text(kProcessBinary));
  bool first = true;
  ForEachString(args, [&](std::string_view arg) {
    if (line.full()) return;
    if (!std::exchange(first, false)) line.Put(" ", 1);
    line.Word(arg);
  });
  if ((At(kProcessArgs).flags & kFieldCut) != 0) line.Put(" …", 2);
}

void TextEncoder::WriteFork(Line& line) const {
  line.Word(Text(kProcessBinary));
  line.Text(" by ");
  line.Number(Number(kForkCreatorPid));
  if (Flag(kForkSharesMemory)) line.Text(", shares memory");
}

void TextEncoder::WriteExit(Line& line) const {
  line.Word(Text(kProcessBinary));
  if (Has(kExitSignal)) {
    line.Text(" signal ");
    line.Number(Number(kExitSignal));
    if (!Text(kExitSignalName).empty()) {
      line.Text(" (");
      line.Text(Text(kExitSignalName));
      line.Text(")");
    }
    if (Flag(kExitCoreDump)) line.Text(", core dumped");
  } else {
    line.Text(" code ");
    line.Number(Number(kExitCode));
  }
  if (Has(kExitRuntime)) {
    line.Text(", lived ");
    WriteDuration(Number(kExitRuntime), line);
  }
  if (Has(kExitCpu)) {
    line.Text(", cpu ");
    WriteDuration(Number(kExitCpu), line);
  }
  if (Has(kExitKilledAfter)) {
    line.Text(", killed by ");
    line.Text(Text(kExitKilledBy));
    line.Text(" after ");
    WriteDuration(Number(kExitKilledAfter), line);
  }
}

void TextEncoder::WriteExecFailed(Line& line) const {
  line.Word(Text(kFailedPath));
  line.Text(": ");
  if (!Text(kFailedErrorName).empty()) {
    line.Text(Text(kFailedErrorName));
  } else {
    line.Text("error ");
    line.Number(Number(kFailedError));
  }
}

void TextEncoder::WriteCgroup(Line& line) const {
  line.Text(Text(kCgroupOp));
  line.Put(" ", 1);
  line.Word(Text(kCgroupPath));
}

}  // namespace kentry
