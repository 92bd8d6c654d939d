// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_DURATION_H_
#define KENTRY_EXPORTERS_ENCODE_DURATION_H_

#include <cstdint>

#include "exporters/encode/line.h"

namespace kentry {

// A time span with about three digits: 870us, 12.3ms, 4.56s, 5m03s, 2h05m, 3d04h.
void WriteDuration(uint64_t ns, Line& line);

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_DURATION_H_
