// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "sensor/api/server.h"
#include "sensor/cli/commands.h"
#include "tests/unit/sensor/api/tsan.h"

namespace kentry {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome Kentry(std::vector<const char*> words, const Actions& actions = {}) {
  words.insert(words.begin(), "kentry");
  CaptureStdout();
  CaptureStderr();
  Outcome outcome;
  outcome.code = RunCli(static_cast<int>(words.size()), words.data(), actions);
  outcome.out = GetCapturedStdout();
  outcome.err = GetCapturedStderr();
  return outcome;
}

class EmptyState : public SensorState {
 public:
  SensorStatus Status() override { return {.version = "test"}; }
  absl::StatusOr<std::string> ReloadRules() override { return std::string("reloaded\n"); }
  absl::Status SetPaused(bool) override { return absl::OkStatus(); }
  absl::Status SetTrusted(const std::string&, bool) override { return absl::OkStatus(); }
  std::vector<ProcessRow> Processes(bool with_exited) override {
    return {{.pid = 1, .args = {with_exited ? "all" : "living"}}};
  }
};

TEST(CliTest, CommandsThatNeedTheKernelGetTheirOptionsAndGiveTheExitCode) {
  std::string called;
  const Actions actions = {.run =
                               [&called](const RunOptions& options) {
                                 called = "run " + options.output_file;
                                 return 4;
                               },
                           .probe =
                               [&called](const ProbeOptions& options) {
                                 called = options.quiet ? "probe quiet" : "probe";
                                 return 5;
                               },
                           .cleanup =
                               [&called](const CleanupOptions& options) {
                                 called = "cleanup " + options.socket_path;
                                 return 0;
                               }};
  EXPECT_EQ(Kentry({"run", "--output", "f"}, actions).code, 4);
  EXPECT_EQ(called, "run f");
  EXPECT_EQ(Kentry({"probe", "-q"}, actions).code, 5);
  EXPECT_EQ(called, "probe quiet");
  EXPECT_EQ(Kentry({"cleanup", "--socket", "s"}, actions).code, 0);
  EXPECT_EQ(called, "cleanup s");
}

TEST(CliTest, WrongUsageIsOneLineOnStandardErrorAndExitCode2) {
  const Outcome outcome = Kentry({"run", "--ouput"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "kentry run: unknown option \"--ouput\"; did you mean \"--output\"?\n");
}

TEST(CliTest, HelpGoesToStandardOutput) {
  const Outcome outcome = Kentry({});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.out, HasSubstr("Usage: kentry COMMAND"));
  EXPECT_EQ(outcome.err, "");
}

TEST(CliTest, NoDaemonIsExitCode3) {
  for (const char* command : {"status", "ps"}) {
    const Outcome outcome = Kentry({command, "--socket", "/nonexistent/s"});
    EXPECT_EQ(outcome.code, kExitNoDaemon);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err,
              "kentry: no kentry daemon answers on /nonexistent/s; start one with \"kentry "
              "run\"\n");
  }
}

TEST(CliTest, StatusAndPsAskTheDaemon) {
  KE_SKIP_GRPC_UNDER_TSAN();
  std::string directory = ::testing::TempDir() + "kentry-cli-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/s";
  EmptyState state;
  {
    const auto server = ApiServer::Start(path, &state);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_THAT(Kentry({"status", "--socket", path.c_str()}).out, HasSubstr("kentry test, pid 0"));
    EXPECT_THAT(Kentry({"status", "-o", "json", "--socket", path.c_str()}).out,
                HasSubstr("{\"version\":\"test\","));
    EXPECT_THAT(Kentry({"ps", "--socket", path.c_str()}).out, HasSubstr(" living\n"));
    EXPECT_THAT(Kentry({"ps", "--all", "--socket", path.c_str()}).out, HasSubstr(" all\n"));
    EXPECT_THAT(Kentry({"ps", "-o", "json", "--socket", path.c_str()}).out,
                HasSubstr("\"args\":[\"living\"]"));
  }
  std::filesystem::remove_all(directory);
}

TEST(CliTest, VersionNamesTheProgram) {
  EXPECT_EQ(Kentry({"version"}).out, "kentry " + std::string(Version()) + "\n");
  EXPECT_EQ(Kentry({"version", "-o", "json"}).out,
            "{\"version\":\"" + std::string(Version()) + "\"}\n");
  EXPECT_FALSE(Version().empty());
}

TEST(CliTest, FieldsNeedNoDaemon) {
  const Outcome outcome = Kentry({"fields", "process.exit"});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_THAT(outcome.out, HasSubstr("exit.code"));
}

TEST(CliTest, StatusCodesBecomeDocumentedExitCodes) {
  CaptureStderr();
  EXPECT_EQ(ReportError(absl::UnavailableError("a")), kExitNoDaemon);
  EXPECT_EQ(ReportError(absl::DeadlineExceededError("b")), kExitNoDaemon);
  EXPECT_EQ(ReportError(absl::AlreadyExistsError("c")), kExitOtherDaemon);
  EXPECT_EQ(ReportError(absl::UnimplementedError("d")), kExitKernel);
  EXPECT_EQ(ReportError(absl::PermissionDeniedError("e")), kExitFailed);
  EXPECT_EQ(GetCapturedStderr(), "kentry: a\nkentry: b\nkentry: c\nkentry: d\nkentry: e\n");
}

}  // namespace
}  // namespace kentry
