// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_TEXT_LINE_H_
#define KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_TEXT_LINE_H_

#include <string>
#include <utility>

#include "exporters/encode/text.h"

namespace kentry {

// The event's line, in UTC.
inline std::string Encode(EventView event, TextOptions options = {}) {
  options.utc = true;
  TextEncoder encoder(std::move(options));
  Buffer out;
  encoder.Encode(event, out);
  return std::string(out.view());
}

}  // namespace kentry

#endif  // KENTRY_TESTS_UNIT_EXPORTERS_ENCODE_TEXT_LINE_H_
