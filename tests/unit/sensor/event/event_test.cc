// SPDX-License-Identifier: Apache-2.0
#include "sensor/event/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace kentry {
namespace {

using enum FieldId;
using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// The bytes of a small event, at an address that is a multiple of eight.
std::vector<uint64_t> SmallEvent() {
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.AddNumber(kProcessPid, 42);
  builder.AddText(kProcessBinary, "/bin/true");
  builder.AddNumber(kProcessUid, 7);
  const std::span<const uint8_t> bytes = builder.View().bytes();
  std::vector<uint64_t> words(bytes.size() / 8);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

std::span<uint8_t> Bytes(std::vector<uint64_t>& words) {
  return {reinterpret_cast<uint8_t*>(words.data()), words.size() * 8};
}

template <typename T>
void Poke(std::vector<uint64_t>& words, size_t at, T value) {
  std::memcpy(reinterpret_cast<uint8_t*>(words.data()) + at, &value, sizeof(value));
}

constexpr size_t kFirstField = sizeof(EventHeader);

TEST(EventTest, ValuesComeBackInOrder) {
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.AddNumber(kProcessPid, 42, kFieldCut);
  builder.AddText(kProcessBinary, "/bin/true");
  builder.AddText(kProcessName, "");
  builder.AddNumber(kProcessUid, UINT64_MAX);
  const EventView view = builder.View();
  EXPECT_EQ(view.cls(), EventClass::kProcessExec);
  std::vector<FieldId> ids;
  view.ForEach([&](const FieldDef& field, const FieldValue& value) {
    EXPECT_EQ(field.id, value.id);
    ids.push_back(value.id);
  });
  EXPECT_THAT(ids, ElementsAre(kProcessPid, kProcessBinary, kProcessName, kProcessUid));
  EXPECT_EQ(view.Number(kProcessPid), 42u);
  EXPECT_EQ(view.Find(kProcessPid)->flags, kFieldCut);
  EXPECT_EQ(view.Text(kProcessBinary), "/bin/true");
  EXPECT_TRUE(view.Find(kProcessName).has_value());
  EXPECT_EQ(view.Number(kProcessUid), UINT64_MAX);
}

TEST(EventTest, AbsentValuesHaveTheirDefaults) {
  std::vector<uint64_t> words = SmallEvent();
  const EventView view = EventView::Trusted(Bytes(words));
  EXPECT_FALSE(view.Find(kProcessTty).has_value());
  EXPECT_EQ(view.Number(kProcessGid, 99), 99u);
  EXPECT_EQ(view.Text(kProcessTty), "");
}

TEST(EventTest, BuilderStartsAnewEachTime) {
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.AddText(kProcessBinary, std::string(1000, 'x'));
  builder.Begin(EventClass::kProcessExit);
  builder.AddNumber(kProcessPid, 1);
  const EventView view = builder.View();
  EXPECT_EQ(view.header().field_count, 1);
  EXPECT_EQ(view.bytes().size(), view.header().size);
  EXPECT_FALSE(view.Find(kProcessBinary).has_value());
  EXPECT_TRUE(EventView::Parse(view.bytes()).ok());
}

TEST(EventTest, PaddingIsZero) {
  EventBuilder builder;
  builder.Begin(EventClass::kProcessExec);
  builder.AddText(kProcessBinary, std::string(64, '\xff'));
  builder.Begin(EventClass::kProcessExec);
  builder.AddText(kProcessBinary, "a");
  const std::span<const uint8_t> bytes = builder.View().bytes();
  for (size_t i = bytes.size() - 7; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], 0);
}

TEST(EventTest, ListsSplitAtEveryNul) {
  const auto split = [](std::string_view list) {
    std::vector<std::string> parts;
    ForEachString(list, [&](std::string_view part) { parts.emplace_back(part); });
    return parts;
  };
  EXPECT_THAT(split(""), ElementsAre());
  EXPECT_THAT(split("\0"sv), ElementsAre(""));
  EXPECT_THAT(split("a\0b\0"sv), ElementsAre("a", "b"));
  EXPECT_THAT(split("a\0\0b"sv), ElementsAre("a", "", "b"));
}

TEST(EventTest, ParseAcceptsWhatTheBuilderMakes) {
  std::vector<uint64_t> words = SmallEvent();
  const auto view = EventView::Parse(Bytes(words));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->Text(kProcessBinary), "/bin/true");
}

TEST(EventTest, ParseRefusesEveryCutLength) {
  std::vector<uint64_t> words = SmallEvent();
  const std::span<uint8_t> bytes = Bytes(words);
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::vector<uint64_t> cut = words;
    if (size >= 4) Poke(cut, 0, static_cast<uint32_t>(size));
    EXPECT_FALSE(EventView::Parse(Bytes(cut).first(size)).ok()) << size;
  }
}

TEST(EventTest, ParseNamesWhatIsWrong) {
  const auto message = [](std::vector<uint64_t> words) {
    return std::string(EventView::Parse(Bytes(words)).status().message());
  };
  std::vector<uint64_t> words = SmallEvent();
  Poke(words, 0, uint32_t{8});
  EXPECT_THAT(message(words), HasSubstr("event says 8 bytes"));
  words = SmallEvent();
  Poke(words, 4, uint16_t{kEventClassCount});
  EXPECT_THAT(message(words), HasSubstr("unknown class"));
  words = SmallEvent();
  Poke(words, 4, uint16_t{0});
  EXPECT_THAT(message(words), HasSubstr("unknown class 0"));
  words = SmallEvent();
  Poke(words, kFirstField, static_cast<uint16_t>(kFieldCount));
  EXPECT_THAT(message(words), HasSubstr("field id"));
  words = SmallEvent();
  Poke(words, kFirstField, static_cast<uint16_t>(kProcessUid));
  EXPECT_FALSE(EventView::Parse(Bytes(words)).ok()) << "the next id is not larger";
  words = SmallEvent();
  Poke(words, kFirstField + 4, uint32_t{4});
  EXPECT_THAT(message(words), HasSubstr("number 0 of 4 bytes"));
  words = SmallEvent();
  Poke(words, kFirstField + 16 + 4, uint32_t{0xfffffff9});
  EXPECT_THAT(message(words), HasSubstr("longer than its event"));
  words = SmallEvent();
  Poke(words, 6, uint16_t{2});
  EXPECT_THAT(message(words), HasSubstr("behind its values"));
  words = SmallEvent();
  Poke(words, 6, uint16_t{4});
  EXPECT_THAT(message(words), HasSubstr("ends in the header"));
}

}  // namespace
}  // namespace kentry
