// SPDX-License-Identifier: Apache-2.0
#include "bpf/abi/event.h"

#include "bpf/abi/maps.h"
#include "gtest/gtest.h"

namespace {

// Pinned rings outlive the program that filled them. A size that changes is a new version: raise
// KE_RECORD_VERSION, then the list.
TEST(AbiTest, SizesAreThoseOfVersionFour) {
  ASSERT_EQ(KE_RECORD_VERSION, 4);
  EXPECT_EQ(sizeof(ke_hdr), 32u);
  EXPECT_EQ(sizeof(ke_process), 328u);
  EXPECT_EQ(sizeof(ke_fork), 200u);
  EXPECT_EQ(sizeof(ke_exit), 120u);
  EXPECT_EQ(sizeof(ke_exec_failed), 1088u);
  EXPECT_EQ(sizeof(ke_cgroup), 56u);
  EXPECT_EQ(sizeof(ke_cgroup_move), 56u);
  EXPECT_EQ(sizeof(ke_file_open), 232u);
  EXPECT_EQ(sizeof(ke_file_change), 272u);
  EXPECT_EQ(sizeof(ke_deed), 240u);
  EXPECT_EQ(sizeof(ke_cpu_stats), 1280u);
}

TEST(AbiTest, TypesKeepTheirNumbers) {
  EXPECT_EQ(KE_EXEC, 1);
  EXPECT_EQ(KE_FORK, 2);
  EXPECT_EQ(KE_EXIT, 3);
  EXPECT_EQ(KE_EXEC_FAILED, 4);
  EXPECT_EQ(KE_CGROUP, 5);
  EXPECT_EQ(KE_CGROUP_MOVE, 6);
  EXPECT_EQ(KE_EXISTING, 7);
  EXPECT_EQ(KE_FILE_OPEN, 8);
  EXPECT_EQ(KE_FILE_UNLINK, 9);
  EXPECT_EQ(KE_FILE_MMAP_EXEC, 20);
  EXPECT_EQ(KE_FILE_UMOUNT, 22);
  EXPECT_EQ(KE_PTRACE, 23);
  EXPECT_EQ(KE_SIGNAL, 24);
  EXPECT_EQ(KE_BPF, 25);
  EXPECT_EQ(KE_EXEC_DENIED, 26);
}

}  // namespace
