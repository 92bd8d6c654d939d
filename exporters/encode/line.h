// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_LINE_H_
#define KENTRY_EXPORTERS_ENCODE_LINE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exporters/encode/buffer.h"

namespace kentry {

// Writes one line for a terminal: counts columns, cuts at a width, and lets no byte through that
// could end the line or move the cursor. One thread.
class Line {
 public:
  // `width` in columns, 0 = unlimited. `out` must outlive the line.
  Line(Buffer& out, size_t width);

  // As TerminalText.
  void Text(std::string_view text);
  // As Text, in at most `columns` columns, cut with `…`, then filled up with blanks.
  void Column(std::string_view text, size_t columns);
  void Number(uint64_t value);
  // Right-aligned in `columns` columns; a longer number is written whole.
  void Number(uint64_t value, size_t columns);
  // As a word of a shell command: plain when it has safe ASCII characters only, else in '…', or in
  // $'…' where it holds something unprintable, so that no two words look the same.
  void Word(std::string_view word);
  // A piece that is known to be printable and `columns` wide, whole or not at all.
  void Put(std::string_view bytes, size_t columns);
  // A terminal control sequence of our own, of no width.
  void Control(std::string_view sequence);
  // Columns written so far.
  size_t columns() const { return columns_; }
  // Nothing but controls is written any more once the line is full.
  bool full() const { return full_; }
  // Keeps `columns` of the width free, until it is called with 0.
  void Reserve(size_t columns);
  // Ends the line; `reset` is written in front of the newline.
  void End(std::string_view reset);

 private:
  void SetLimit(size_t limit);

  Buffer& out_;
  const size_t width_;
  size_t limit_;  // columns that may be used now
  size_t columns_ = 0;
  size_t cut_at_;  // contents up to which `…` still fits behind
  size_t cut_columns_ = 0;
  bool full_ = false;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_LINE_H_
