// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/duration.h"

#include <cstddef>
#include <iterator>
#include <string_view>

#include "exporters/encode/number.h"

namespace kentry {

void WriteDuration(uint64_t ns, Line& line) {
  struct Unit {
    uint64_t ns;
    std::string_view name;
  };
  constexpr Unit kShort[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}};
  constexpr Unit kLong[] = {{86'400'000'000'000, "d"},
                            {3'600'000'000'000, "h"},
                            {60'000'000'000, "m"},
                            {1'000'000'000, "s"}};
  char text[kNumberRoom];
  for (size_t i = 0; i + 1 < std::size(kLong); ++i) {
    if (ns < kLong[i].ns) continue;
    const Unit& small = kLong[i + 1];
    line.Number(ns / kLong[i].ns);
    line.Text(kLong[i].name);
    line.Text(
        {text, static_cast<size_t>(WritePadded(ns % kLong[i].ns / small.ns, 2, text) - text)});
    line.Text(small.name);
    return;
  }
  for (const Unit& unit : kShort) {
    if (ns < unit.ns) continue;
    const uint64_t whole = ns / unit.ns;
    line.Number(whole);
    const int decimals = whole < 10 ? 2 : whole < 100 ? 1 : 0;
    if (decimals > 0) {
      const uint64_t hundredths = ns % unit.ns * 100 / unit.ns;
      const uint64_t shown = decimals == 2 ? hundredths : hundredths / 10;
      line.Text(".");
      line.Text({text, static_cast<size_t>(WritePadded(shown, decimals, text) - text)});
    }
    line.Text(unit.name);
    return;
  }
  line.Number(ns);
  line.Text("ns");
}

}  // namespace kentry
