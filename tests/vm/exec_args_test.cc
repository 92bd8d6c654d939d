// SPDX-License-Identifier: Apache-2.0
// process.exec: arguments and environment, as hostile as execve lets them be.
#include <sys/resource.h>

#include <array>

#include "fmt/format.h"
#include "tests/vm/live_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;
using ExecArgsTest = SensorTest;

constexpr size_t kRecordMax = 24 * 1024;

size_t BytesOf(const std::vector<std::string>& strings) {
  size_t bytes = 0;
  for (const std::string& string : strings) bytes += string.size() + 1;
  return bytes;
}

TEST_F(ExecArgsTest, NoArgumentAtAll) {
  ProcFacts facts;
  const Seen exec = RunProgram({.args = {}}, {}, &facts);
  // Kernels since 2022 put an empty argv[0] where there is none.
  const uint64_t count = facts.cmdline.size();
  EXPECT_LE(count, 1u);
  EXPECT_EQ(exec.Number(kProcessArgc), count);
  EXPECT_EQ(exec.Number(kProcessArgsLen), count);
  EXPECT_FALSE(exec.Cut(kProcessArgs));
}

TEST_F(ExecArgsTest, OneThousandArguments) {
  std::vector<std::string> args;
  for (int i = 0; i < 1000; ++i) args.push_back(fmt::format("argument-{}", i));
  const Seen exec = RunProgram({.args = args});
  EXPECT_EQ(exec.List(kProcessArgs), args);
  EXPECT_EQ(exec.Number(kProcessArgc), 1000u);
  EXPECT_EQ(exec.Number(kProcessArgsLen), BytesOf(args));
  EXPECT_FALSE(exec.Cut(kProcessArgs));
}

TEST_F(ExecArgsTest, EmptyArgumentsKeepTheirPlaces) {
  const std::vector<std::string> args = {"", "", "x", ""};
  const Seen exec = RunProgram({.args = args});
  EXPECT_EQ(exec.List(kProcessArgs), args);
  EXPECT_EQ(exec.Number(kProcessArgc), 4u);
}

TEST_F(ExecArgsTest, TwoMebibytesAreCutFlaggedAndCounted) {
  std::vector<std::string> args = {"hold"};
  for (char c = 'a'; c < 'a' + 16; ++c) args.push_back(std::string(128 * 1024 - 1, c));
  const Seen exec = RunProgram({.args = args}, [] {
    const rlimit stack{64u << 20, RLIM_INFINITY};  // a quarter of it is the bound of argv
    Must(setrlimit(RLIMIT_STACK, &stack), "setrlimit");
  });
  EXPECT_TRUE(exec.Cut(kProcessArgs));
  EXPECT_EQ(exec.Number(kProcessArgc), 17u);
  EXPECT_EQ(exec.Number(kProcessArgsLen), BytesOf(args));
  EXPECT_EQ(exec.Text(kProcessArgs), std::string("hold\0", 5) + std::string(kRecordMax - 5, 'a'));
}

TEST_F(ExecArgsTest, ExactlyAsMuchAsTheRecordHoldsIsNotCut) {
  for (const size_t more : {0u, 1u}) {
    const std::vector<std::string> args = {"hold", std::string(kRecordMax - 6 + more, 'z')};
    ASSERT_EQ(BytesOf(args), kRecordMax + more);
    const Seen exec = RunProgram({.args = args});
    EXPECT_EQ(exec.Cut(kProcessArgs), more == 1);
    EXPECT_EQ(exec.Text(kProcessArgs).size(), kRecordMax);
  }
}

TEST_F(ExecArgsTest, BytesThatAreNoText) {
  std::string all_bytes;
  for (int byte = 1; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  const std::vector<std::string> args = {"line\nbreak\r\n", "\x1b[2J\x1b]0;title\x07",
                                         "\xff\xfe\xc0\x80", "\xed\xa0\x80", all_bytes};
  const Seen exec = RunProgram({.args = args});
  EXPECT_EQ(exec.List(kProcessArgs), args);
}

TEST_F(ExecArgsTest, ArgumentsLookingLikeEnvironmentStayArguments) {
  const Seen exec = RunProgram({.args = {"hold", "LD_PRELOAD=/not/env"}, .env = {"HOME=/"}});
  EXPECT_FALSE(exec.Has(kProcessEnv));
}

TEST_F(ExecArgsTest, OnlyTheVariablesThatWereAskedForLeaveTheKernel) {
  const Seen exec = RunProgram(
      {.env = {"SECRET=hunter2", "LD_PRELOAD=/tmp/evil.so", "LD_PRELOADED=no", "PATH=/bin"}});
  EXPECT_EQ(exec.List(kProcessEnv), std::vector<std::string>{"LD_PRELOAD=/tmp/evil.so"});
  EXPECT_FALSE(exec.Is(kProcessEnvCut));
}

TEST_F(ExecArgsTest, VariableBehindTooLargeAnEnvironmentIsSaidToBeUnsearched) {
  const Seen exec =
      RunProgram({.env = {"BIG=" + std::string(5000, 'x'), "LD_PRELOAD=/tmp/evil.so"}});
  EXPECT_TRUE(exec.Is(kProcessEnvCut));
  EXPECT_FALSE(exec.Has(kProcessEnv));
}

}  // namespace
}  // namespace kentry::vm
