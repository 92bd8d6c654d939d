// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "sensor/api/client.h"
#include "tests/unit/sensor/api/tsan.h"

namespace kentry {
namespace {

using ::testing::HasSubstr;

class FakeState : public SensorState {
 public:
  SensorStatus Status() override {
    ++calls;
    if (hold) released.WaitForNotification();
    return status;
  }
  absl::StatusOr<std::string> ReloadRules() override { return reload; }
  absl::Status SetPaused(bool) override { return absl::OkStatus(); }
  absl::Status SetTrusted(const std::string&, bool) override { return absl::OkStatus(); }
  std::vector<ProcessRow> Processes(bool with_exited) override {
    std::vector<ProcessRow> rows;
    for (const ProcessRow& row : processes) {
      if (with_exited || !row.exited) rows.push_back(row);
    }
    return rows;
  }

  SensorStatus status;
  std::vector<ProcessRow> processes;
  absl::StatusOr<std::string> reload = std::string("reloaded\n");
  bool hold = false;  // answers wait until released
  absl::Notification released;
  std::atomic<int> calls = 0;
};

class ApiServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    KE_SKIP_GRPC_UNDER_TSAN();
    std::string name = ::testing::TempDir() + "kentry-api-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/kentry.sock";
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void Start() {
    auto server = ApiServer::Start(path_, &state_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<ApiClient> Connect(absl::Duration timeout = absl::Seconds(20)) {
    auto client = ApiClient::Connect(path_, timeout);
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  FakeState state_;  // before the server: it is asked until the server is gone
  std::string directory_;
  std::string path_;
  std::unique_ptr<ApiServer> server_;
};

TEST_F(ApiServerTest, AnswersStatus) {
  state_.status.version = "0.1.0";
  state_.status.pid = 4711;
  state_.status.host = "host\xff";
  state_.status.classes = {{.name = "process.exec", .backend = "raw_tp", .attempted = UINT64_MAX}};
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto status = client->Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->version, "0.1.0");
  EXPECT_EQ(status->pid, 4711u);
  EXPECT_EQ(status->host, "host\xff");
  ASSERT_EQ(status->classes.size(), 1u);
  EXPECT_EQ(status->classes[0].attempted, UINT64_MAX);
}

TEST_F(ApiServerTest, ListsMoreProcessesThanOneMessageHoldsInOrderAndWithAnyBytes) {
  constexpr uint32_t kCount = 3000;
  const std::string hostile("\x00\xff\x1b[31m\n", 8);
  for (uint32_t pid = 1; pid <= kCount; ++pid) {
    state_.processes.push_back({.pid = pid,
                                .binary = "/bin/\xc3\x28",
                                .args = {hostile, std::string(200, 'a'), ""},
                                .exited = pid % 3 == 0});
  }
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto all = client->Processes(true);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), kCount);
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ((*all)[i].pid, i + 1);
  EXPECT_EQ(all->back().binary, "/bin/\xc3\x28");
  EXPECT_EQ(all->back().args, state_.processes.back().args);

  const auto living = client->Processes(false);
  ASSERT_TRUE(living.ok()) << living.status();
  EXPECT_EQ(living->size(), kCount - kCount / 3);
}

TEST_F(ApiServerTest, NoProcessesIsAnAnswer) {
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto rows = client->Processes(true);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_TRUE(rows->empty());
}

TEST_F(ApiServerTest, ReloadSaysWhatIsInForceNow) {
  state_.reload = std::string("12 rules, revision 0123\nwarning: a\xff\n");
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto report = client->ReloadRules();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(*report, "12 rules, revision 0123\nwarning: a\xff\n");
}

TEST_F(ApiServerTest, RefusedReloadSaysAllThatIsWrong) {
  const std::string wrong = "a.yaml:1:1: error: no\xff\n" + std::string(500'000, 'x') + "\n";
  state_.reload = absl::InvalidArgumentError(wrong);
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  const auto report = client->ReloadRules();
  EXPECT_TRUE(absl::IsInvalidArgument(report.status())) << report.status().code();
  EXPECT_TRUE(report.status().message() == wrong);
  EXPECT_TRUE(client->Status().ok());
}

TEST_F(ApiServerTest, SocketIsForItsOwnerOnlyAndGoesWithTheServer) {
  Start();
  struct stat info = {};
  ASSERT_EQ(lstat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFSOCK | 0600));
  server_.reset();
  EXPECT_NE(lstat(path_.c_str(), &info), 0);
}

TEST_F(ApiServerTest, SecondServerIsRefusedAndTheFirstStillAnswers) {
  Start();
  const auto second = ApiServer::Start(path_, &state_);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Status().ok());
}

TEST_F(ApiServerTest, ClientThatCameBeforeTheServerIsAnswered) {
  auto socket = ApiSocket::Claim(path_);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  auto server = ApiServer::Start(*std::move(socket), &state_);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto status = client->Status();
  EXPECT_TRUE(status.ok()) << status.status();
}

TEST_F(ApiServerTest, ManyClientsAtATimeAreAnswered) {
  state_.status.pid = 7;
  Start();
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, &answered] {
      const auto client = Connect();
      for (int call = 0; client != nullptr && call < 10; ++call) {
        const auto status = client->Status();
        if (status.ok() && status->pid == 7) ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 80);
}

TEST_F(ApiServerTest, SlowAnswerEndsAtTheClientsDeadline) {
  state_.hold = true;
  Start();
  const auto client = Connect(absl::Milliseconds(200));
  ASSERT_NE(client, nullptr);
  const auto status = client->Status();
  state_.released.Notify();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status.status())) << status.status();
  EXPECT_THAT(std::string(status.status().message()), HasSubstr("did not answer in 200ms"));
}

TEST_F(ApiServerTest, ServerThatStopsEndsTheConnectionNotTheClient) {
  Start();
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Status().ok());
  server_.reset();
  const auto status = client->Status();
  EXPECT_TRUE(absl::IsUnavailable(status.status())) << status.status();
  EXPECT_THAT(std::string(status.status().message()), HasSubstr("closed the connection"));
}

TEST_F(ApiServerTest, GarbageFromAClientHurtsNobodyElse) {
  Start();
  const auto raw = ConnectToDaemon(path_, absl::Seconds(5));
  ASSERT_TRUE(raw.ok()) << raw.status();
  const std::string garbage(4096, '\xee');
  ASSERT_EQ(write(*raw, garbage.data(), garbage.size()), static_cast<ssize_t>(garbage.size()));
  const auto client = Connect();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Status().ok());
  close(*raw);
}

TEST_F(ApiServerTest, SilentClientDoesNotHoldUpTheEnd) {
  Start();
  const auto raw = ConnectToDaemon(path_, absl::Seconds(5));
  ASSERT_TRUE(raw.ok()) << raw.status();
  const absl::Time before = absl::Now();
  server_.reset();
  EXPECT_LT(absl::Now() - before, absl::Seconds(5));
  close(*raw);
}

TEST_F(ApiServerTest, ServerThatNobodyAskedStops) {
  Start();
  server_.reset();
  Start();
  EXPECT_EQ(state_.calls, 0);
}

TEST(ApiClientTest, NoDaemonIsSaidInOneSentence) {
  const auto client = ApiClient::Connect("/nonexistent/kentry.sock", absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(client.status())) << client.status();
  EXPECT_EQ(std::string(client.status().message()),
            "no kentry daemon answers on /nonexistent/kentry.sock; start one with \"kentry run\"");
}

}  // namespace
}  // namespace kentry
