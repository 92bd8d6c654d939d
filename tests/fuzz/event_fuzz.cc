// SPDX-License-Identifier: Apache-2.0
// Any bytes as an event: the parser refuses them, or both encoders make one clean line of them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "exporters/encode/json.h"
#include "exporters/encode/text.h"
#include "nlohmann/json.hpp"
#include "sensor/event/event.h"
#include "sensor/util/utf8.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckLine(std::string_view line) {
  Require(!line.empty() && line.back() == '\n');
  line.remove_suffix(1);
  while (!line.empty()) {
    const kentry::CodePoint point = kentry::DecodeUtf8(line);
    Require(point.valid && !kentry::IsJsonEscaped(point.value));
    line.remove_prefix(point.size);
  }
}

void CheckText(kentry::EventView event, size_t width) {
  kentry::TextEncoder encoder({.width = width, .utc = true});
  kentry::Buffer out;
  encoder.Encode(event, out);
  CheckLine(out.view());
  if (width == 0) return;
  size_t columns = 0;
  std::string_view line = out.view().substr(0, out.size() - 1);
  while (!line.empty()) {
    const kentry::CodePoint point = kentry::DecodeUtf8(line);
    Require(!kentry::IsUnprintable(point.value));
    columns += static_cast<size_t>(kentry::Columns(point.value));
    line.remove_prefix(point.size);
  }
  Require(columns <= width);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Events stand at addresses that are multiples of eight; the fuzzer's bytes may not.
  std::vector<uint64_t> words(size / 8 + 1);
  if (size > 0) std::memcpy(words.data(), data, size);
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  // The size is the one thing a fuzzer hardly guesses.
  const auto whole = static_cast<uint32_t>(size);
  if (size >= sizeof(kentry::EventHeader)) std::memcpy(bytes, &whole, sizeof(whole));
  const absl::StatusOr<kentry::EventView> event = kentry::EventView::Parse({bytes, size});
  if (!event.ok()) return 0;

  kentry::JsonEncoder json;
  kentry::Buffer out;
  json.Encode(*event, out);
  CheckLine(out.view());
  Require(nlohmann::json::accept(out.view()));
  CheckText(*event, 0);
  CheckText(*event, 1 + event->header().boot_ns % 200);
  return 0;
}
