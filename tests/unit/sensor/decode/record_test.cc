// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/record.h"

#include <cstring>
#include <vector>

#include "bpf/abi/rules.h"
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

// A record with room for a path of 8 bytes and a row behind it.
template <typename T>
struct WithTail {
  T rec{};
  char path[8] = {'/', 'e', 't', 'c', '/', 'a', 'b', 'c'};
  ke_row row{};

  explicit WithTail(ke_type type) {
    const ke_hdr hdr = MakeHeader(type, sizeof(*this));
    std::memcpy(&rec, &hdr, sizeof(hdr));
  }
  static constexpr uint32_t kPath = sizeof(T);
  static constexpr uint32_t kRow = sizeof(T) + sizeof(path);
  static constexpr uint32_t kRowLen = sizeof(ke_row);
};
using FileOpen = WithTail<ke_file_open>;

TEST(RecordTest, FileOpenPassesWithAndWithoutItsSpans) {
  FileOpen open(KE_FILE_OPEN);
  EXPECT_EQ(CheckRecord(BytesOf(open).bytes()), RecordError::kNone);
  open.rec.path = {FileOpen::kPath, sizeof(open.path)};
  open.rec.clauses = {FileOpen::kRow, FileOpen::kRowLen};
  EXPECT_EQ(CheckRecord(BytesOf(open).bytes()), RecordError::kNone);
}

TEST(RecordTest, FileOpenWithoutItsWholeFixedPartIsShort) {
  const FileOpen open(KE_FILE_OPEN);
  std::vector<uint8_t> bytes(sizeof(ke_file_open) - 8);
  std::memcpy(bytes.data(), &open, bytes.size());
  const ke_hdr hdr = MakeHeader(KE_FILE_OPEN, bytes.size());
  std::memcpy(bytes.data(), &hdr, sizeof(hdr));
  EXPECT_EQ(CheckRecord(RecordBytes(bytes.data(), bytes.size()).bytes()), RecordError::kShort);
}

TEST(RecordTest, FileOpensPathMustLieBehindItsFixedPart) {
  FileOpen open(KE_FILE_OPEN);
  open.rec.path = {FileOpen::kPath - 1, 8};
  EXPECT_EQ(CheckRecord(BytesOf(open).bytes()), RecordError::kSpan);
  open.rec.path = {sizeof(open), 1};
  EXPECT_EQ(CheckRecord(BytesOf(open).bytes()), RecordError::kSpan);
  open.rec.path = {FileOpen::kPath, UINT32_MAX};
  EXPECT_EQ(CheckRecord(BytesOf(open).bytes()), RecordError::kSpan);
}

TEST(RecordTest, DeedsPassWithARowOfClausesBehindTheirFixedPart) {
  for (const ke_type type : {KE_PTRACE, KE_SIGNAL, KE_BPF}) {
    WithTail<ke_deed> deed(type);
    EXPECT_EQ(CheckRecord(BytesOf(deed).bytes()), RecordError::kNone);
    deed.rec.clauses = {deed.kRow, deed.kRowLen};
    EXPECT_EQ(CheckRecord(BytesOf(deed).bytes()), RecordError::kNone);
    deed.rec.clauses = {deed.kRow, deed.kRowLen - 8};
    EXPECT_EQ(CheckRecord(BytesOf(deed).bytes()), RecordError::kSpan);
    deed.rec.clauses = {sizeof(ke_deed) - 8, deed.kRowLen};
    EXPECT_EQ(CheckRecord(BytesOf(deed).bytes()), RecordError::kSpan);
    const ke_hdr hdr = MakeHeader(type, sizeof(ke_hdr));
    EXPECT_EQ(CheckRecord(BytesOf(hdr).bytes()), RecordError::kShort);
  }
}

TEST(RecordTest, ProcessRecordsPassWithARowOfClauses) {
  for (const ke_type type : {KE_EXEC, KE_EXISTING}) {
    WithTail<ke_process> process(type);
    process.rec.clauses = {process.kRow, process.kRowLen};
    EXPECT_EQ(CheckRecord(BytesOf(process).bytes()), RecordError::kNone);
  }
}

// Bad spans of clauses, their offsets counted from the end of the fixed part.
class ClausesTest : public testing::TestWithParam<ke_span> {
 protected:
  template <typename T>
  static RecordError Check(ke_type type) {
    WithTail<T> record(type);
    record.rec.clauses = GetParam();
    record.rec.clauses.off += sizeof(T);
    return CheckRecord(BytesOf(record).bytes());
  }
};

TEST_P(ClausesTest, OfAnExecAreRefused) {
  EXPECT_EQ(Check<ke_process>(KE_EXEC), RecordError::kSpan);
}

TEST_P(ClausesTest, OfAFileOpenAreRefused) {
  EXPECT_EQ(Check<ke_file_open>(KE_FILE_OPEN), RecordError::kSpan);
}

constexpr uint32_t kRowLen = sizeof(ke_row);
INSTANTIATE_TEST_SUITE_P(Record, ClausesTest,
                         testing::Values(ke_span{8, 8},                     // less than a row
                                         ke_span{8, kRowLen - 8},           // one word less
                                         ke_span{0, kRowLen + 8},           // more than a row
                                         ke_span{8, UINT32_MAX},            // far more
                                         ke_span{16, kRowLen},              // beyond the end
                                         ke_span{UINT32_MAX - 7, kRowLen},  // in the fixed part
                                         ke_span{1u << 31, kRowLen}));      // far off

}  // namespace
}  // namespace kentry
