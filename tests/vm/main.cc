// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "gtest/gtest.h"
#include "tests/vm/live_sensor.h"

namespace {

// What belongs to no test: the shared sensor must be gone before static objects are.
class Environment : public ::testing::Environment {
 public:
  void SetUp() override {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    const rlimit no_core{0, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &no_core);
  }
  void TearDown() override { kentry::vm::LiveSensor::StopShared(); }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Environment);
  return RUN_ALL_TESTS();
}
