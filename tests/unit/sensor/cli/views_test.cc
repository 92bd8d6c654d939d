// SPDX-License-Identifier: Apache-2.0
// What probe, status and fields print.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sensor/cli/fields_view.h"
#include "sensor/cli/probe_view.h"
#include "sensor/cli/status_view.h"

namespace kentry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SensorStatus SampleStatus() {
  SensorStatus status;
  status.version = "0.1.0";
  status.pid = 42;
  status.uptime_ns = 7'380'000'000'000;
  status.cpu_ns = 1'500'000'000;
  status.kernel_release = "6.1.0";
  status.boot_id = "b";
  status.host = "h";
  status.classes = {{.name = "process.exec",
                     .backend = "raw_tp",
                     .attempted = 1234567,
                     .missed = 2,
                     .filtered = 3,
                     .delivered = 1234560,
                     .lost = 4},
                    {.name = "process.exec_failed"}};
  status.cpu_loss = {{.cpu = 0, .lost = 0}, {.cpu = 3, .lost = 4}};
  status.helper_failures = {{.name = "ring", .count = 0}, {.name = "args_read", .count = 7}};
  status.processes = {.size = 300, .capacity = 32768, .evicted = 1};
  status.journal = {.bytes = 1536, .capacity_bytes = 8 << 20, .events = 5, .dropped = 0};
  status.outputs = {{.name = "/tmp/x\n", .written = 9, .last_error = "no space\x1b"}};
  status.memory = {.rss_bytes = 12 << 20, .map_bytes = 6 << 20, .ring_bytes = 4 << 20};
  return status;
}

TEST(StatusViewTest, TextShowsCountersAlignedAndWhatIsInFlight) {
  const std::string text = RenderStatusText(SampleStatus());
  EXPECT_THAT(text, HasSubstr("kentry 0.1.0, pid 42, up 2 h 3 min, CPU 0.02 % (1.50 s)\n"));
  EXPECT_THAT(
      text,
      HasSubstr("CLASS                BACKEND  ATTEMPTED  MISSED  FILTERED  DELIVERED  LOST  IN "
                "FLIGHT\n"
                "process.exec         raw_tp   1,234,567       2         3  1,234,560     4     "
                "     2\n"
                "process.exec_failed  none             0       0         0          0     0     "
                "     0\n"));
  EXPECT_THAT(text, HasSubstr("lost per CPU       cpu 3: 4\n"));
  EXPECT_THAT(text, HasSubstr("helper failures    args_read: 7\n"));
  EXPECT_THAT(text, HasSubstr("300 of 32,768, 1 evicted\n"));
  EXPECT_THAT(text, HasSubstr("1.5 KiB of 8.0 MiB, 5 events, 0 dropped\n"));
  EXPECT_THAT(text, HasSubstr("12.0 MiB resident, 6.0 MiB BPF maps, 4.0 MiB rings\n"));
}

TEST(StatusViewTest, TextIsSafeForATerminal) {
  const std::string text = RenderStatusText(SampleStatus());
  EXPECT_THAT(text, HasSubstr("output /tmp/x\\x0a"));
  EXPECT_THAT(text, HasSubstr("last: no space\\x1b\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(StatusViewTest, QuietSensorHasNoLossAndNoFailures) {
  const std::string text = RenderStatusText({});
  EXPECT_THAT(text, HasSubstr("lost per CPU     none\n"));
  EXPECT_THAT(text, HasSubstr("helper failures  none\n"));
  EXPECT_THAT(text, HasSubstr("up 0 s, CPU 0.00 %"));
}

TEST(StatusViewTest, JsonHasEveryMemberOnOneLine) {
  const std::string json = RenderStatusJson(SampleStatus());
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
  for (const char* part :
       {"{\"version\":\"0.1.0\",\"pid\":42,", "\"uptime_ns\":7380000000000", "\"kernel\":\"6.1.0\"",
        "\"classes\":[{\"name\":\"process.exec\",\"backend\":\"raw_tp\",\"attempted\":1234567,"
        "\"missed\":2,\"filtered\":3,\"delivered\":1234560,\"lost\":4,\"in_flight\":2},{",
        "\"cpu_loss\":[{\"cpu\":0,\"lost\":0},{\"cpu\":3,\"lost\":4}]",
        "\"reader\":{\"polls\":0,\"wakeups\":0,\"held_back\":0,\"busy\":0,\"out_of_order\":0,"
        "\"late\":0,\"malformed\":0}",
        "\"helper_failures\":{\"ring\":0,\"args_read\":7}",
        "\"processes\":{\"size\":300,\"capacity\":32768,\"evicted\":1}",
        "\"cgroups\":{\"size\":0,\"capacity\":0,\"evicted\":0}",
        "\"journal\":{\"bytes\":1536,\"capacity_bytes\":8388608,\"events\":5,\"dropped\":0}",
        "\"outputs\":[{\"name\":\"/tmp/x\\n\",\"written\":9,\"bytes_written\":0,\"missed\":0,"
        "\"errors\":0,\"last_error\":\"no space\\u001b\"}]",
        "\"memory\":{\"rss_bytes\":12582912,\"map_bytes\":6291456,\"ring_bytes\":4194304}}\n"}) {
    EXPECT_THAT(json, HasSubstr(part));
  }
}

RulesStatus SampleRules() {
  return {.epoch = 3,
          .name = "base",
          .revision = "r1",
          .mode = "monitor",
          .count = 1500,
          .alerts = 1001,
          .logged = 2,
          .dropped = 3,
          .suppressed = 4,
          .judged_away = 5,
          .marks_refused = 6,
          .kernel_errors = 7,
          .outdated = 8,
          .file_roots = 10,
          .file_roots_skipped = 11,
          .files_no_room = 12,
          .rules = {{.name = "busy", .hits = 1000, .uncertain = 9, .suppressed = 4},
                    {.name = "shy\x1b", .hits = 1},
                    {.name = "idle"}},
          .rules_left_out = 1497};
}

TEST(StatusViewTest, RulesInForceAreShownWithWhatTheySaid) {
  SensorStatus status = SampleStatus();
  status.rules = SampleRules();
  const std::string text = RenderStatusText(status);
  EXPECT_THAT(text,
              HasSubstr("rules              base: 1,500 in force, monitor, revision r1, epoch "
                        "3\n"));
  EXPECT_THAT(text, HasSubstr("rules said         1,001 alerts, 2 logged, 3 dropped, 4 suppressed, "
                              "5 judged away\n"));
  EXPECT_THAT(text, HasSubstr("rules failed       6 marks refused, 7 not told to the kernel, 8 "
                              "outdated\n"));
  EXPECT_THAT(text, HasSubstr("rules' files       looked up in 10 containers, 11 skipped, 12 files "
                              "too many\n"));
  EXPECT_THAT(text, HasSubstr("\n\nRULE      HITS  UNCERTAIN  SUPPRESSED\n"
                              "busy     1,000          9           4\n"
                              "shy\\x1b      1          0           0\n"));
  EXPECT_THAT(text, Not(HasSubstr("idle")));
  EXPECT_THAT(text, Not(HasSubstr("last reload")));
}

TEST(StatusViewTest, KillsAreShownWithTheirLatency) {
  EXPECT_EQ(KillText({}), "none");
  SensorStatus status = SampleStatus();
  status.kills = {.confirmed = 1234, .p50_ns = 34'100, .p99_ns = 87'000, .max_ns = 1'500'000};
  EXPECT_THAT(RenderStatusText(status), HasSubstr("killed             1,234 confirmed, half within "
                                                  "34.1us, 99 % within 87.0us, all within "
                                                  "1.50ms\n"));
  status.kills.waiting = 1;
  status.kills.unconfirmed = 2;
  status.kills.not_followed = 3;
  EXPECT_THAT(RenderStatusText(status),
              HasSubstr("1.50ms; 1 waiting, 2 unconfirmed, 3 not followed\n"));
  EXPECT_THAT(RenderStatusJson(status),
              HasSubstr("\"kills\":{\"confirmed\":1234,\"p50_ns\":34100,\"p99_ns\":87000,"
                        "\"max_ns\":1500000,\"waiting\":1,\"unconfirmed\":2,"
                        "\"not_followed\":3}"));
  EXPECT_EQ(KillText({.unconfirmed = 2}), "0 confirmed; 0 waiting, 2 unconfirmed, 0 not followed");
}

TEST(StatusViewTest, OnlyTheTenBusiestRulesAreShown) {
  SensorStatus status;
  status.rules.epoch = 1;
  for (int i = 0; i < 12; ++i) status.rules.rules.push_back({.name = "r", .hits = 5});
  EXPECT_THAT(RenderStatusText(status), HasSubstr("\nand 2 more with hits\n"));
  status.rules.rules_left_out = 1;
  EXPECT_THAT(RenderStatusText(status), HasSubstr("\nand at least 2 more with hits\n"));
}

TEST(StatusViewTest, WithoutRulesItSaysSo) {
  const std::string text = RenderStatusText(SampleStatus());
  EXPECT_THAT(text, HasSubstr("rules              none in force\n"));
  EXPECT_THAT(text, Not(HasSubstr("RULE ")));
}

TEST(StatusViewTest, ARefusedReloadSaysWhenAndWhy) {
  SensorStatus status;
  status.started_unix_ns = 1'000'000'000'000;
  status.uptime_ns = 100'000'000'000;
  status.rules.refused_unix_ns = 1'037'000'000'000;
  status.rules.refused_error = "a.yaml:1:2: \x1b";
  EXPECT_THAT(RenderStatusText(status),
              HasSubstr("last reload      refused 1 min 3 s ago: a.yaml:1:2: \\x1b\n"));
  EXPECT_THAT(RenderStatusJson(status),
              HasSubstr("\"refused_unix_ns\":1037000000000,\"refused_error\":\"a.yaml:1:2: "
                        "\\u001b\","));
  status.rules.refused_unix_ns = 2'000'000'000'000;  // the clock was set back
  EXPECT_THAT(RenderStatusText(status), HasSubstr("refused 0 s ago"));
}

TEST(StatusViewTest, JsonHasAllRulesOfTheAnswer) {
  SensorStatus status;
  status.rules = SampleRules();
  EXPECT_THAT(
      RenderStatusJson(status),
      HasSubstr("\"rules\":{\"epoch\":3,\"name\":\"base\",\"revision\":\"r1\",\"mode\":\"monitor\","
                "\"count\":1500,\"alerts\":1001,\"logged\":2,\"dropped\":3,\"suppressed\":4,"
                "\"judged_away\":5,\"marks_refused\":6,\"kernel_errors\":7,\"outdated\":8,\"file_"
                "roots\":10,\"file_roots_skipped\":11,\"files_no_room\":12,"
                "\"rules\":[{\"name\":\"busy\",\"hits\":1000,\"uncertain\":9,\"suppressed\":4},"
                "{\"name\":\"shy\\u001b\",\"hits\":1,\"uncertain\":0,\"suppressed\":0},"
                "{\"name\":\"idle\",\"hits\":0,\"uncertain\":0,\"suppressed\":0}],"
                "\"rules_left_out\":1497}"));
}

const ProbeReport kReport = {
    .kernel_release = "6.1.0",
    .rows = {
        {.event_class = "process.exec", .backend = "raw_tp", .available = true, .chosen = true},
        {.event_class = "process.exec_failed", .backend = "fexit", .reason = "no BTF"},
        {.event_class = "process.exec_failed",
         .backend = "kretprobe",
         .available = true,
         .chosen = true,
         .cost = "dearer"},
        {.event_class = "cgroup.change", .backend = "raw_tp", .available = true}}};

TEST(ProbeViewTest, TextIsATableOfClassAndBackend) {
  EXPECT_EQ(RenderProbe(kReport, EventFormat::kText),
            "kernel 6.1.0: kentry can run here\n"
            "\n"
            "CLASS                BACKEND    STATE      WHY NOT, OR AT WHAT COST\n"
            "process.exec         raw_tp     chosen\n"
            "process.exec_failed  fexit      no         no BTF\n"
            "                     kretprobe  chosen     dearer\n"
            "cgroup.change        raw_tp     available\n");
}

TEST(ProbeViewTest, UnusableKernelSaysWhy) {
  const ProbeReport report = {.kernel_release = "4.4\x1b", .unusable_reason = "no BTF"};
  EXPECT_EQ(RenderProbe(report, EventFormat::kText),
            "kernel 4.4\\x1b: kentry can't run here: no BTF\n");
  EXPECT_EQ(RenderProbe(report, EventFormat::kJson),
            "{\"kernel\":\"4.4\\u001b\",\"usable\":false,\"reason\":\"no BTF\",\"backends\":[]}\n");
}

TEST(ProbeViewTest, JsonHasOneObjectARow) {
  const std::string json = RenderProbe(kReport, EventFormat::kJson);
  EXPECT_THAT(json, HasSubstr("{\"kernel\":\"6.1.0\",\"usable\":true,\"backends\":[{"));
  EXPECT_THAT(json, HasSubstr("{\"class\":\"process.exec_failed\",\"backend\":\"fexit\","
                              "\"available\":false,\"chosen\":false,\"reason\":\"no BTF\"}"));
  EXPECT_THAT(json, HasSubstr("\"available\":true,\"chosen\":true,\"cost\":\"dearer\"}"));
}

TEST(FieldsViewTest, MarkdownHasEveryClassAndFieldInWellFormedRows) {
  const std::string text = RenderFields({.format = FieldsFormat::kMarkdown});
  EXPECT_EQ(text.rfind("# Events\n", 0), 0u);
  for (const ClassDef& cls : Classes()) {
    EXPECT_THAT(text, HasSubstr("\n## " + std::string(cls.name) + "\n"));
  }
  for (const FieldDef& field : Fields()) {
    EXPECT_THAT(text, HasSubstr("\n| `" + std::string(field.name) + "` | "));
  }
  for (size_t at = text.find("\n| `process."); at != std::string::npos;
       at = text.find("\n| `process.", at + 1)) {
    const std::string row = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    EXPECT_EQ(std::count(row.begin(), row.end(), '|'), 6) << row;
  }
}

TEST(FieldsViewTest, MarkdownExplainsTheJsonConventions) {
  const std::string text = RenderFields({.format = FieldsFormat::kMarkdown});
  for (const char* word : {"`id`", "`class`", "`time`", "`cpu`, `seq`", "`partial`", "_cut", "_b64",
                           "2^64 - 1", "false is left out"}) {
    EXPECT_THAT(text, HasSubstr(word));
  }
}

TEST(FieldsViewTest, FieldsThatARefusedExecLacksAreMarked) {
  const std::string exec = RenderFields({.cls = EventClass::kProcessExec});
  const auto line = [&](std::string_view field) {
    const size_t at = exec.find("process." + std::string(field) + " ");
    return exec.substr(at, exec.find('\n', at) - at);
  };
  constexpr std::string_view kLateText = "not known while the exec can still be refused";
  for (const std::string_view field : {"args", "args_bytes", "name", "env", "env_cut"}) {
    EXPECT_NE(line(field).find(kLateText), std::string::npos) << field;
  }
  for (const std::string_view field : {"binary", "args_count", "cwd", "euid", "gained_setuid"}) {
    EXPECT_EQ(line(field).find(kLateText), std::string::npos) << field;
  }
  EXPECT_EQ(RenderFields({.cls = EventClass::kProcessExisting}).find(kLateText), std::string::npos);
}

TEST(FieldsViewTest, MarkdownRowTellsTypeSourceAndKernelComparisons) {
  const std::string text =
      RenderFields({.format = FieldsFormat::kMarkdown, .cls = EventClass::kProcessExec});
  EXPECT_THAT(text, HasSubstr("| `process.binary` | string | process | equal, prefix, suffix | "));
  EXPECT_THAT(text, HasSubstr("| `process.args` | string list | process |  | "));
  EXPECT_THAT(text, Not(HasSubstr("exit.code")));
  EXPECT_THAT(text, Not(HasSubstr("# Events")));
}

TEST(FieldsViewTest, TextOfOneClassHasItsFieldsOnly) {
  const std::string text = RenderFields({.cls = EventClass::kSensorLoss});
  EXPECT_EQ(text.rfind("sensor.loss: ", 0), 0u);
  EXPECT_EQ(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')),
            FieldsOf(EventClass::kSensorLoss).size() + 2);
}

TEST(FieldsViewTest, JsonIsOneLine) {
  const std::string json =
      RenderFields({.format = FieldsFormat::kJson, .cls = EventClass::kSensorLoss});
  EXPECT_THAT(json, HasSubstr("{\"classes\":[{\"name\":\"sensor.loss\",\"doc\":"));
  EXPECT_THAT(json, HasSubstr("{\"name\":\"loss.count\",\"type\":\"uint\",\"of\":\"derived\","
                              "\"in_kernel\":[],\"doc\":\"number of lost events\"}"));
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
}

}  // namespace
}  // namespace kentry
