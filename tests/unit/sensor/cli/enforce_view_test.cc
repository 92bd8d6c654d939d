// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/enforce_view.h"

#include "gtest/gtest.h"

namespace kentry {
namespace {

EnforceState Pinned() {
  return {.pinned = true,
          .epoch = 3,
          .rule_set = "mine",
          .revision = "abc",
          .mode = "enforce",
          .rules = 2,
          .generations = 1,
          .trusted = {"/usr/bin/dpkg", "/opt/a\033[2Jb"}};
}

TEST(EnforceViewTest, SaysThatPinnedRulesActWithoutADaemon) {
  EXPECT_EQ(RenderEnforceText(Pinned()),
            "enforcing  yes\n"
            "rule set   mine: 2 rules, enforce, revision abc, epoch 3\n"
            "daemon     none: events wait in the rings\n"
            "pinned     yes: stays when the daemon ends\n"
            "trusted    /usr/bin/dpkg\n"
            "trusted    /opt/a\\x1b[2Jb\n");
  EXPECT_EQ(RenderEnforceJson(Pinned()),
            "{\"enforcing\":true,\"paused\":false,\"pinned\":true,\"daemon_pid\":0,\"epoch\":3,"
            "\"rule_set\":\"mine\",\"revision\":\"abc\",\"mode\":\"enforce\",\"rules\":2,"
            "\"generations\":1,\"trusted\":[\"/usr/bin/dpkg\",\"/opt/a\\u001b[2Jb\"]}\n");
}

TEST(EnforceViewTest, APauseAndTheMonitorModeDoNotEnforce) {
  EnforceState paused = Pinned();
  paused.paused = true;
  EXPECT_NE(RenderEnforceText(paused).find("enforcing  no: paused"), std::string::npos);
  EXPECT_NE(RenderEnforceJson(paused).find("\"enforcing\":false"), std::string::npos);
  EnforceState monitor = Pinned();
  monitor.mode = "monitor";
  EXPECT_NE(RenderEnforceText(monitor).find("enforcing  no: mode monitor"), std::string::npos);
}

}  // namespace
}  // namespace kentry
