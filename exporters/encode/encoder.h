// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_ENCODER_H_
#define KENTRY_EXPORTERS_ENCODE_ENCODER_H_

#include "exporters/encode/buffer.h"
#include "sensor/event/event.h"

namespace kentry {

// Turns events into bytes. Nothing but the buffer is changed that a caller could see; cannot fail.
// One thread per encoder.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the event to `out`: one whole line for the line formats.
  virtual void Encode(EventView event, Buffer& out) = 0;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_ENCODER_H_
