// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/unit/exporters/encode/sample_events.h"

namespace kentry {
namespace {

using enum FieldId;
using namespace std::string_view_literals;

std::string Encode(EventView event) {
  JsonEncoder encoder;
  Buffer out;
  encoder.Encode(event, out);
  return std::string(out.view());
}

TEST(JsonEncoderTest, ExecLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(TypicalExec(builder)),
      R"({"id":7,"class":"process.exec","time":"2026-11-23T03:04:05.123456789Z","cpu":1,"seq":3,)"
      R"("process":{"pid":41523,"start_ns":8123456789012,"binary":"/usr/bin/git","name":"git",)"
      R"("args":["git","-c","core.pager=cat","log","--oneline","-n","5"],"args_bytes":45,)"
      R"("args_count":7,"cwd":"/home/user/src/project","tid":41523,"ns_pid":212,"uid":1000,)"
      R"("gid":1000,"euid":1000,"egid":1000,"suid":1000,"sgid":1000,"fsuid":1000,"fsgid":1000,)"
      R"("cap_effective":"0x0","cap_permitted":"0x0","cap_inheritable":"0x0",)"
      R"("cap_bounding":"0x1ffffffffff","cap_ambient":"0x0","login_uid":1000,"audit_session":4,)"
      R"("tty":"pts0","ns_mnt":4026531841,"ns_pid_ns":4026531836,"ns_net":4026531840,)"
      R"("ns_uts":4026531838,"ns_ipc":4026531839,"ns_user":4026531837,"ns_cgroup":4026531835,)"
      R"("ns_time":4026531834,"binary_dev":"254:1","binary_ino":1572903,"binary_mode":33261,)"
      R"("in_container":true,"tree_depth":5},)"
      R"("parent":{"pid":40021,"start_ns":8120000000000,"binary":"/usr/bin/bash"},)"
      R"("container":{"id":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",)"
      R"("runtime":"docker"},"cgroup":{"id":8123,"path":"/system.slice/docker-)"
      R"(9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.scope"}})"
      "\n");
}

TEST(JsonEncoderTest, ForkLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kProcessFork,
                    {Num(kProcessPid, 8), Str(kProcessBinary, "/bin/sh"), Num(kProcessUid, 0),
                     Num(kForkCreatorPid, 7), Num(kForkCreatorTid, 7), Num(kForkSharesMemory, 1)})),
      R"({"id":7,"class":"process.fork","time":"2026-11-23T03:04:05.123456789Z","cpu":1,"seq":3,)"
      R"("process":{"pid":8,"binary":"/bin/sh","uid":0},)"
      R"("fork":{"creator_pid":7,"creator_tid":7,"shares_memory":true}})"
      "\n");
}

TEST(JsonEncoderTest, ExitLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kProcessExit,
                    {Num(kProcessPid, 8), Num(kExitSignal, 11), Str(kExitSignalName, "SIGSEGV"),
                     Num(kExitCoreDump, 1), Num(kExitLastTid, 9), Num(kExitCpu, 1234567),
                     Num(kExitCpuPartial, 0), Num(kExitRuntime, 5'000'000'001)})),
      R"({"id":7,"class":"process.exit","time":"2026-11-23T03:04:05.123456789Z","cpu":1,"seq":3,)"
      R"("process":{"pid":8},"exit":{"signal":11,"signal_name":"SIGSEGV","core_dumped":true,)"
      R"("last_tid":9,"cpu_ns":1234567,"lifetime_ns":5000000001}})"
      "\n");
}

TEST(JsonEncoderTest, ExecFailedLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kProcessExecFailed,
                    {Num(kProcessPid, 8), Str(kFailedPath, "/bin/nope"),
                     Num(kFailedError, static_cast<uint64_t>(-2)), Str(kFailedErrorName, "ENOENT"),
                     Num(kFailedTid, 8)})),
      R"({"id":7,"class":"process.exec_failed","time":"2026-11-23T03:04:05.123456789Z","cpu":1,)"
      R"("seq":3,"process":{"pid":8},)"
      R"("failed":{"path":"/bin/nope","errno":-2,"error":"ENOENT","tid":8}})"
      "\n");
}

TEST(JsonEncoderTest, ExistingLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(Encode(Sample(builder, EventClass::kProcessExisting,
                          {Num(kProcessPid, 2), Str(kProcessName, "kthreadd"),
                           Num(kProcessKernelThread, 1), Num(kProcessDepth, 0)})),
            R"({"id":7,"class":"process.existing","time":"2026-11-23T03:04:05.123456789Z","cpu":1,)"
            R"("seq":3,"process":{"pid":2,"name":"kthreadd","kernel_thread":true,"tree_depth":0}})"
            "\n");
}

TEST(JsonEncoderTest, CgroupLineIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kCgroup,
                    {Num(kCgroupId, 99), Str(kCgroupPath, "/a/b"), Str(kCgroupOp, "created")})),
      R"({"id":7,"class":"cgroup.change","time":"2026-11-23T03:04:05.123456789Z","cpu":1,"seq":3,)"
      R"("cgroup":{"id":99,"path":"/a/b","operation":"created"}})"
      "\n");
}

TEST(JsonEncoderTest, SensorLinesAreGoldenAndHaveNoCpu) {
  EventBuilder builder;
  const auto sensor = [&](EventClass cls, std::initializer_list<SampleValue> values) {
    Sample(builder, cls, values);
    builder.header().seq = 0;
    return Encode(builder.View());
  };
  EXPECT_EQ(
      sensor(EventClass::kSensorStart, {Str(kSensorVersion, "0.1.0"), Str(kSensorKernel, "6.1.0"),
                                        Str(kSensorBootId, "b"), Str(kSensorHost, "h")}),
      R"({"id":7,"class":"sensor.start","time":"2026-11-23T03:04:05.123456789Z",)"
      R"("sensor":{"version":"0.1.0","kernel":"6.1.0","boot_id":"b","host":"h"}})"
      "\n");
  EXPECT_EQ(sensor(EventClass::kSensorLoss,
                   {Str(kLossClass, "process.exec"), Num(kLossCpu, 1), Num(kLossFirst, 100),
                    Num(kLossLast, 111), Num(kLossCount, 12), Str(kLossReason, "ring_full")}),
            R"({"id":7,"class":"sensor.loss","time":"2026-11-23T03:04:05.123456789Z",)"
            R"("loss":{"class":"process.exec","cpu":1,"first_seq":100,"last_seq":111,"count":12,)"
            R"("reason":"ring_full"}})"
            "\n");
  EXPECT_EQ(sensor(EventClass::kSensorStop, {Num(kSensorEventCount, 5), Num(kSensorLost, 0)}),
            R"({"id":7,"class":"sensor.stop","time":"2026-11-23T03:04:05.123456789Z",)"
            R"("sensor":{"events":5,"lost":0}})"
            "\n");
}

TEST(JsonEncoderTest, AlertOnAFileOpenIsGolden) {
  EventBuilder builder;
  EXPECT_EQ(
      Encode(Sample(builder, EventClass::kFileOpen,
                    {Num(kProcessPid, 8),
                     Str(kProcessBinary, "/bin/cat"),
                     Str(kProcessMarks, "m\0"sv),
                     Str(kFilePath, "/tmp/link"),
                     Str(kFileAliases, "/etc/shadow\0"sv),
                     Num(kFileRead, 1),
                     Num(kFileWrite, 0),
                     Num(kFileIno, 12),
                     Num(kFileDev, 254u << 20 | 1),
                     Str(kAlertRules, "one\0two\0"sv),
                     Str(kAlertSeverity, "error"),
                     Str(kAlertSeverities, "error\0info\0"sv),
                     Str(kAlertActions, "alert\0log\0"sv),
                     Str(kAlertMessages, "read\0\0"sv),
                     Str(kAlertTags, "mitre:T1003\0"sv),
                     Str(kAlertUncertain, "two\0"sv),
                     Str(kAlertRuleSet, "shop"),
                     Str(kAlertRevision, "0123456789ab"),
                     Str(kAlertMode, "monitor"),
                     Str(kAlertVerdict, "observed")})),
      R"({"id":7,"class":"file.open","time":"2026-11-23T03:04:05.123456789Z","cpu":1,"seq":3,)"
      R"("process":{"pid":8,"binary":"/bin/cat","marks":["m"]},)"
      R"("file":{"path":"/tmp/link","aliases":["/etc/shadow"],"read":true,"ino":12,"dev":"254:1"},)"
      R"("alert":{"rules":["one","two"],"severity":"error","severities":["error","info"],)"
      R"("actions":["alert","log"],"messages":["read",""],"tags":["mitre:T1003"],)"
      R"("uncertain":["two"],"rule_set":"shop","revision":"0123456789ab","mode":"monitor",)"
      R"("verdict":"observed"}})"
      "\n");
}

TEST(JsonEncoderTest, RulesAndSuppressedLinesAreGolden) {
  EventBuilder builder;
  Sample(builder, EventClass::kSensorRules,
         {Str(kRulesName, "shop"), Str(kRulesRevision, "0123456789ab"), Str(kRulesMode, "off"),
          Num(kRulesCount, 0), Num(kRulesEpoch, 2)});
  builder.header().seq = 0;
  EXPECT_EQ(Encode(builder.View()),
            R"({"id":7,"class":"sensor.rules","time":"2026-11-23T03:04:05.123456789Z",)"
            R"("rules":{"name":"shop","revision":"0123456789ab","mode":"off","count":0,"epoch":2}})"
            "\n");
  Sample(builder, EventClass::kSensorSuppressed,
         {Str(kSuppressedRule, "r"), Num(kSuppressedCount, 70), Num(kSuppressedKeys, 1),
          Str(kSuppressedKey, "/a")});
  builder.header().seq = 0;
  EXPECT_EQ(Encode(builder.View()),
            R"({"id":7,"class":"sensor.suppressed","time":"2026-11-23T03:04:05.123456789Z",)"
            R"("suppressed":{"rule":"r","count":70,"keys":1,"key":"/a"}})"
            "\n");
}

TEST(JsonEncoderTest, HostileBytesOfAMessageStayInItsString) {
  EventBuilder builder;
  const std::string line = Encode(
      Sample(builder, EventClass::kProcessExec,
             {Str(kAlertRules, "a\0b\0"sv), Str(kAlertMessages, "x\n\x1b\"]}\\\0/\xff\0"sv)}));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  const auto alert = nlohmann::json::parse(line).at("alert");
  EXPECT_EQ(alert.at("messages"), (nlohmann::json{"x\n\x1b\"]}\\", "/\xef\xbf\xbd"}));
  EXPECT_EQ(alert.at("messages_b64"), (nlohmann::json{{"1", "L/8="}}));
}

TEST(JsonEncoderTest, EventWithoutValuesIsAnObject) {
  EventBuilder builder;
  const std::string line = Encode(Sample(builder, EventClass::kProcessExec, {}));
  EXPECT_EQ(line,
            R"({"id":7,"class":"process.exec","time":"2026-11-23T03:04:05.123456789Z","cpu":1,)"
            R"("seq":3})"
            "\n");
}

TEST(JsonEncoderTest, PartialIsMarked) {
  EventBuilder builder;
  Sample(builder, EventClass::kProcessExec, {Num(kProcessPid, 1)});
  builder.header().flags = kEventPartial;
  const auto parsed = nlohmann::json::parse(Encode(builder.View()));
  EXPECT_TRUE(parsed.at("partial").get<bool>());
}

TEST(JsonEncoderTest, FalseAndEmptyValuesAreLeftOutAndOpenNoGroup) {
  EventBuilder builder;
  const auto parsed = nlohmann::json::parse(
      Encode(Sample(builder, EventClass::kProcessExec,
                    {Num(kProcessPid, 1), Str(kProcessBinary, ""), Str(kProcessArgs, ""),
                     Num(kProcessCwdDeleted, 0), Str(kParentBinary, ""), Str(kContainerId, "c")})));
  EXPECT_EQ(parsed.at("process").size(), 1u);
  EXPECT_FALSE(parsed.contains("parent"));
  EXPECT_EQ(parsed.at("container").at("id"), "c");
}

TEST(JsonEncoderTest, CutValuesAreMarkedEvenWhenNothingIsLeftOfThem) {
  EventBuilder builder;
  const auto parsed = nlohmann::json::parse(
      Encode(Sample(builder, EventClass::kProcessExec,
                    {Str(kProcessBinary, "/a", kFieldCut), Str(kProcessArgs, "", kFieldCut),
                     Str(kProcessCwd, "", kFieldCut)})));
  const auto& process = parsed.at("process");
  EXPECT_TRUE(process.at("binary_cut").get<bool>());
  EXPECT_EQ(process.at("args"), nlohmann::json::array());
  EXPECT_TRUE(process.at("args_cut").get<bool>());
  EXPECT_EQ(process.at("cwd"), "");
}

TEST(JsonEncoderTest, CutMarkIsNotWrittenTwiceWhereItIsAField) {
  EventBuilder builder;
  const std::string line =
      Encode(Sample(builder, EventClass::kProcessExec,
                    {Str(kProcessEnv, "A=b\0"sv, kFieldCut), Num(kProcessEnvCut, 1)}));
  EXPECT_EQ(line.find("env_cut"), line.rfind("env_cut"));
  EXPECT_NE(line.find("env_cut"), std::string::npos);
}

TEST(JsonEncoderTest, InvalidUtf8KeepsItsBytesInBase64) {
  EventBuilder builder;
  const auto parsed = nlohmann::json::parse(Encode(
      Sample(builder, EventClass::kProcessExec,
             {Str(kProcessBinary, "/tmp/\xff"),
              Str(kProcessArgs, "a\0\xfe\0\0ok\0\xc3(\0"sv, kFieldCut), Num(kProcessUid, 3)})));
  const auto& process = parsed.at("process");
  EXPECT_EQ(process.at("binary"), "/tmp/\xef\xbf\xbd");
  EXPECT_EQ(process.at("binary_b64"), "L3RtcC//");
  EXPECT_EQ(process.at("args"), (nlohmann::json{"a", "\xef\xbf\xbd", "", "ok", "\xef\xbf\xbd("}));
  EXPECT_EQ(process.at("args_b64"), (nlohmann::json{{"1", "/g=="}, {"4", "wyg="}}));
  EXPECT_TRUE(process.at("args_cut").get<bool>());
  EXPECT_EQ(process.at("uid"), 3);
}

TEST(JsonEncoderTest, ListElementsAreKeptApartAndInOrder) {
  EventBuilder builder;
  const auto args = [&](std::string_view list) {
    return nlohmann::json::parse(
               Encode(Sample(builder, EventClass::kProcessExec, {Str(kProcessArgs, list)})))
        .at("process")
        .at("args");
  };
  EXPECT_EQ(args("\0"sv), nlohmann::json::array({""}));
  EXPECT_EQ(args("\0\0"sv), (nlohmann::json::array({"", ""})));
  EXPECT_EQ(args("a\0b"sv), (nlohmann::json::array({"a", "b"})));
  EXPECT_EQ(args("a\nb\0\"c\0"sv), (nlohmann::json::array({"a\nb", "\"c"})));
}

TEST(JsonEncoderTest, NumbersAreExactAtTheirLimits) {
  EventBuilder builder;
  const auto parsed = nlohmann::json::parse(
      Encode(Sample(builder, EventClass::kProcessExecFailed,
                    {Num(kProcessPid, std::numeric_limits<uint64_t>::max()), Num(kProcessStart, 0),
                     Num(kProcessCapEffective, std::numeric_limits<uint64_t>::max()),
                     Num(kProcessBinaryDev, 0xffffffff), Num(kFailedError, uint64_t{1} << 63)})));
  EXPECT_EQ(parsed.at("process").at("pid").get<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parsed.at("process").at("start_ns"), 0);
  EXPECT_EQ(parsed.at("process").at("cap_effective"), "0xffffffffffffffff");
  EXPECT_EQ(parsed.at("process").at("binary_dev"), "4095:1048575");
  EXPECT_EQ(parsed.at("failed").at("errno").get<int64_t>(), std::numeric_limits<int64_t>::min());
}

std::string TimeOf(JsonEncoder& encoder, int64_t time_ns) {
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.header().time_ns = time_ns;
  Buffer out;
  encoder.Encode(builder.View(), out);
  return nlohmann::json::parse(out.view()).at("time").get<std::string>();
}

TEST(JsonEncoderTest, TimesAreRightAroundSecondsDaysAndLeapYears) {
  JsonEncoder encoder;
  EXPECT_EQ(TimeOf(encoder, 0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(TimeOf(encoder, -1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(TimeOf(encoder, 999'999'999), "1970-01-01T00:00:00.999999999Z");
  EXPECT_EQ(TimeOf(encoder, 1'000'000'000), "1970-01-01T00:00:01.000000000Z");
  EXPECT_EQ(TimeOf(encoder, 951'782'399'000'000'000), "2000-02-28T23:59:59.000000000Z");
  EXPECT_EQ(TimeOf(encoder, 951'782'400'000'000'000), "2000-02-29T00:00:00.000000000Z");
  EXPECT_EQ(TimeOf(encoder, 1'709'164'800'000'000'000), "2024-02-29T00:00:00.000000000Z");
  EXPECT_EQ(TimeOf(encoder, 4'107'542'400'000'000'000), "2100-03-01T00:00:00.000000000Z");
  EXPECT_EQ(TimeOf(encoder, std::numeric_limits<int64_t>::max()), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(TimeOf(encoder, std::numeric_limits<int64_t>::min()), "1677-09-21T00:12:43.145224192Z");
}

TEST(JsonEncoderTest, EveryFieldOfEveryClassParsesUnderItsName) {
  for (const ClassDef& cls : Classes()) {
    EventBuilder builder;
    builder.Begin(cls.id);
    for (const FieldDef* field : FieldsOf(cls.id)) {
      const bool text = field->type == FieldType::kString || field->type == FieldType::kStringList;
      if (text) {
        builder.AddText(field->id, "x\xff");
      } else {
        builder.AddNumber(field->id, 1);
      }
    }
    const auto parsed = nlohmann::json::parse(Encode(builder.View()));
    for (const FieldDef* field : FieldsOf(cls.id)) {
      const auto& group = parsed.at(std::string(field->group));
      EXPECT_TRUE(group.contains(std::string(field->key))) << field->name;
      const bool text = field->type == FieldType::kString || field->type == FieldType::kStringList;
      EXPECT_EQ(group.contains(std::string(field->key) + "_b64"), text) << field->name;
    }
  }
}

TEST(JsonEncoderTest, NoFieldHasTheNameOfAnothersSibling) {
  for (const FieldDef& field : Fields()) {
    EXPECT_EQ(FindField(std::string(field.name) + "_b64"), nullptr) << field.name;
  }
}

TEST(JsonEncoderTest, LinesAreAppendedOneAfterTheOther) {
  JsonEncoder encoder;
  Buffer out;
  EventBuilder builder;
  for (int i = 0; i < 100; ++i) encoder.Encode(TypicalExec(builder), out);
  std::string_view rest = out.view();
  int lines = 0;
  for (; !rest.empty(); ++lines) {
    const size_t end = rest.find('\n');
    ASSERT_NE(end, std::string_view::npos);
    EXPECT_EQ(rest.substr(0, end + 1), Encode(TypicalExec(builder)));
    rest.remove_prefix(end + 1);
  }
  EXPECT_EQ(lines, 100);
}

TEST(JsonEncoderTest, LargestArgumentListOfControlBytesFits) {
  EventBuilder builder;
  std::string args;
  for (int i = 0; i < 24 * 1024; ++i) args.push_back(i % 3 == 0 ? '\0' : '\x01');
  const auto parsed = nlohmann::json::parse(
      Encode(Sample(builder, EventClass::kProcessExec, {Str(kProcessArgs, args)})));
  EXPECT_EQ(parsed.at("process").at("args").size(), 8193u);
}

}  // namespace
}  // namespace kentry
