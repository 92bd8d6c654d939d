// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/values.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sensor/cli/options.h"
#include "sensor/cli/printable.h"
#include "sensor/util/status.h"
#include "sensor/util/suggest.h"

namespace kentry {
namespace {

struct Unit {
  std::string_view name;  // lower case
  uint64_t bytes;
};

constexpr std::array<Unit, 12> kUnits = {{{"", 1},
                                          {"b", 1},
                                          {"k", 1 << 10},
                                          {"kb", 1 << 10},
                                          {"kib", 1 << 10},
                                          {"m", 1 << 20},
                                          {"mb", 1 << 20},
                                          {"mib", 1 << 20},
                                          {"g", 1 << 30},
                                          {"gb", 1 << 30},
                                          {"gib", 1 << 30},
                                          {"t", uint64_t{1} << 40}}};

constexpr absl::Duration kLongestDuration = absl::Hours(365 * 24);
constexpr size_t kLongestEnvName = 255;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// The number at the start of `text`, which is moved behind it. False without one or when it
// doesn't fit.
bool TakeNumber(std::string_view* text, uint64_t* number) {
  const char* const end = text->data() + text->size();
  const auto [behind, error] = std::from_chars(text->data(), end, *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(behind - text->data()));
  return true;
}

std::vector<std::string_view> Split(std::string_view list) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t comma = list.find(',');
    parts.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

// Bits of one element of a class list, 0 for an unknown one.
ClassMask ClassesNamed(std::string_view name) {
  if (name == "all") return kAllClasses;
  if (name.ends_with(".*")) {
    const std::string_view group = name.substr(0, name.size() - 1);
    ClassMask bits = 0;
    for (const ClassDef& cls : Classes()) {
      if (cls.name.starts_with(group)) bits |= ClassBit(cls.id);
    }
    return bits;
  }
  const ClassDef* const cls = FindClass(name);
  return cls == nullptr ? 0 : ClassBit(cls->id);
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(std::string_view text, Bounds bounds) {
  std::string_view rest = text;
  uint64_t number = 0;
  const bool is_number = TakeNumber(&rest, &number);
  const std::string suffix = Lower(rest);
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&suffix](const Unit& u) { return u.name == suffix; });
  if (!is_number || unit == kUnits.end()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not a size; write one like 65536, 64K or 4MiB", Printable(text)));
  }
  if (number > bounds.max / unit->bytes || number * unit->bytes < bounds.min) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not between {} and {}",
                                                  Printable(text), SizeText(bounds.min),
                                                  SizeText(bounds.max)));
  }
  return number * unit->bytes;
}

std::string SizeText(uint64_t bytes) {
  constexpr std::array<std::string_view, 4> kNames = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  while (unit + 1 < kNames.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", bytes, kNames[unit]);
}

uint64_t RoundUpToPowerOfTwo(uint64_t bytes) { return std::bit_ceil(bytes); }

absl::StatusOr<uint64_t> ParseCount(std::string_view text, Bounds bounds) {
  std::string_view rest = text;
  uint64_t number = 0;
  if (!TakeNumber(&rest, &number) || !rest.empty() || number < bounds.min || number > bounds.max) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not a number between {} and {}",
                                                  Printable(text), bounds.min, bounds.max));
  }
  return number;
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  std::string with_unit(text);
  if (!text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos) {
    with_unit += 's';
  }
  absl::Duration duration;
  if (!absl::ParseDuration(with_unit, &duration) || duration <= absl::ZeroDuration() ||
      duration > kLongestDuration) {
    return absl::InvalidArgumentError(fmt::format(
        "\"{}\" is not a duration; write one like 500ms, 90s, 5m or 1h30m, at most 8760h",
        Printable(text)));
  }
  return duration;
}

absl::StatusOr<size_t> ParseChoice(std::string_view text,
                                   std::span<const std::string_view> choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  return absl::InvalidArgumentError(fmt::format("\"{}\" is not one of {}{}", Printable(text),
                                                fmt::join(choices, ", "),
                                                DidYouMean(text, choices)));
}

absl::StatusOr<ClassMask> ParseClasses(std::string_view list) {
  ClassMask classes = 0;
  for (const std::string_view name : Split(list)) {
    const ClassMask bits = ClassesNamed(name);
    classes |= bits;
    if (bits != 0) continue;
    std::vector<std::string_view> names = {"all"};
    for (const ClassDef& cls : Classes()) names.push_back(cls.name);
    const std::string nearest = DidYouMean(name, names);
    return absl::InvalidArgumentError(fmt::format(
        "unknown event class \"{}\"{}", Printable(name),
        nearest.empty()
            ? fmt::format("; classes are {}, or a group like process.*", fmt::join(names, ", "))
            : nearest));
  }
  return classes;
}

absl::StatusOr<std::vector<std::string>> ParseEnvNames(const std::vector<std::string>& names) {
  if (names.size() == 1 && names[0] == "none") return std::vector<std::string>();
  std::vector<std::string> all;
  for (const std::string& list : names) {
    for (const std::string_view name : Split(list)) {
      if (name == "none") {
        return absl::InvalidArgumentError("\"none\" can't be combined with names");
      }
      if (name.empty() || name.size() > kLongestEnvName || name.find('=') != name.npos) {
        return absl::InvalidArgumentError(fmt::format(
            "\"{}\" is not the name of a variable: 1 to {} bytes without \"=\", or none for none",
            Printable(name.substr(0, 80)), kLongestEnvName));
      }
      if (std::find(all.begin(), all.end(), name) == all.end()) all.emplace_back(name);
    }
  }
  return all;
}

absl::StatusOr<std::string> ParseSocketPath(std::string_view text) {
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (text.empty() || text.size() > kLongest) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" has {} bytes; the path of a socket has 1 to {}",
                    Printable(text.substr(0, 120)), text.size(), kLongest));
  }
  return std::string(text);
}

}  // namespace kentry
