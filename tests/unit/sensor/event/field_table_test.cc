// SPDX-License-Identifier: Apache-2.0
#include "sensor/event/field_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kentry {
namespace {

TEST(FieldTableTest, RowsStandAtTheirIdsAndAreFoundByName) {
  int expected = 1;
  for (const FieldDef& field : Fields()) {
    EXPECT_EQ(static_cast<int>(field.id), expected++) << field.name;
    EXPECT_EQ(&GetField(field.id), &field);
    EXPECT_EQ(FindField(field.name), &field);
    EXPECT_EQ(std::string(field.group) + "." + std::string(field.key), field.name);
    EXPECT_FALSE(field.key.empty()) << field.name;
    EXPECT_EQ(field.key.find('.'), std::string_view::npos) << field.name;
  }
  EXPECT_EQ(expected, kFieldCount);
  EXPECT_EQ(FindField("process.nope"), nullptr);
  EXPECT_EQ(FindField(""), nullptr);
}

TEST(FieldTableTest, ClassesStandAtTheirIdsAndAreFoundByName) {
  int expected = 1;
  for (const ClassDef& cls : Classes()) {
    EXPECT_EQ(static_cast<int>(cls.id), expected++) << cls.name;
    EXPECT_EQ(&GetClass(cls.id), &cls);
    EXPECT_EQ(FindClass(cls.name), &cls);
  }
  EXPECT_EQ(expected, kEventClassCount);
  EXPECT_EQ(FindClass("process.nope"), nullptr);
}

TEST(FieldTableTest, EveryFieldBelongsToAClassAndSaysWhatItIs) {
  for (const FieldDef& field : Fields()) {
    EXPECT_NE(field.classes, 0u) << field.name;
    EXPECT_EQ(field.classes >> kEventClassCount, 0u) << field.name;
    EXPECT_FALSE(field.doc.empty()) << field.name;
    EXPECT_NE(TypeName(field.type), "?") << field.name;
  }
}

TEST(FieldTableTest, FieldsOfAClassAreThoseThatNameIt) {
  for (const ClassDef& cls : Classes()) {
    std::set<FieldId> ids;
    for (const FieldDef* field : FieldsOf(cls.id)) ids.insert(field->id);
    for (const FieldDef& field : Fields()) {
      const bool named = (field.classes >> static_cast<int>(cls.id) & 1) != 0;
      EXPECT_EQ(ids.contains(field.id), named) << cls.name << " " << field.name;
    }
  }
}

TEST(FieldTableTest, ValuesReadFromARecordHaveAPlaceOfTheirTypesSize) {
  for (const FieldDef& field : Fields()) {
    if (field.source == FieldSource::kDerived) {
      EXPECT_EQ(field.place.size, 0) << field.name;
      continue;
    }
    EXPECT_GT(field.place.size, 0) << field.name;
    const bool text = field.type == FieldType::kString || field.type == FieldType::kStringList;
    if (text) {
      EXPECT_TRUE(field.place.inline_text || field.place.size == sizeof(ke_span)) << field.name;
    } else {
      EXPECT_LE(field.place.size, sizeof(uint64_t)) << field.name;
    }
    EXPECT_EQ(field.type == FieldType::kBool, field.place.mask != 0) << field.name;
  }
}

}  // namespace
}  // namespace kentry
