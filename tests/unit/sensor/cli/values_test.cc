// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sensor/cli/options.h"

namespace kentry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename T>
std::string Error(const absl::StatusOr<T>& result) {
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
  return std::string(result.status().message());
}

TEST(ValuesTest, SizesTakeUnitsOf1024InAnyCase) {
  for (const auto& [text, bytes] :
       std::initializer_list<std::pair<const char*, uint64_t>>{{"0", 0},
                                                               {"65536", 65536},
                                                               {"64K", 65536},
                                                               {"64k", 65536},
                                                               {"64KB", 65536},
                                                               {"64KiB", 65536},
                                                               {"1MiB", 1 << 20},
                                                               {"4m", 4 << 20},
                                                               {"2G", uint64_t{2} << 30},
                                                               {"1t", uint64_t{1} << 40},
                                                               {"12b", 12}}) {
    const auto parsed = ParseSize(text, {});
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ValuesTest, WhatIsNoSizeIsRefused) {
  for (const char* text :
       {"", "K", "-1", "+1", "1.5M", "1 K", " 1", "64Q", "0x10", "1KK", "99999999999999999999"}) {
    EXPECT_THAT(Error(ParseSize(text, {})), HasSubstr("write one like 65536, 64K or 4MiB")) << text;
  }
}

TEST(ValuesTest, SizeOutsideItsBoundsNamesThem) {
  constexpr Bounds kBounds = {.min = 64 << 10, .max = 64 << 20};
  EXPECT_EQ(Error(ParseSize("65535", kBounds)), "\"65535\" is not between 64 KiB and 64 MiB");
  EXPECT_EQ(Error(ParseSize("65M", kBounds)), "\"65M\" is not between 64 KiB and 64 MiB");
  EXPECT_EQ(Error(ParseSize("18446744073709551615T", kBounds)),
            "\"18446744073709551615T\" is not between 64 KiB and 64 MiB");
  EXPECT_EQ(*ParseSize("64K", kBounds), kBounds.min);
  EXPECT_EQ(*ParseSize("64M", kBounds), kBounds.max);
}

TEST(ValuesTest, SizeTextUsesTheLargestWholeUnit) {
  EXPECT_EQ(SizeText(0), "0 bytes");
  EXPECT_EQ(SizeText(1000), "1000 bytes");
  EXPECT_EQ(SizeText(1024), "1 KiB");
  EXPECT_EQ(SizeText(1536 << 10), "1536 KiB");
  EXPECT_EQ(SizeText(uint64_t{4} << 30), "4 GiB");
}

TEST(ValuesTest, PowersOfTwoAreRoundedUp) {
  EXPECT_EQ(RoundUpToPowerOfTwo(65536), 65536u);
  EXPECT_EQ(RoundUpToPowerOfTwo(65537), 131072u);
}

TEST(ValuesTest, CountsAreWholeNumbersInBounds) {
  constexpr Bounds kBounds = {.min = 2, .max = 10};
  EXPECT_EQ(*ParseCount("2", kBounds), 2u);
  EXPECT_EQ(*ParseCount("10", kBounds), 10u);
  for (const char* text : {"", "1", "11", "3x", "-3", "1e1"}) {
    EXPECT_THAT(Error(ParseCount(text, kBounds)), HasSubstr("is not a number between 2 and 10"))
        << text;
  }
}

TEST(ValuesTest, DurationsTakeUnitsAndBareSeconds) {
  EXPECT_EQ(*ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("90s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("90"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("1.5"), absl::Milliseconds(1500));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  for (const char* text : {"", "0", "-5", "5 m", "5x", "inf", "8761h", "nan"}) {
    EXPECT_THAT(Error(ParseDuration(text)), HasSubstr("write one like 500ms, 90s, 5m or 1h30m"))
        << text;
  }
}

TEST(ValuesTest, ChoiceOutsideTheListNamesTheListAndTheNearest) {
  constexpr std::array<std::string_view, 2> kChoices = {"text", "json"};
  EXPECT_EQ(*ParseChoice("json", kChoices), 1u);
  EXPECT_EQ(Error(ParseChoice("jsno", kChoices)),
            "\"jsno\" is not one of text, json; did you mean \"json\"?");
  EXPECT_EQ(Error(ParseChoice("xml", kChoices)), "\"xml\" is not one of text, json");
  EXPECT_THAT(Error(ParseChoice("JSON", kChoices)), HasSubstr("not one of"));
}

TEST(ValuesTest, ClassesAreNamedSinglyOrByGroup) {
  EXPECT_EQ(*ParseClasses("process.exec"), ClassBit(EventClass::kProcessExec));
  EXPECT_EQ(*ParseClasses("process.exec,process.exit"),
            ClassBit(EventClass::kProcessExec) | ClassBit(EventClass::kProcessExit));
  EXPECT_EQ(*ParseClasses("cgroup.*"), ClassBit(EventClass::kCgroup));
  EXPECT_EQ(*ParseClasses("sensor.*"), kSensorClasses);
  EXPECT_EQ(*ParseClasses("all"), kAllClasses);
  EXPECT_EQ(*ParseClasses("process.*,cgroup.*,file.*,sensor.*"), kAllClasses);
}

TEST(ValuesTest, UnknownClassNamesTheNearestOrAll) {
  EXPECT_EQ(Error(ParseClasses("process.exec,proces.exit")),
            "unknown event class \"proces.exit\"; did you mean \"process.exit\"?");
  EXPECT_THAT(Error(ParseClasses("dns.query")), HasSubstr("classes are all, process.exec, "));
  EXPECT_THAT(Error(ParseClasses("")), HasSubstr("unknown event class \"\""));
  EXPECT_THAT(Error(ParseClasses("process.exec,")), HasSubstr("unknown event class \"\""));
  EXPECT_THAT(Error(ParseClasses("*")), HasSubstr("unknown event class \"*\""));
  EXPECT_THAT(Error(ParseClasses("proc.*")), HasSubstr("unknown event class \"proc.*\""));
}

TEST(ValuesTest, EnvNamesAreAddedUpOnce) {
  EXPECT_THAT(*ParseEnvNames({"A,B", "C", "A"}), ElementsAre("A", "B", "C"));
  EXPECT_THAT(*ParseEnvNames({"none"}), IsEmpty());
  EXPECT_THAT(Error(ParseEnvNames({"A", "none"})), HasSubstr("can't be combined"));
  EXPECT_THAT(Error(ParseEnvNames({"A=1"})), HasSubstr("without \"=\""));
  EXPECT_THAT(Error(ParseEnvNames({"A,,B"})), HasSubstr("is not the name of a variable"));
  EXPECT_THAT(Error(ParseEnvNames({std::string(256, 'x')})), HasSubstr("1 to 255 bytes"));
}

TEST(ValuesTest, SocketPathMustFitASocket) {
  EXPECT_EQ(*ParseSocketPath("/tmp/x"), "/tmp/x");
  EXPECT_TRUE(ParseSocketPath(std::string(107, 'x')).ok());
  EXPECT_THAT(Error(ParseSocketPath(std::string(108, 'x'))), HasSubstr("1 to 107"));
  EXPECT_THAT(Error(ParseSocketPath("")), HasSubstr("has 0 bytes"));
}

TEST(ValuesTest, ErrorsQuoteHostileTextHarmlessly) {
  const std::string hostile = "\x1b[2J\n\xff";
  for (const std::string& message :
       {Error(ParseSize(hostile, {})), Error(ParseCount(hostile, {})),
        Error(ParseDuration(hostile)), Error(ParseClasses(hostile)),
        Error(ParseEnvNames({hostile + "="})), Error(ParseChoice(hostile, {}))}) {
    EXPECT_THAT(message, HasSubstr("\\x1b[2J\\x0a\\xff"));
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace kentry
