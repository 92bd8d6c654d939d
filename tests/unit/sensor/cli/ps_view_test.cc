// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/ps_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace kentry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Processes of these tests start at ten times their pid.
ProcessRow Row(uint32_t pid, uint32_t parent, std::vector<std::string> args) {
  return {.pid = pid,
          .start_ns = pid * 10u,
          .parent_pid = parent,
          .parent_start_ns = parent * 10u,
          .args = std::move(args)};
}

std::vector<uint32_t> Pids(const std::vector<ProcessRow>& rows) {
  std::vector<uint32_t> pids;
  for (const TreeLine& line : LayOutTree(rows)) pids.push_back(rows[line.row].pid);
  return pids;
}

TEST(PsViewTest, DrawsTheTreeInUnicode) {
  const std::vector<ProcessRow> rows = {Row(1, 0, {"init"}), Row(5, 3, {"ls", "-l"}),
                                        Row(3, 1, {"sh"}), Row(4, 1, {"cron"}), Row(6, 3, {"cat"})};
  EXPECT_EQ(RenderPsText(rows, {}),
            "    PID     UID CONTAINER    COMMAND\n"
            "      1       0 -            init\n"
            "      3       0 -            ├─ sh\n"
            "      5       0 -            │  ├─ ls -l\n"
            "      6       0 -            │  └─ cat\n"
            "      4       0 -            └─ cron\n");
}

TEST(PsViewTest, DrawsTheTreeInAscii) {
  const std::vector<ProcessRow> rows = {Row(1, 0, {"init"}), Row(2, 1, {"a"}), Row(3, 2, {"b"}),
                                        Row(4, 1, {"c"})};
  EXPECT_EQ(RenderPsText(rows, {.ascii = true}),
            "    PID     UID CONTAINER    COMMAND\n"
            "      1       0 -            init\n"
            "      2       0 -            |- a\n"
            "      3       0 -            |  `- b\n"
            "      4       0 -            `- c\n");
}

TEST(PsViewTest, ShowsContainerUserAndEnd) {
  ProcessRow row = Row(70000, 0, {"nginx"});
  row.uid = 101;
  row.container_id = "0123456789abcdef0123456789abcdef";
  row.exited = true;
  row.args_cut = true;
  EXPECT_THAT(RenderPsText(std::vector{row}, {}),
              HasSubstr("  70000     101 0123456789ab (ended) nginx ...\n"));
}

TEST(PsViewTest, FallsBackToBinaryThenName) {
  ProcessRow binary = Row(1, 0, {});
  binary.binary = "/bin/x";
  ProcessRow thread = Row(2, 0, {});
  thread.name = "kworker/0:1";
  const std::vector<ProcessRow> rows = {binary, thread, Row(3, 0, {})};
  const std::string text = RenderPsText(rows, {});
  EXPECT_THAT(text, HasSubstr("- "
                              "           /bin/x\n"));
  EXPECT_THAT(text, HasSubstr("[kworker/0:1]\n"));
  EXPECT_THAT(text, HasSubstr("[?]\n"));
}

TEST(PsViewTest, OrphansStartTreesOfTheirOwn) {
  EXPECT_THAT(Pids({Row(9, 8, {}), Row(2, 1, {}), Row(3, 2, {})}), ElementsAre(2, 3, 9));
}

TEST(PsViewTest, ParentIsMatchedByStartTimeToo) {
  ProcessRow child = Row(7, 5, {});
  child.parent_start_ns = 49;  // an older process of pid 5
  EXPECT_THAT(Pids({child, Row(5, 0, {}), Row(6, 5, {})}), ElementsAre(5, 6, 7));
  EXPECT_TRUE(LayOutTree(std::vector{Row(5, 0, {}), child})[1].more_below.empty());
}

TEST(PsViewTest, CyclesShowEachProcessOnce) {
  EXPECT_THAT(Pids({Row(1, 1, {})}), ElementsAre(1));
  EXPECT_THAT(Pids({Row(2, 3, {}), Row(3, 2, {}), Row(4, 3, {}), Row(1, 0, {})}),
              ElementsAre(1, 2, 3, 4));
}

TEST(PsViewTest, DoubledRowsAreShownTwice) {
  EXPECT_THAT(Pids({Row(1, 0, {}), Row(1, 0, {}), Row(2, 1, {})}), ElementsAre(1, 2, 1));
}

TEST(PsViewTest, DeepChainStaysSmall) {
  constexpr uint32_t kDepth = 30000;
  std::vector<ProcessRow> rows;
  for (uint32_t pid = 1; pid <= kDepth; ++pid) rows.push_back(Row(pid, pid - 1, {"x"}));
  const std::string text = RenderPsText(rows, {});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kDepth + 1);
  EXPECT_LT(text.size(), kDepth * 160u);
}

TEST(PsViewTest, HostileBytesNeitherBreakLinesNorReachTheTerminal) {
  ProcessRow row = Row(1, 0, {"a\nb", "\x1b]0;x\x07", "\xff", "\u202e", "\\x41"});
  row.container_id = "\x1b[2J";
  const std::string text = RenderPsText(std::vector{row}, {});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr("'a\\x0ab' \\x1b]0;x\\x07 \\xff \\u{202e} \\\\x41\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(PsViewTest, CutsLinesToTheTerminal) {
  const std::vector<ProcessRow> rows = {Row(1, 0, {std::string(100, 'x')})};
  const std::string text = RenderPsText(rows, {.ascii = false, .columns = 40});
  EXPECT_THAT(text, HasSubstr("      1       0 -            xxxxxxxxxx…\n"));
  EXPECT_THAT(RenderPsText(rows, {.ascii = true, .columns = 40}), HasSubstr("xxxxxxxxxx~\n"));
}

TEST(PsViewTest, EmptyTableIsAHeading) {
  EXPECT_EQ(RenderPsText({}, {}), "    PID     UID CONTAINER    COMMAND\n");
  EXPECT_EQ(RenderPsJson({}), "");
}

TEST(PsViewTest, JsonIsOneLineAProcessAndLosesNoByte) {
  ProcessRow row = {.pid = 2,
                    .start_ns = 20,
                    .started_unix_ns = 30,
                    .parent_pid = 1,
                    .parent_start_ns = 10,
                    .name = "x",
                    .binary = "/bin/\xff",
                    .args = {"a\n", "\xff", ""},
                    .args_cut = true,
                    .uid = 5,
                    .container_id = "c",
                    .container_runtime = "docker",
                    .exited = true};
  EXPECT_EQ(RenderPsJson(std::vector{row, Row(9, 0, {})}),
            "{\"pid\":2,\"start_ns\":20,\"started_unix_ns\":30,\"parent_pid\":1,"
            "\"parent_start_ns\":10,\"uid\":5,\"name\":\"x\",\"binary\":\"/bin/\xef\xbf\xbd\","
            "\"binary_b64\":\"L2Jpbi//\",\"args\":[\"a\\n\",\"\xef\xbf\xbd\",\"\"],"
            "\"args_b64\":{\"1\":\"/w==\"},\"args_cut\":true,\"container_id\":\"c\","
            "\"container_runtime\":\"docker\",\"exited\":true}\n"
            "{\"pid\":9,\"start_ns\":90,\"started_unix_ns\":0,\"parent_pid\":0,"
            "\"parent_start_ns\":0,\"uid\":0}\n");
}

}  // namespace
}  // namespace kentry
