// SPDX-License-Identifier: Apache-2.0
// What the user asked for, checked and converted: one plain struct a command.
#ifndef KENTRY_SENSOR_CLI_OPTIONS_H_
#define KENTRY_SENSOR_CLI_OPTIONS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "sensor/api/state.h"
#include "sensor/event/field_table.h"

namespace kentry {

// Exit codes of every command; the top-level help lists them.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNoDaemon = 3,
  kExitOtherDaemon = 4,
  kExitKernel = 5,
};

// Bytes, with the bounds that the command line accepts.
inline constexpr uint64_t kMinRingBytes = 64 << 10;
inline constexpr uint64_t kMaxRingBytes = 64 << 20;
inline constexpr uint64_t kMinPriorityRingBytes = 64 << 10;
inline constexpr uint64_t kMaxPriorityRingBytes = 16 << 20;
inline constexpr uint64_t kMinJournalBytes = 1 << 20;
inline constexpr uint64_t kMaxJournalBytes = uint64_t{4} << 30;
inline constexpr uint64_t kDefaultJournalBytes = 8 << 20;
// The kernel's own bound on process ids is the upper one.
inline constexpr uint32_t kMinProcesses = 1024;
inline constexpr uint32_t kMaxProcesses = 4194304;
inline constexpr uint32_t kDefaultProcesses = 32768;

inline constexpr ClassMask kAllClasses = (ClassMask{1} << kEventClassCount) - 2;
// Never filtered away: an output that hid them would look whole when it isn't.
inline constexpr ClassMask kSensorClasses =
    ClassBit(EventClass::kSensorStart) | ClassBit(EventClass::kSensorLoss) |
    ClassBit(EventClass::kSensorStop) | ClassBit(EventClass::kSensorRules) |
    ClassBit(EventClass::kSensorSuppressed) | ClassBit(EventClass::kSensorGuard) |
    ClassBit(EventClass::kSensorEnforcement) | ClassBit(EventClass::kSensorHook);
// There only because a rule asked for them.
inline constexpr ClassMask kAskedClasses =
    ClassBit(EventClass::kFileOpen) |
    (kAllClasses & ~(ClassBit(EventClass::kFileUnlink) - 1) & ~kSensorClasses);
inline constexpr ClassMask kDefaultTextClasses =
    ClassBit(EventClass::kProcessExec) | ClassBit(EventClass::kProcessExit) |
    ClassBit(EventClass::kProcessExecFailed) | kAskedClasses | kSensorClasses;

enum class EventFormat { kText, kJson };
enum class ColorMode { kAuto, kAlways, kNever };
enum class LogLevel { kError, kWarn, kInfo, kDebug };
// Whether the hardening set is loaded, and then the mode of the whole set of rules.
enum class Hardening { kOff, kMonitor, kEnforce };
enum class FieldsFormat { kText, kJson, kMarkdown };

// Which rules.
struct RuleChoice {
  std::vector<std::string> paths;  // files and directories; empty = the default ones
  bool none = false;               // of the hardening set at most
  Hardening hardening = Hardening::kOff;
};

struct RunOptions {
  EventFormat format = EventFormat::kText;  // of standard output
  bool quiet = false;                       // nothing on standard output
  std::string output_file;                  // "" = none
  ClassMask stdout_classes = kDefaultTextClasses;
  ClassMask file_classes = kAllClasses;
  std::vector<std::string> env;  // variables to report; empty = none
  RuleChoice rules;
  bool pin = false;                  // what is enforced outlives the process
  uint64_t ring_bytes = 0;           // per CPU, a power of two; 0 = by memory and CPUs
  uint64_t priority_ring_bytes = 0;  // per CPU, a power of two; 0 = by memory and CPUs
  uint32_t max_processes = kDefaultProcesses;
  uint64_t journal_bytes = kDefaultJournalBytes;
  absl::Duration duration = absl::InfiniteDuration();
  ColorMode color = ColorMode::kAuto;
  LogLevel log_level = LogLevel::kInfo;
  std::string socket_path = kDefaultSocketPath;
};

struct StatusOptions {
  EventFormat format = EventFormat::kText;
  std::string socket_path = kDefaultSocketPath;
};

struct PsOptions {
  EventFormat format = EventFormat::kText;
  bool with_exited = false;
  std::string socket_path = kDefaultSocketPath;
};

struct ProbeOptions {
  EventFormat format = EventFormat::kText;
  bool quiet = false;  // the exit code is the answer
};

struct CleanupOptions {
  std::string socket_path = kDefaultSocketPath;
};

struct FieldsOptions {
  FieldsFormat format = FieldsFormat::kText;
  EventClass cls = EventClass::kNone;  // kNone = all
};

struct RulesOptions {
  enum class Task { kCheck, kTest, kExplain, kReload };
  std::string socket_path = kDefaultSocketPath;  // kReload
  Task task = Task::kCheck;
  RuleChoice rules;
  std::string rule;  // kTest: only this rule's tests; "" = all
  EventFormat format = EventFormat::kText;
};

struct EnforceOptions {
  enum class Task { kStatus, kPause, kResume, kTrust, kUntrust, kRelease };
  Task task = Task::kStatus;
  std::vector<std::string> paths;  // kTrust, kUntrust: absolute
  std::string socket_path = kDefaultSocketPath;
  EventFormat format = EventFormat::kText;
};

struct VersionOptions {
  EventFormat format = EventFormat::kText;
};

struct HelpOptions {
  std::string text;  // ready to print
};

using Command =
    std::variant<HelpOptions, RunOptions, StatusOptions, PsOptions, ProbeOptions, CleanupOptions,
                 FieldsOptions, RulesOptions, EnforceOptions, VersionOptions>;

}  // namespace kentry

#endif  // KENTRY_SENSOR_CLI_OPTIONS_H_
