// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/record.h"

#include "gtest/gtest.h"
#include "tests/unit/support/records.h"

namespace kentry {
namespace {

TEST(RecordTest, WholeRecordsOfEveryTypePass) {
  EXPECT_EQ(CheckRecord(MakeProcess(KE_EXEC, {}, {}).bytes()), RecordError::kNone);
  EXPECT_EQ(CheckRecord(MakeProcess(KE_EXISTING, {}, {}).bytes()), RecordError::kNone);
  EXPECT_EQ(CheckRecord(BytesOf(MakeFork(2, 20, 1, 10)).bytes()), RecordError::kNone);
  EXPECT_EQ(CheckRecord(BytesOf(MakeExit(2, 20, 30)).bytes()), RecordError::kNone);
}

TEST(RecordTest, ShorterThanAHeaderIsShort) {
  const uint64_t word = 0;
  EXPECT_EQ(CheckRecord({reinterpret_cast<const uint8_t*>(&word), sizeof(word)}),
            RecordError::kShort);
}

TEST(RecordTest, ShorterThanItsTypeIsShort) {
  const ke_hdr hdr = MakeHeader(KE_EXIT, sizeof(ke_hdr));
  EXPECT_EQ(CheckRecord(BytesOf(hdr).bytes()), RecordError::kShort);
}

TEST(RecordTest, SizeInHeaderMustBeTheRecords) {
  ke_exit rec = MakeExit(2, 20, 30);
  rec.hdr.size += 8;
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kSize);
}

TEST(RecordTest, UnknownTypeAndVersionAreRefused) {
  ke_exit rec = MakeExit(2, 20, 30);
  rec.hdr.type = KE_TYPE_MAX;
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kType);
  rec.hdr.type = KE_EXIT;
  rec.hdr.version = KE_RECORD_VERSION + 1;
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kVersion);
}

class SpanTest : public testing::TestWithParam<ke_span> {};

TEST_P(SpanTest, OutsideOfTheRecordIsRefused) {
  ke_process rec{};
  rec.hdr = MakeHeader(KE_EXEC, sizeof(rec));
  rec.args = GetParam();
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kSpan);
}

INSTANTIATE_TEST_SUITE_P(Record, SpanTest,
                         testing::Values(ke_span{sizeof(ke_process), 1},  // behind the end
                                         ke_span{0, 8},                   // in the fixed part
                                         ke_span{UINT32_MAX, 8},          // far off
                                         ke_span{sizeof(ke_process), UINT32_MAX},
                                         ke_span{UINT32_MAX - 3, 8}));  // sum wraps around

TEST(RecordTest, FailedExecsPathMustFit) {
  ke_exec_failed rec{};
  rec.hdr = MakeHeader(KE_EXEC_FAILED, sizeof(rec));
  rec.path_len = KE_FAILED_PATH_MAX;
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kSpan);
  rec.path_len = KE_FAILED_PATH_MAX - 1;
  EXPECT_EQ(CheckRecord(BytesOf(rec).bytes()), RecordError::kNone);
}

}  // namespace
}  // namespace kentry
