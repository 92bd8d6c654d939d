// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/event_maker.h"

#include <csignal>

#include "gtest/gtest.h"
#include "tests/unit/support/records.h"

namespace kentry {
namespace {

class EventMakerTest : public testing::Test {
 protected:
  EventView MakeExec(ke_process fixed, const ImageStrings& strings) {
    const RecordBytes record = MakeProcess(KE_EXEC, fixed, strings);
    return maker_.Make(EventClass::kProcessExec, record.bytes(),
                       *processes_.OnExec(record.bytes()));
  }
  EventView MakeExitEvent(const ke_exit& rec) {
    return maker_.Make(EventClass::kProcessExit, BytesOf(rec).bytes(), *processes_.OnExit(rec));
  }
  static std::vector<std::string> List(EventView event, FieldId id) {
    std::vector<std::string> list;
    ForEachString(event.Text(id), [&](std::string_view item) { list.emplace_back(item); });
    return list;
  }

  ProcessTable processes_{{}};
  CgroupTable cgroups_{{}};
  EventMaker maker_{&processes_, &cgroups_, {"LD_PRELOAD"}};
};

TEST_F(EventMakerTest, EventIsWellFormed) {
  const EventView event = MakeExec({.tgid = 5, .start_ns = 50}, {});
  EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
  EXPECT_EQ(event.Number(FieldId::kProcessPid), 5u);
  EXPECT_EQ(event.Text(FieldId::kProcessBinary), "/bin/true");
}

TEST_F(EventMakerTest, RefusedExecHasWhatIsKnownOfIt) {
  ke_process fixed{.tgid = 5, .start_ns = 50, .flags = KE_F_FILE_CAPS};
  fixed.creds.cap_effective = 7;
  const auto make = [&] {
    const RecordBytes record =
        MakeProcess(KE_EXEC_DENIED, fixed, {.binary = "/bin/not", .args = "not"});
    const Process attempt = processes_.Refused(record.bytes());
    return maker_.Make(EventClass::kProcessExec, record.bytes(), attempt);
  };
  const EventView event = make();
  EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
  EXPECT_EQ(event.header().seq, 0u);
  EXPECT_EQ(event.Text(FieldId::kProcessBinary), "/bin/not");
  EXPECT_EQ(event.Number(FieldId::kProcessCapEffective), 7u);
  EXPECT_TRUE(event.Number(FieldId::kProcessFileCaps));
  EXPECT_EQ(event.Text(FieldId::kProcessArgs), "") << "whatever the record has there";
  EXPECT_EQ(event.Find(FieldId::kProcessArgs)->flags, kFieldCut);
  EXPECT_EQ(event.Find(FieldId::kProcessName)->flags, kFieldCut);
  EXPECT_FALSE(event.Find(FieldId::kProcessArgsLen));
  EXPECT_FALSE(event.Find(FieldId::kProcessEnv));
  EXPECT_EQ(event.Number(FieldId::kProcessEnvCut), 1u);
  fixed.flags |= KE_F_CAPS_UNKNOWN;
  const EventView without = make();
  EXPECT_FALSE(without.Find(FieldId::kProcessCapEffective));
  EXPECT_FALSE(without.Find(FieldId::kProcessFileCaps));
  EXPECT_EQ(without.Text(FieldId::kProcessBinary), "/bin/not");
}

TEST_F(EventMakerTest, WallClockIsBootClockAndOffset) {
  maker_.set_wall_offset(1'000'000'000'000);
  const EventView event = MakeExec({.tgid = 5, .start_ns = 50}, {});
  EXPECT_EQ(event.header().boot_ns, 1'000'000u);
  EXPECT_EQ(event.header().time_ns, 1'000'001'000'000);
}

TEST_F(EventMakerTest, OnlyOptedInVariablesAreTaken) {
  const std::string env("PATH=/bin\0LD_PRELOAD=/tmp/x.so\0LD_PRELOADED=no\0SECRET=1\0", 56);
  const EventView event = MakeExec({.tgid = 5, .start_ns = 50}, {.env = env});
  EXPECT_EQ(List(event, FieldId::kProcessEnv), std::vector<std::string>{"LD_PRELOAD=/tmp/x.so"});
}

TEST_F(EventMakerTest, CutArgumentsAreMarked) {
  const EventView event = MakeExec({.tgid = 5, .start_ns = 50, .flags = KE_F_ARGS_CUT}, {});
  EXPECT_EQ(event.Find(FieldId::kProcessArgs)->flags, kFieldCut);
  EXPECT_EQ(event.Find(FieldId::kProcessBinary)->flags, 0);
}

TEST_F(EventMakerTest, ArgumentsThatCouldNotBeReadAreMarkedAndNotAbsent) {
  const EventView event =
      MakeExec({.tgid = 5, .start_ns = 50, .flags = KE_F_ARGS_FAILED}, {.args = ""});
  ASSERT_TRUE(event.Find(FieldId::kProcessArgs).has_value());
  EXPECT_EQ(event.Find(FieldId::kProcessArgs)->flags, kFieldCut);
}

TEST_F(EventMakerTest, InterpretersOfTheKernelAreTakenAsTheyAre) {
  const EventView event =
      MakeExec({.tgid = 5, .start_ns = 50, .flags = KE_F_SCRIPT | KE_F_CHAIN},
               {.script = "/tmp/a", .interps = std::string("/tmp/b\0/bin/sh\0", 15)});
  EXPECT_EQ(List(event, FieldId::kProcessInterpreters),
            (std::vector<std::string>{"/tmp/b", "/bin/sh"}));
  EXPECT_FALSE(event.Find(FieldId::kProcessInterpretersDerived).has_value());
}

TEST_F(EventMakerTest, InterpretersAreDerivedFromArgumentsOtherwise) {
  const EventView event =
      MakeExec({.tgid = 5, .start_ns = 50, .flags = KE_F_SCRIPT},
               {.script = "/tmp/a", .args = std::string("/bin/sh\0/tmp/b\0/tmp/a\0x\0", 25)});
  EXPECT_EQ(List(event, FieldId::kProcessInterpreters),
            (std::vector<std::string>{"/tmp/b", "/bin/sh"}));
  EXPECT_EQ(event.Number(FieldId::kProcessInterpretersDerived), 1u);
}

TEST_F(EventMakerTest, ParentIsNamedWhenKnownAndNumberedWhenNot) {
  MakeExec({.tgid = 1, .start_ns = 10}, {.binary = "/sbin/init"});
  EventView event =
      MakeExec({.tgid = 5, .start_ns = 50, .parent_tgid = 1, .parent_start_ns = 10}, {});
  EXPECT_EQ(event.Text(FieldId::kParentBinary), "/sbin/init");
  EXPECT_EQ(event.Number(FieldId::kProcessDepth), 1u);
  event = MakeExec({.tgid = 6, .start_ns = 60, .parent_tgid = 2, .parent_start_ns = 20}, {});
  EXPECT_EQ(event.Number(FieldId::kParentPid), 2u);
  EXPECT_FALSE(event.Find(FieldId::kParentBinary).has_value());
}

TEST_F(EventMakerTest, ContainerComesFromTheCgroup) {
  const std::string id(64, 'a');
  cgroups_.Add(77, "/docker/" + id);
  EventView event = MakeExec({.tgid = 5, .start_ns = 50, .cgroup_id = 77}, {});
  EXPECT_EQ(event.Text(FieldId::kContainerId), id);
  EXPECT_EQ(event.Number(FieldId::kProcessInContainer), 1u);
  EXPECT_EQ(event.header().flags, 0u);
  event = MakeExec({.tgid = 6, .start_ns = 60, .cgroup_id = 78}, {});
  EXPECT_EQ(event.Number(FieldId::kCgroupUnknown), 1u);
  EXPECT_EQ(event.header().flags, kEventPartial);
}

TEST_F(EventMakerTest, ExitNamesTheRuleThatKilled) {
  MakeExec({.tgid = 5, .start_ns = 50}, {});
  maker_.set_kill(KillTimes::Kill{.rule = "no-miners", .lived_ns = 7});
  EventView event = MakeExitEvent(MakeExit(5, 50, 100, SIGKILL));
  EXPECT_EQ(event.Text(FieldId::kExitKilledBy), "no-miners");
  EXPECT_EQ(event.Number(FieldId::kExitKilledAfter), 7u);
  maker_.set_kill(KillTimes::Kill{});
  event = MakeExitEvent(MakeExit(6, 60, 100, SIGKILL));
  EXPECT_TRUE(event.Find(FieldId::kExitKilledBy).has_value()) << "the rule is gone";
  maker_.set_kill(std::nullopt);
  event = MakeExitEvent(MakeExit(7, 70, 100, SIGKILL));
  EXPECT_FALSE(event.Find(FieldId::kExitKilledBy).has_value());
  EXPECT_FALSE(event.Find(FieldId::kExitKilledAfter).has_value());
}

TEST_F(EventMakerTest, ExitHasACodeOrASignalNeverBoth) {
  MakeExec({.tgid = 5, .start_ns = 50}, {});
  EventView event = MakeExitEvent(MakeExit(5, 50, 100, 3 << 8));
  EXPECT_EQ(event.Number(FieldId::kExitCode), 3u);
  EXPECT_FALSE(event.Find(FieldId::kExitSignal).has_value());
  EXPECT_EQ(event.Number(FieldId::kExitRuntime), 50u);
  MakeExec({.tgid = 6, .start_ns = 60}, {});
  ke_exit rec = MakeExit(6, 60, 100, SIGSEGV | 0x80);
  rec.flags = KE_EXIT_CORE_DUMP;
  event = MakeExitEvent(rec);
  EXPECT_EQ(event.Number(FieldId::kExitSignal), static_cast<uint64_t>(SIGSEGV));
  EXPECT_EQ(event.Text(FieldId::kExitSignalName), "SIGSEGV");
  EXPECT_EQ(event.Number(FieldId::kExitCoreDump), 1u);
  EXPECT_FALSE(event.Find(FieldId::kExitCode).has_value());
}

TEST_F(EventMakerTest, FailedExecHasPathAndErrorByName) {
  MakeExec({.tgid = 5, .start_ns = 50}, {.binary = "/bin/sh"});
  ke_exec_failed rec{};
  rec.hdr = MakeHeader(KE_EXEC_FAILED, sizeof(rec));
  rec.tgid = 5;
  rec.start_ns = 50;
  rec.error = ENOENT;
  std::strcpy(rec.path, "/nonexistent");
  rec.path_len = 12;
  const EventView event = maker_.Make(EventClass::kProcessExecFailed, BytesOf(rec).bytes(),
                                      *processes_.FindOrUnknown({5, 50}));
  EXPECT_EQ(event.Text(FieldId::kFailedPath), "/nonexistent");
  EXPECT_EQ(event.Text(FieldId::kFailedErrorName), "ENOENT");
  EXPECT_EQ(event.Number(FieldId::kFailedError), static_cast<uint64_t>(ENOENT));
  EXPECT_EQ(event.Text(FieldId::kProcessBinary), "/bin/sh");
}

TEST_F(EventMakerTest, DeedSaysWhoTheTargetIs) {
  MakeExec({.tgid = 5, .start_ns = 50}, {.binary = "/bin/sh"});
  MakeExec({.tgid = 6, .start_ns = 60}, {.binary = "/bin/target"});
  const std::string id(64, 'a');
  cgroups_.Add(77, "/docker/" + id);
  ke_deed rec{};
  rec.by.hdr = MakeHeader(KE_SIGNAL, sizeof(rec));
  rec.by.tgid = 5;
  rec.by.tid = 51;
  rec.by.start_ns = 50;
  rec.by.creds.uid = 9;
  rec.target_tgid = 6;
  rec.target_start_ns = 60;
  rec.target_cgroup_id = 77;
  rec.access = KE_DEED_CHILD;
  rec.signal = SIGTERM;
  std::strcpy(rec.target_comm, "target");
  const auto make = [&] {
    return maker_.Make(EventClass::kProcessSignal, BytesOf(rec).bytes(),
                       *processes_.FindOrUnknown({5, 50}));
  };
  EventView event = make();
  EXPECT_TRUE(EventView::Parse(event.bytes()).ok());
  EXPECT_EQ(event.Text(FieldId::kProcessBinary), "/bin/sh");
  EXPECT_EQ(event.Number(FieldId::kProcessTid), 51u);
  EXPECT_EQ(event.Number(FieldId::kProcessUid), 9u);
  EXPECT_EQ(event.Number(FieldId::kTargetPid), 6u);
  EXPECT_EQ(event.Text(FieldId::kTargetName), "target");
  EXPECT_EQ(event.Text(FieldId::kTargetBinary), "/bin/target");
  EXPECT_EQ(event.Text(FieldId::kTargetContainer), id);
  EXPECT_EQ(event.Number(FieldId::kTargetChild), 1u);
  EXPECT_FALSE(event.Find(FieldId::kTargetSensor));
  EXPECT_EQ(event.Text(FieldId::kSignalName), "SIGTERM");
  rec.target_start_ns = 61;
  rec.target_cgroup_id = 78;
  rec.signal = 0;
  event = make();
  EXPECT_EQ(event.Find(FieldId::kTargetBinary)->flags, kFieldCut) << "not known: nor is it absent";
  EXPECT_EQ(event.Find(FieldId::kTargetContainer)->flags, kFieldCut);
  EXPECT_EQ(event.Find(FieldId::kSignalNumber)->number, 0u);
  EXPECT_FALSE(event.Find(FieldId::kSignalName));
}

TEST_F(EventMakerTest, AMapOrProgramIsNoProcess) {
  MakeExec({.tgid = 5, .start_ns = 50}, {.binary = "/bin/sh"});
  ke_deed rec{};
  rec.by.hdr = MakeHeader(KE_BPF, sizeof(rec));
  rec.by.tgid = 5;
  rec.by.start_ns = 50;
  rec.target_tid = 42;
  rec.access = KE_DEED_BPF_PROGRAM | KE_DEED_BPF_WRITE | KE_DEED_SENSOR;
  std::strcpy(rec.target_comm, "open__lsm");
  EventView event = maker_.Make(EventClass::kProcessBpf, BytesOf(rec).bytes(),
                                *processes_.FindOrUnknown({5, 50}));
  EXPECT_EQ(event.Text(FieldId::kBpfObject), "program");
  EXPECT_EQ(event.Number(FieldId::kBpfId), 42u);
  EXPECT_EQ(event.Text(FieldId::kBpfName), "open__lsm");
  EXPECT_EQ(event.Number(FieldId::kBpfWrite), 1u);
  EXPECT_EQ(event.Number(FieldId::kBpfSensor), 1u);
  EXPECT_FALSE(event.Find(FieldId::kTargetPid));
  rec.access = 0;
  event = maker_.Make(EventClass::kProcessBpf, BytesOf(rec).bytes(),
                      *processes_.FindOrUnknown({5, 50}));
  EXPECT_EQ(event.Text(FieldId::kBpfObject), "map");
  EXPECT_FALSE(event.Find(FieldId::kBpfSensor));
}

TEST_F(EventMakerTest, UnknownProcessIsMarkedPartial) {
  const EventView event = MakeExitEvent(MakeExit(9, 90, 100));
  EXPECT_EQ(event.Number(FieldId::kProcessUnknown), 1u);
  EXPECT_EQ(event.header().flags, kEventPartial);
}

}  // namespace
}  // namespace kentry
