// SPDX-License-Identifier: Apache-2.0
#include "rules/match/event_fields.h"

#include <gtest/gtest.h>

#include "tests/unit/rules/match/build.h"

namespace kentry {
namespace {

using namespace match_test;
using enum FieldId;

TEST(EventFieldsTest, ValuesAreFoundById) {
  const Event event({{kProcessPid, Number(7)}, {kFilePath, Text("/a")}});
  const EventFields& fields = event.fields();
  EXPECT_EQ(fields.cls(), EventClass::kFileOpen);
  EXPECT_EQ(fields.Get(kProcessPid)->number, 7u);
  EXPECT_EQ(fields.Get(kFilePath)->text, "/a");
  EXPECT_EQ(fields.Get(kProcessBinary), nullptr);
  for (const FieldDef& field : Fields()) EXPECT_FALSE(fields.IsUnknown(field.id)) << field.name;
}

TEST(EventFieldsTest, NothingOfTheEventBeforeIsLeft) {
  EventFields fields;
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.AddText(kProcessBinary, "/bin/a", kFieldCut);
  builder.AddNumber(kProcessUnknown, 1);
  builder.AddNumber(kCgroupUnknown, 1);
  fields.Assign(builder.View());
  EXPECT_TRUE(fields.IsUnknown(kProcessBinary));
  EXPECT_TRUE(fields.IsUnknown(kContainerId));
  builder.Begin(EventClass::kFileOpen);
  fields.Assign(builder.View());
  for (const FieldDef& field : Fields()) {
    EXPECT_EQ(fields.Get(field.id), nullptr) << field.name;
    EXPECT_FALSE(fields.IsUnknown(field.id)) << field.name;
  }
}

TEST(EventFieldsTest, CutValueIsUnknown) {
  const Event event({{kProcessBinary, Text("bin/a", kFieldCut)}, {kProcessName, Text("a")}});
  EXPECT_TRUE(event.fields().IsUnknown(kProcessBinary));
  EXPECT_FALSE(event.fields().IsUnknown(kProcessName));
}

TEST(EventFieldsTest, UnknownProcessHidesItsImageOnly) {
  const Event event({{kProcessPid, Number(7)}, {kProcessUnknown, Number(1)}});
  for (const FieldId id : {kProcessBinary, kProcessArgs, kProcessUid, kProcessMarks,
                           kProcessInContainer, kProcessEarlier}) {
    EXPECT_TRUE(event.fields().IsUnknown(id)) << GetField(id).name;
  }
  for (const FieldId id : {kProcessPid, kProcessStart, kProcessUnknown, kParentBinary, kFilePath,
                           kContainerId, kCgroupId}) {
    EXPECT_FALSE(event.fields().IsUnknown(id)) << GetField(id).name;
  }
}

TEST(EventFieldsTest, ParentWithoutRecordHidesItsBinary) {
  EXPECT_TRUE(Event({{kParentPid, Number(5)}}).fields().IsUnknown(kParentBinary));
  EXPECT_FALSE(Event({{kParentPid, Number(5)}}).fields().IsUnknown(kParentPid));
  EXPECT_FALSE(Event({{kParentPid, Number(0)}}).fields().IsUnknown(kParentBinary));
  EXPECT_FALSE(Event({{kParentPid, Number(5)}, {kParentBinary, Text("/a")}})
                   .fields()
                   .IsUnknown(kParentBinary));
}

TEST(EventFieldsTest, UnknownCgroupHidesWhatComesFromItsPath) {
  const Event event({{kCgroupId, Number(9)}, {kCgroupUnknown, Number(1)}});
  for (const FieldId id : {kContainerId, kContainerRuntime, kContainerPodUid, kPodName,
                           kPodNamespace, kCgroupPath, kProcessInContainer}) {
    EXPECT_TRUE(event.fields().IsUnknown(id)) << GetField(id).name;
  }
  for (const FieldId id : {kCgroupId, kCgroupUnknown, kProcessBinary, kParentBinary}) {
    EXPECT_FALSE(event.fields().IsUnknown(id)) << GetField(id).name;
  }
}

TEST(EventFieldsTest, ImageFieldsAreThoseOfTheExec) {
  EXPECT_TRUE(IsImageField(kProcessBinary));
  EXPECT_TRUE(IsImageField(kProcessInContainer));
  EXPECT_FALSE(IsImageField(kProcessPid));
  EXPECT_FALSE(IsImageField(kProcessUnknown));
  EXPECT_FALSE(IsImageField(kFilePath));
}

}  // namespace
}  // namespace kentry
