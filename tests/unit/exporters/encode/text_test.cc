// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sensor/util/utf8.h"
#include "tests/unit/exporters/encode/sample_events.h"
#include "tests/unit/exporters/encode/text_line.h"

namespace kentry {
namespace {

using enum FieldId;
using namespace std::string_view_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string EncodeExec(std::initializer_list<SampleValue> values, TextOptions options = {}) {
  EventBuilder builder;
  return Encode(Sample(builder, EventClass::kProcessExec, values), std::move(options));
}

// The event that was sampled last, flagged as an alert.
EventView Alert(EventBuilder& builder) {
  builder.header().flags |= kEventAlert;
  return builder.View();
}

// The columns of a line as the encoder counts them.
size_t Width(std::string_view line) {
  size_t columns = 0;
  while (!line.empty() && line.front() != '\n') {
    const CodePoint point = DecodeUtf8(line);
    columns += static_cast<size_t>(Columns(point.value));
    line.remove_prefix(point.size);
  }
  return columns;
}

TEST(TextEncoderTest, ExecShowsTimeContainerUserPidTreeAndCommand) {
  EventBuilder builder;
  EXPECT_EQ(Encode(TypicalExec(builder)),
            "03:04:05.123  9f86d081884c  1000       41523  exec           └ "
            "git -c core.pager=cat log --oneline -n 5\n");
}

TEST(TextEncoderTest, ForkNamesTheCreator) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kProcessFork,
                    {Num(kProcessPid, 8), Str(kProcessBinary, "/bin/sh"), Num(kProcessUid, 0),
                     Num(kProcessDepth, 1), Num(kForkCreatorPid, 7), Num(kForkSharesMemory, 1)})),
      "03:04:05.123  -             0              8  fork   └ /bin/sh by 7, shares memory\n");
}

TEST(TextEncoderTest, ExitShowsCodeLifetimeAndCpu) {
  EventBuilder builder;
  EXPECT_EQ(Encode(Sample(builder, EventClass::kProcessExit,
                          {Num(kProcessPid, 8), Str(kProcessBinary, "/bin/ls"), Num(kExitCode, 2),
                           Num(kExitCpu, 12'345'678), Num(kExitRuntime, 63'000'000'000)})),
            "03:04:05.123  -             -              8  exit   /bin/ls code 2, lived 1m03s, cpu "
            "12.3ms\n");
}

TEST(TextEncoderTest, ExitBySignalNamesIt) {
  EventBuilder builder;
  EXPECT_THAT(
      Encode(Sample(builder, EventClass::kProcessExit,
                    {Num(kProcessPid, 8), Str(kProcessBinary, "/bin/ls"), Num(kExitSignal, 11),
                     Str(kExitSignalName, "SIGSEGV"), Num(kExitCoreDump, 1)})),
      EndsWith("/bin/ls signal 11 (SIGSEGV), core dumped\n"));
}

TEST(TextEncoderTest, ExitOfAKilledProcessNamesTheRule) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kProcessExit,
                            {Num(kExitSignal, 9), Str(kExitSignalName, "SIGKILL"),
                             Str(kExitKilledBy, "no-miners"), Num(kExitKilledAfter, 41'250)})),
              EndsWith(" signal 9 (SIGKILL), killed by no-miners after 41.2us\n"));
}

TEST(TextEncoderTest, DurationsHaveAboutThreeDigits) {
  const std::pair<uint64_t, std::string> rows[] = {
      {0, "0ns"},
      {999, "999ns"},
      {1'000, "1.00us"},
      {870'000, "870us"},
      {4'567'000'000, "4.56s"},
      {59'999'999'999, "59.9s"},
      {300'000'000'000, "5m00s"},
      {7'500'000'000'000, "2h05m"},
      {273'600'000'000'000, "3d04h"},
  };
  for (const auto& [ns, text] : rows) {
    EventBuilder builder;
    EXPECT_THAT(Encode(Sample(builder, EventClass::kProcessExit,
                              {Num(kExitCode, 0), Num(kExitRuntime, ns)})),
                EndsWith("lived " + text + "\n"));
  }
}

TEST(TextEncoderTest, FailedExecShowsPathAndError) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kProcessExecFailed,
                            {Num(kProcessPid, 8), Str(kFailedPath, "/bin/no pe"),
                             Num(kFailedError, 2), Str(kFailedErrorName, "ENOENT")})),
              EndsWith("failed '/bin/no pe': ENOENT\n"));
}

TEST(TextEncoderTest, KernelThreadShowsItsName) {
  EventBuilder builder;
  EXPECT_THAT(Encode(Sample(builder, EventClass::kProcessExisting,
                            {Num(kProcessPid, 2), Str(kProcessName, "kthreadd"),
                             Num(kProcessKernelThread, 1)})),
              EndsWith("is     (kthreadd)\n"));
}

TEST(TextEncoderTest, CgroupShowsOperationAndPath) {
  EventBuilder builder;
  EXPECT_THAT(
      Encode(Sample(builder, EventClass::kCgroup,
                    {Num(kCgroupId, 3), Str(kCgroupPath, "/a/b"), Str(kCgroupOp, "created")})),
      EndsWith("cgroup created /a/b\n"));
}

TEST(TextEncoderTest, AlertShowsSeverityRuleAndMessageThenTheEvent) {
  EventBuilder builder;
  const auto alert = [&](std::string_view rules, std::string_view messages) {
    Sample(builder, EventClass::kProcessExec,
           {Num(kProcessPid, 8), Str(kProcessArgs, "ls\0-l\0"sv), Num(kProcessUid, 0),
            Str(kAlertRules, rules), Str(kAlertSeverities, "error\0info\0"sv),
            Str(kAlertActions, "alert\0alert\0"sv), Str(kAlertMessages, messages)});
    return Encode(Alert(builder));
  };
  EXPECT_EQ(alert("one\0"sv, "it happened\0"sv),
            "03:04:05.123  -             0              8  ALERT  "
            "error one: it happened | exec ls -l\n");
  EXPECT_THAT(alert("one\0two\0"sv, "first\0second\0"sv),
              EndsWith("error one: first (and 1 more rule) | exec ls -l\n"));
  EXPECT_THAT(alert("one\0two\0three\0"sv, "\0b\0c\0"sv),
              EndsWith("error one:  (and 2 more rules) | exec ls -l\n"));
}

TEST(TextEncoderTest, UncertainAlertSaysSo) {
  EventBuilder builder;
  Sample(builder, EventClass::kProcessExit,
         {Str(kProcessBinary, "/a"), Num(kExitCode, 1), Str(kAlertRules, "r\0"sv),
          Str(kAlertSeverities, "info\0"sv), Str(kAlertMessages, "m\0"sv),
          Str(kAlertUncertain, "r\0"sv)});
  EXPECT_THAT(Encode(Alert(builder)),
              EndsWith("info r: m (uncertain: a value was cut or not known) | exit /a code 1\n"));
}

TEST(TextEncoderTest, AlertsColorIsThatOfItsSeverity) {
  const std::pair<std::string_view, std::string_view> rows[] = {{"critical", "\x1b[1;31m"},
                                                                {"error", "\x1b[1;31m"},
                                                                {"warning", "\x1b[1;33m"},
                                                                {"notice", "\x1b[36m"},
                                                                {"info", "\x1b[36m"}};
  for (const auto& [severity, color] : rows) {
    EventBuilder builder;
    Sample(builder, EventClass::kProcessFork,
           {Str(kAlertRules, "r\0"sv), Str(kAlertSeverities, std::string(severity) + '\0'),
            Str(kAlertMessages, "m\0"sv)});
    const std::string line = Encode(Alert(builder), {.color = true});
    EXPECT_TRUE(line.starts_with(color)) << severity;
    EXPECT_THAT(line, EndsWith("\x1b[0m\n"));
  }
}

TEST(TextEncoderTest, AnEventOfRulesThatOnlyLogIsNoAlert) {
  EventBuilder builder;
  const auto sample = [&](std::string_view binary) {
    return Sample(builder, EventClass::kProcessExec,
                  {Num(kProcessPid, 8), Str(kProcessBinary, binary), Num(kProcessUid, 0),
                   Str(kAlertRules, "r\0s\0"sv), Str(kAlertSeverities, "critical\0info\0"sv),
                   Str(kAlertActions, "log\0log\0"sv), Str(kAlertMessages, "m\0n\0"sv)});
  };
  EXPECT_EQ(Encode(sample("/a")),
            "03:04:05.123  -             0              8  log    "
            "critical r: m (and 1 more rule) | exec /a\n");
  EXPECT_EQ(Encode(sample("/a"), {.color = true}), Encode(sample("/a")));
}

TEST(TextEncoderTest, AnAlertIsNamedAndColoredBeforeAMoreSevereRuleThatOnlyLogs) {
  EventBuilder builder;
  Sample(builder, EventClass::kProcessExec,
         {Num(kProcessPid, 8), Str(kProcessBinary, "/a"), Num(kProcessUid, 0),
          Str(kAlertRules, "r\0s\0t\0"sv), Str(kAlertSeverity, "critical"),
          Str(kAlertSeverities, "critical\0warning\0info\0"sv),
          Str(kAlertActions, "log\0alert\0alert\0"sv), Str(kAlertMessages, "m\0n\0o\0"sv)});
  const std::string line = Encode(Alert(builder), {.color = true});
  EXPECT_TRUE(line.starts_with("\x1b[1;33m")) << line;
  EXPECT_THAT(line, HasSubstr("ALERT  warning s: n (and 2 more rules) | exec /a"));
}

// An alert of one rule, with this action and verdict.
std::string Acted(std::string_view action, std::string_view verdict, TextOptions options = {}) {
  EventBuilder builder;
  Sample(builder, EventClass::kProcessExec,
         {Num(kProcessPid, 8), Str(kProcessArgs, "ls\0-l\0"sv), Num(kProcessUid, 0),
          Str(kAlertRules, "r\0"sv), Str(kAlertSeverities, "info\0"sv),
          Str(kAlertActions, std::string(action) + '\0'), Str(kAlertMessages, "m\0"sv),
          Str(kAlertVerdict, verdict)});
  return Encode(Alert(builder), std::move(options));
}

TEST(TextEncoderTest, WhatKentryDidStandsInPlaceOfAlert) {
  EXPECT_EQ(Acted("deny", "denied"),
            "03:04:05.123  -             0              8  DENIED info r: m | exec ls -l\n");
  EXPECT_THAT(Acted("kill", "killed"), HasSubstr("  KILLED info r: m | exec ls -l\n"));
  EXPECT_THAT(Acted("signal", "signaled"), HasSubstr("  SIGNAL info r: m | exec ls -l\n"));
  EXPECT_THAT(Acted("kill", "failed"), HasSubstr("  FAILED info r: m | exec ls -l\n"));
  EXPECT_THAT(Acted("kill", "observed"), HasSubstr("  ALERT  info r: m | exec ls -l\n"));
}

TEST(TextEncoderTest, WhatKentryWouldHaveDoneStandsAtTheEnd) {
  EXPECT_EQ(Acted("deny", "would_deny"),
            "03:04:05.123  -             0              8  ALERT  info r: m | exec ls -l (would "
            "deny)\n");
  EXPECT_THAT(Acted("kill", "would_kill"), EndsWith("exec ls -l (would kill)\n"));
  EXPECT_THAT(Acted("signal", "would_signal"), EndsWith("exec ls -l (would signal)\n"));
  EXPECT_THAT(Acted("kill", "exempt"), EndsWith("exec ls -l (exempt)\n"));
}

TEST(TextEncoderTest, WhatKentryWouldHaveDoneIsNotCut) {
  EventBuilder builder;
  Sample(
      builder, EventClass::kProcessExec,
      {Num(kProcessPid, 8), Str(kProcessArgs, std::string(500, 'x')), Num(kProcessMemfd, 1),
       Str(kAlertRules, "r\0"sv), Str(kAlertSeverities, "info\0"sv), Str(kAlertActions, "deny\0"sv),
       Str(kAlertMessages, "m\0"sv), Str(kAlertVerdict, "would_deny")});
  for (const size_t width : {100u, 120u, 121u}) {
    const std::string line = Encode(Alert(builder), {.width = width});
    EXPECT_LE(Width(line), width);
    EXPECT_THAT(line, HasSubstr("x…"));
    EXPECT_THAT(line, EndsWith("memfd] (would deny)\n"));
  }
  for (const size_t width : {1u, 13u, 14u, 40u, 60u}) {
    EXPECT_LE(Width(Encode(Alert(builder), {.width = width})), width);
  }
}

TEST(TextEncoderTest, WhatWasDoneIsRedWhateverTheSeverity) {
  for (const std::string_view verdict : {"denied", "killed", "failed"}) {
    EXPECT_TRUE(Acted("kill", verdict, {.color = true}).starts_with("\x1b[1;31m")) << verdict;
  }
  EXPECT_TRUE(Acted("kill", "would_kill", {.color = true}).starts_with("\x1b[36m"));
}

TEST(TextEncoderTest, TheRuleThatActedIsNamedBeforeAMoreSevereOne) {
  EventBuilder builder;
  const auto line = [&](std::string_view verdict) {
    Sample(builder, EventClass::kFileOpen,
           {Str(kFilePath, "/a"), Str(kAlertRules, "r\0s\0t\0"sv),
            Str(kAlertSeverities, "critical\0error\0info\0"sv),
            Str(kAlertActions, "alert\0kill\0deny\0"sv), Str(kAlertMessages, "m\0n\0o\0"sv),
            Str(kAlertVerdict, verdict)});
    return Encode(Alert(builder));
  };
  EXPECT_THAT(line("denied"), HasSubstr("DENIED info t: o (and 2 more rules) | open /a"));
  EXPECT_THAT(line("killed"), HasSubstr("KILLED error s: n (and 2 more rules) | open /a"));
  EXPECT_THAT(line("failed"), HasSubstr("FAILED error s: n (and 2 more rules) | open /a"));
  EXPECT_THAT(line("observed"), HasSubstr("ALERT  critical r: m (and 2 more rules) | open /a"));
}

TEST(TextEncoderTest, VerdictOfRulesThatAreGoneIsShown) {
  EventBuilder builder;
  Sample(builder, EventClass::kFileOpen,
         {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"), Str(kAlertVerdict, "denied")});
  EXPECT_THAT(Encode(Alert(builder)), HasSubstr("DENIED open /a by /b\n"));
  Sample(builder, EventClass::kFileOpen,
         {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"), Num(kFileCreated, 1),
          Str(kAlertVerdict, "denied")});
  EXPECT_THAT(Encode(Alert(builder)), HasSubstr("DENIED open /a not created by /b\n"));
}

TEST(TextEncoderTest, HostileBytesOfAMessageCannotLeaveTheLine) {
  EventBuilder builder;
  const EventView event = Sample(builder, EventClass::kFileOpen,
                                 {Str(kFilePath, "/a\nb"), Str(kFileAliases, "/c\x1b[2J\0"sv),
                                  Str(kAlertRules, "r\0"sv), Str(kAlertSeverities, "error\0"sv),
                                  Str(kAlertMessages, "a\nb\x1b[2J\x7f\xc2\x9b\xff\u202e\r\0"sv)});
  const std::string line = Encode(event);
  EXPECT_THAT(line, HasSubstr(R"(error r: a\x0ab\x1b[2J\x7f\u{009b}\xff\u{202e}\x0d | open )"));
  EXPECT_THAT(line, HasSubstr(R"($'/a\x0ab' (known as $'/c\x1b[2J'))"));
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_GE(static_cast<uint8_t>(c), 0x20);
}

TEST(TextEncoderTest, LongMessageIsCutAtTheWidth) {
  EventBuilder builder;
  const std::string message(4096, 'x');
  for (const size_t width : {1u, 60u, 61u, 120u}) {
    const std::string line = Encode(
        Sample(builder, EventClass::kProcessExec,
               {Str(kProcessArgs, "ls\0"sv), Num(kProcessMemfd, 1), Str(kAlertRules, "r\0"sv),
                Str(kAlertSeverities, "error\0"sv), Str(kAlertMessages, message)}),
        {.width = width});
    EXPECT_EQ(Width(line), width);
    EXPECT_THAT(line, EndsWith("…\n"));
  }
}

TEST(TextEncoderTest, FileOpenShowsPathAccessAliasAndProgram) {
  const auto open = [](std::initializer_list<SampleValue> values) {
    EventBuilder builder;
    return Encode(Sample(builder, EventClass::kFileOpen, values));
  };
  EXPECT_EQ(open({Num(kProcessPid, 8), Str(kProcessBinary, "/bin/cat"), Num(kProcessUid, 0),
                  Str(kFilePath, "/tmp/link"), Str(kFileAliases, "/etc/shadow\0/etc/x\0"sv),
                  Num(kFileRead, 1)}),
            "03:04:05.123  -             0              8  open   /tmp/link for reading (known as "
            "/etc/shadow) by /bin/cat\n");
  EXPECT_THAT(open({Str(kProcessBinary, "/bin/cp"), Str(kFilePath, "/a b"), Num(kFileRead, 1),
                    Num(kFileWrite, 1), Num(kFileCreated, 1)}),
              EndsWith("open   '/a b' created for writing by /bin/cp\n"));
  EXPECT_THAT(open({Str(kProcessBinary, "/bin/ls"), Str(kFilePath, "/a")}),
              EndsWith("open   /a by /bin/ls\n"));
}

TEST(TextEncoderTest, ChangesSayWhatWasTriedAndWhatWasDenied) {
  const auto change = [](EventClass cls, std::initializer_list<SampleValue> values) {
    EventBuilder builder;
    return Encode(Sample(builder, cls, values));
  };
  EXPECT_THAT(change(EventClass::kFileUnlink, {Str(kProcessBinary, "/b"), Str(kFilePath, "/a")}),
              EndsWith("unlink (tried) /a by /b\n"));
  EXPECT_THAT(change(EventClass::kFileRename, {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"),
                                               Str(kFileNewPath, "/c d"), Num(kFileReplaces, 1)}),
              EndsWith("rename (tried) /a to '/c d', replacing it by /b\n"));
  EXPECT_THAT(change(EventClass::kFileChmod, {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"),
                                              Num(kFileMode, 0100644), Num(kFileNewMode, 04755)}),
              EndsWith("chmod  (tried) /a 0644 to 4755 by /b\n"));
  EXPECT_THAT(change(EventClass::kFileChown, {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"),
                                              Num(kFileNewUid, 7), Num(kFileNewGid, 0xffffffff)}),
              EndsWith("chown  (tried) /a to 7: by /b\n"));
  EXPECT_THAT(change(EventClass::kFileMmapExec,
                     {Str(kProcessBinary, "/b"), Num(kFileWritable, 1), Num(kFileAnonymous, 1)}),
              EndsWith("map    (tried) anonymous memory executable and writable by /b\n"));
  EventBuilder builder;
  Sample(builder, EventClass::kFileSymlink,
         {Str(kProcessBinary, "/b"), Str(kFilePath, "/a"), Str(kFileLinkTarget, "x\ny"),
          Str(kAlertVerdict, "denied")});
  EXPECT_THAT(Encode(Alert(builder)), HasSubstr("DENIED symlink /a to $'x\\x0ay' by /b\n"));
}

TEST(TextEncoderTest, DeedsNameTheTarget) {
  const auto deed = [](EventClass cls, std::initializer_list<SampleValue> values) {
    EventBuilder builder;
    return Encode(Sample(builder, cls, values));
  };
  const auto ptrace = [&](std::initializer_list<SampleValue> values) {
    return deed(EventClass::kProcessPtrace, values);
  };
  EXPECT_THAT(ptrace({Str(kProcessBinary, "/b"), Num(kTargetPid, 42), Str(kTargetName, "x y"),
                      Num(kPtraceAttach, 1)}),
              EndsWith("ptrace (tried) attach to 42 'x y' by /b\n"));
  EXPECT_THAT(ptrace({Str(kProcessBinary, "/b"), Num(kTargetPid, 42), Str(kTargetName, "x"),
                      Str(kTargetBinary, "/bin/x")}),
              EndsWith("ptrace (tried) read of 42 /bin/x by /b\n"));
  EXPECT_THAT(ptrace({Str(kProcessBinary, "/b"), Num(kTargetPid, 42), Str(kTargetName, "x"),
                      Num(kPtraceAttach, 1), Num(kPtraceTraceme, 1)}),
              EndsWith("ptrace (tried) offer to 42 x by /b\n"));
  EXPECT_THAT(deed(EventClass::kProcessSignal, {Str(kProcessBinary, "/b"), Num(kTargetPid, 42),
                                                Str(kTargetName, "x"), Num(kSignalNumber, 40)}),
              EndsWith("signal (tried) 40 to 42 x by /b\n"));
  EXPECT_THAT(deed(EventClass::kProcessBpf,
                   {Str(kProcessBinary, "/b"), Str(kBpfObject, "map"), Num(kBpfId, 7),
                    Str(kBpfName, "ke rules"), Num(kBpfSensor, 1)}),
              EndsWith("bpf    (tried) the sensor's map 7 'ke rules' by /b\n"));
  EventBuilder builder;
  Sample(builder, EventClass::kProcessSignal,
         {Str(kProcessBinary, "/b"), Num(kTargetPid, 42), Str(kTargetName, "x"),
          Num(kSignalNumber, 15), Str(kSignalName, "SIGTERM"), Str(kAlertVerdict, "denied")});
  EXPECT_THAT(Encode(Alert(builder)), HasSubstr("DENIED signal SIGTERM to 42 x by /b\n"));
}

TEST(TextEncoderTest, EveryClassIsOneLine) {
  for (const ClassDef& cls : Classes()) {
    EventBuilder builder;
    const std::string line = Encode(Sample(builder, cls.id, {}));
    EXPECT_EQ(line.find('\n'), line.size() - 1) << cls.name;
  }
}

TEST(TextEncoderTest, NoColorUnlessAskedFor) {
  EventBuilder builder;
  const EventView exec =
      Sample(builder, EventClass::kProcessExec,
             {Str(kProcessBinary, "/a"), Str(kProcessArgs, "a\0"sv), Num(kProcessMemfd, 1)});
  EXPECT_EQ(Encode(exec).find('\x1b'), std::string::npos);
  EXPECT_NE(Encode(exec, {.color = true}).find('\x1b'), std::string::npos);
}

TEST(TextEncoderTest, UserAndHostComeFromTheOptions) {
  const std::string line =
      EncodeExec({Num(kProcessPid, 1), Num(kProcessUid, 1000)},
                 {.host = "build-host-17.example", .user_name = [](uint32_t uid) {
                    return uid == 1000 ? std::string("alexandra-maria") : std::string();
                  }});
  EXPECT_THAT(line, HasSubstr("  build-host-…  alexand…       1  exec"));
  EXPECT_THAT(EncodeExec({Num(kProcessUid, 5)}, {.user_name = [](uint32_t) { return ""; }}),
              HasSubstr("  5        "));
}

TEST(TextEncoderTest, TreeIndentIsBounded) {
  const auto indent = [](uint64_t depth) {
    const std::string line =
        EncodeExec({Num(kProcessPid, 1), Str(kProcessArgs, "x\0"sv), Num(kProcessDepth, depth)});
    return Width(line) - Width(EncodeExec({Num(kProcessPid, 1), Str(kProcessArgs, "x\0"sv)}));
  };
  EXPECT_EQ(indent(0), 0u);
  EXPECT_EQ(indent(1), 2u);
  EXPECT_EQ(indent(8), 16u);
  EXPECT_EQ(indent(UINT64_MAX), 16u);
}

TEST(TextEncoderTest, WordsAreQuotedSoThatNoTwoLookTheSame) {
  EXPECT_THAT(EncodeExec({Str(kProcessArgs, "sh\0-c\0echo hi\0\0it's\0a\\nb\0a\nb\0$x\0ü\0"sv)}),
              EndsWith(R"(sh -c 'echo hi' '' $'it\'s' 'a\nb' $'a\x0ab' '$x' 'ü')"
                       "\n"));
}

TEST(TextEncoderTest, NotesTellWhatIsWorthKnowing) {
  const std::string line = EncodeExec(
      {Str(kProcessBinary, "/proc/self/fd/3"), Str(kProcessArgs, "[kworker/0:1]\0"sv, kFieldCut),
       Num(kProcessArgsLen, 99999), Str(kProcessScript, "/tmp/a b"), Num(kProcessMemfd, 1),
       Num(kProcessDeleted, 1), Num(kProcessSetuid, 1)});
  EXPECT_THAT(line, EndsWith("'[kworker/0:1]' … [/proc/self/fd/3, memfd, deleted, setuid, script "
                             "'/tmp/a b', of 99999 bytes]\n"));
}

TEST(TextEncoderTest, BinaryIsNotedOnlyWhenTheFirstArgumentNamesAnother) {
  EXPECT_THAT(EncodeExec({Str(kProcessBinary, "/bin/bash"), Str(kProcessArgs, "-bash\0"sv)}),
              Not(HasSubstr("[")));
  EXPECT_THAT(EncodeExec({Str(kProcessBinary, "/bin/bash"), Str(kProcessArgs, "/x/bash\0"sv)}),
              Not(HasSubstr("[")));
  EXPECT_THAT(EncodeExec({Str(kProcessBinary, "/bin/evil"), Str(kProcessArgs, "ls\0"sv)}),
              EndsWith("ls [/bin/evil]\n"));
}

TEST(TextEncoderTest, LongCommandIsCutAtTheWidthAndKeepsItsNotes) {
  std::string args;
  for (int i = 0; i < 500; ++i) args += "argument" + std::to_string(i) + '\0';
  const std::string line = EncodeExec({Num(kProcessPid, 1), Str(kProcessBinary, "/argument0"),
                                       Str(kProcessArgs, args), Num(kProcessMemfd, 1)},
                                      {.width = 90});
  EXPECT_THAT(line, EndsWith("… [memfd]\n"));
  EXPECT_EQ(Width(line), 90u);
}

TEST(TextEncoderTest, NoLineIsWiderThanTheWidth) {
  EventBuilder builder;
  for (size_t width = 1; width < 160; ++width) {
    EXPECT_LE(Width(Encode(TypicalExec(builder), {.width = width})), width);
    EXPECT_LE(Width(EncodeExec({Str(kProcessBinary, "/日本語/日本語"),
                                Str(kProcessArgs, "日本\0語日本語日本語日本語\0\x01\x02\0"sv),
                                Num(kProcessMemfd, 1)},
                               {.width = width})),
              width);
  }
}

TEST(TextEncoderTest, WidthCanChangeBetweenLines) {
  TextEncoder encoder({.width = 200, .utc = true});
  EventBuilder builder;
  Buffer out;
  encoder.SetWidth(70);
  encoder.Encode(TypicalExec(builder), out);
  EXPECT_EQ(Width(out.view()), 70u);
}

TEST(TextEncoderTest, HostileBytesCannotLeaveTheLine) {
  const std::string line = EncodeExec({Num(kProcessPid, 1),
                                       Str(kProcessArgs,
                                           "a\nb\0\x1b[2J\0\x7f\0\xc2\x9b"
                                           "31m\0\xff\xfe\0\u202e\0\u2028\0\u200b\0\U000e0041\0"sv),
                                       Str(kContainerId, "c\x1b]0;x\x07")});
  EXPECT_THAT(line, HasSubstr(R"($'a\x0ab' $'\x1b[2J' $'\x7f' $'\u{009b}31m' $'\xff\xfe')"));
  EXPECT_THAT(line, HasSubstr(R"($'\u{202e}' $'\u{2028}' $'\u{200b}' $'\u{0e0041}')"));
  EXPECT_THAT(line, HasSubstr(R"(  c\x1b]0;x…  )"));
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_GE(static_cast<uint8_t>(c), 0x20);
}

TEST(TextEncoderTest, ValuesOfOneEventDoNotShowInTheNext) {
  TextEncoder encoder({.utc = true});
  EventBuilder builder;
  Buffer out;
  encoder.Encode(TypicalExec(builder), out);
  const size_t first = out.size();
  encoder.Encode(Sample(builder, EventClass::kProcessExec, {Str(kProcessArgs, "x\0"sv)}), out);
  EXPECT_EQ(out.view().substr(first), "03:04:05.123  -             -                 exec   x\n");
}

}  // namespace
}  // namespace kentry
