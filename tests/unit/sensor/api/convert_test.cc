// SPDX-License-Identifier: Apache-2.0
// Through the API and back every member must keep its value: each has a value of its own here, so
// that one that is forgotten or swapped is found. The JSON of `kentry status` shows all of them.
#include "sensor/api/convert.h"

#include <gtest/gtest.h>

#include <string>

#include "sensor/api/kentry.pb.h"

namespace kentry {
namespace {

TEST(ConvertTest, StatusKeepsEveryMember) {
  SensorStatus from;
  from.version = "v";
  from.pid = 1;
  from.started_unix_ns = -2;
  from.uptime_ns = 3;
  from.cpu_ns = 4;
  from.kernel_release = "k";
  from.boot_id = "b";
  from.host = "h\xff";
  from.classes = {{.name = "c",
                   .backend = "raw_tp",
                   .attempted = 5,
                   .missed = 6,
                   .filtered = 7,
                   .delivered = 8,
                   .lost = 9}};
  from.cpu_loss = {{.cpu = 10, .lost = 11}};
  from.reader = {.polls = 12,
                 .wakeups = 13,
                 .held_back = 14,
                 .busy = 15,
                 .out_of_order = 16,
                 .late = 17,
                 .malformed = 18};
  from.helper_failures = {{.name = "f", .count = 19}};
  from.processes = {.size = 20, .capacity = 21, .evicted = 22};
  from.cgroups = {.size = 23, .capacity = 24, .evicted = 25};
  from.journal = {.bytes = 26, .capacity_bytes = 27, .events = 28, .dropped = 29};
  from.outputs = {{.name = "o",
                   .written = 30,
                   .bytes_written = 31,
                   .missed = 32,
                   .errors = 33,
                   .last_error = "e"}};
  from.memory = {.rss_bytes = 34, .map_bytes = 35, .ring_bytes = 36};

  from.rules = {.epoch = 37,
                .name = "s\xff",
                .revision = "r\xff",
                .mode = "monitor",
                .count = 38,
                .alerts = 39,
                .logged = 40,
                .dropped = 41,
                .suppressed = 42,
                .judged_away = 43,
                .marks_refused = 44,
                .kernel_errors = 45,
                .outdated = 46,
                .file_roots = 52,
                .file_roots_skipped = 53,
                .files_no_room = 54,
                .refused_unix_ns = -47,
                .refused_error = "e\xff",
                .rules = {{.name = "n\xff", .hits = 48, .uncertain = 49, .suppressed = 50}},
                .rules_left_out = 51};
  from.kills = {.confirmed = 55,
                .p50_ns = 56,
                .p99_ns = 57,
                .max_ns = 58,
                .waiting = 59,
                .unconfirmed = 60,
                .not_followed = 61};

  v1::Status message;
  ToMessage(from, &message);
  v1::Status received;
  ASSERT_TRUE(received.ParseFromString(message.SerializeAsString()));
  const SensorStatus to = FromMessage(received);

  EXPECT_EQ(to.version, "v");
  EXPECT_EQ(to.pid, 1u);
  EXPECT_EQ(to.started_unix_ns, -2);
  EXPECT_EQ(to.uptime_ns, 3u);
  EXPECT_EQ(to.cpu_ns, 4u);
  EXPECT_EQ(to.kernel_release, "k");
  EXPECT_EQ(to.boot_id, "b");
  EXPECT_EQ(to.host, "h\xff");
  ASSERT_EQ(to.classes.size(), 1u);
  EXPECT_EQ(to.classes[0].name, "c");
  EXPECT_EQ(to.classes[0].backend, "raw_tp");
  EXPECT_EQ(to.classes[0].attempted, 5u);
  EXPECT_EQ(to.classes[0].missed, 6u);
  EXPECT_EQ(to.classes[0].filtered, 7u);
  EXPECT_EQ(to.classes[0].delivered, 8u);
  EXPECT_EQ(to.classes[0].lost, 9u);
  ASSERT_EQ(to.cpu_loss.size(), 1u);
  EXPECT_EQ(to.cpu_loss[0].cpu, 10u);
  EXPECT_EQ(to.cpu_loss[0].lost, 11u);
  EXPECT_EQ(to.reader.polls, 12u);
  EXPECT_EQ(to.reader.wakeups, 13u);
  EXPECT_EQ(to.reader.held_back, 14u);
  EXPECT_EQ(to.reader.busy, 15u);
  EXPECT_EQ(to.reader.out_of_order, 16u);
  EXPECT_EQ(to.reader.late, 17u);
  EXPECT_EQ(to.reader.malformed, 18u);
  ASSERT_EQ(to.helper_failures.size(), 1u);
  EXPECT_EQ(to.helper_failures[0].name, "f");
  EXPECT_EQ(to.helper_failures[0].count, 19u);
  EXPECT_EQ(to.processes.size, 20u);
  EXPECT_EQ(to.processes.capacity, 21u);
  EXPECT_EQ(to.processes.evicted, 22u);
  EXPECT_EQ(to.cgroups.size, 23u);
  EXPECT_EQ(to.cgroups.capacity, 24u);
  EXPECT_EQ(to.cgroups.evicted, 25u);
  EXPECT_EQ(to.journal.bytes, 26u);
  EXPECT_EQ(to.journal.capacity_bytes, 27u);
  EXPECT_EQ(to.journal.events, 28u);
  EXPECT_EQ(to.journal.dropped, 29u);
  ASSERT_EQ(to.outputs.size(), 1u);
  EXPECT_EQ(to.outputs[0].name, "o");
  EXPECT_EQ(to.outputs[0].written, 30u);
  EXPECT_EQ(to.outputs[0].bytes_written, 31u);
  EXPECT_EQ(to.outputs[0].missed, 32u);
  EXPECT_EQ(to.outputs[0].errors, 33u);
  EXPECT_EQ(to.outputs[0].last_error, "e");
  EXPECT_EQ(to.memory.rss_bytes, 34u);
  EXPECT_EQ(to.memory.map_bytes, 35u);
  EXPECT_EQ(to.memory.ring_bytes, 36u);
  EXPECT_EQ(to.kills.confirmed, 55u);
  EXPECT_EQ(to.kills.p50_ns, 56u);
  EXPECT_EQ(to.kills.p99_ns, 57u);
  EXPECT_EQ(to.kills.max_ns, 58u);
  EXPECT_EQ(to.kills.waiting, 59u);
  EXPECT_EQ(to.kills.unconfirmed, 60u);
  EXPECT_EQ(to.kills.not_followed, 61u);
  EXPECT_EQ(to.rules.epoch, 37u);
  EXPECT_EQ(to.rules.name, "s\xff");
  EXPECT_EQ(to.rules.revision, "r\xff");
  EXPECT_EQ(to.rules.mode, "monitor");
  EXPECT_EQ(to.rules.count, 38u);
  EXPECT_EQ(to.rules.alerts, 39u);
  EXPECT_EQ(to.rules.logged, 40u);
  EXPECT_EQ(to.rules.dropped, 41u);
  EXPECT_EQ(to.rules.suppressed, 42u);
  EXPECT_EQ(to.rules.judged_away, 43u);
  EXPECT_EQ(to.rules.marks_refused, 44u);
  EXPECT_EQ(to.rules.kernel_errors, 45u);
  EXPECT_EQ(to.rules.outdated, 46u);
  EXPECT_EQ(to.rules.file_roots, 52u);
  EXPECT_EQ(to.rules.file_roots_skipped, 53u);
  EXPECT_EQ(to.rules.files_no_room, 54u);
  EXPECT_EQ(to.rules.refused_unix_ns, -47);
  EXPECT_EQ(to.rules.refused_error, "e\xff");
  ASSERT_EQ(to.rules.rules.size(), 1u);
  EXPECT_EQ(to.rules.rules[0].name, "n\xff");
  EXPECT_EQ(to.rules.rules[0].hits, 48u);
  EXPECT_EQ(to.rules.rules[0].uncertain, 49u);
  EXPECT_EQ(to.rules.rules[0].suppressed, 50u);
  EXPECT_EQ(to.rules.rules_left_out, 51u);
}

TEST(ConvertTest, ProcessKeepsEveryMember) {
  const ProcessRow from = {.pid = 1,
                           .start_ns = 2,
                           .started_unix_ns = -3,
                           .parent_pid = 4,
                           .parent_start_ns = 5,
                           .name = "n\xff",
                           .binary = "b\xff",
                           .args = {"", std::string("\0\xff", 2)},
                           .args_cut = true,
                           .uid = 6,
                           .container_id = "c\xff",
                           .container_runtime = "docker",
                           .exited = true};
  v1::Process message;
  ToMessage(from, &message);
  v1::Process received;
  ASSERT_TRUE(received.ParseFromString(message.SerializeAsString()));
  const ProcessRow to = FromMessage(received);
  EXPECT_EQ(to.pid, 1u);
  EXPECT_EQ(to.start_ns, 2u);
  EXPECT_EQ(to.started_unix_ns, -3);
  EXPECT_EQ(to.parent_pid, 4u);
  EXPECT_EQ(to.parent_start_ns, 5u);
  EXPECT_EQ(to.name, from.name);
  EXPECT_EQ(to.binary, from.binary);
  EXPECT_EQ(to.args, from.args);
  EXPECT_TRUE(to.args_cut);
  EXPECT_EQ(to.uid, 6u);
  EXPECT_EQ(to.container_id, from.container_id);
  EXPECT_EQ(to.container_runtime, "docker");
  EXPECT_TRUE(to.exited);
}

}  // namespace
}  // namespace kentry
