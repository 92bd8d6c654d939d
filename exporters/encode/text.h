// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_EXPORTERS_ENCODE_TEXT_H_
#define KENTRY_EXPORTERS_ENCODE_TEXT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/encode/encoder.h"
#include "exporters/encode/line.h"
#include "sensor/event/field_table.h"

namespace kentry {

struct TextOptions {
  bool color = false;
  // Columns of a line, 0 = unlimited. What happened is cut with `…`, the notes behind it are not
  // the first to go. Code points are counted, East Asian wide ones and emoji as two.
  size_t width = 0;
  bool utc = false;  // time of day in UTC instead of local time
  std::string host;  // shown for events outside of containers; "" is shown as "-"
  // Name of a user, "" = none; called on the output's thread for every event, so it should be
  // quick. Without it users are numbers.
  std::function<std::string(uint32_t uid)> user_name;
};

// One aligned line an event, for people:
//   time          where         user         pid  what   tree and details [notes]
//   03:04:05.123  9f86d081884c  root        4711  exec   └ sh -c 'echo hi' [deleted]
// An alert says ALERT, rule and message in front, and has its severity's color; an event of rules
// that only log says log, and keeps its own. Where Kentry acted it says DENIED, KILLED, SIGNAL or
// FAILED in place of ALERT, and names a rule that did; what it would have done stands at the end.
// Whatever an event holds, it stays one line without control characters: what is not printable is
// shown as \xNN or \u{NNNN}.
class TextEncoder final : public Encoder {
 public:
  explicit TextEncoder(TextOptions options);
  void Encode(EventView event, Buffer& out) override;

  // The terminal has another width now. Any thread.
  void SetWidth(size_t width) { width_ = width; }

 private:
  // Takes the event's values into values_, by id.
  void Collect(EventView event);
  void Forget();
  bool Has(FieldId id) const { return At(id).id == id; }
  uint64_t Number(FieldId id) const { return At(id).number; }
  bool Flag(FieldId id) const { return Number(id) != 0; }
  std::string_view Text(FieldId id) const { return At(id).text; }
  const FieldValue& At(FieldId id) const { return values_[static_cast<size_t>(id)]; }

  void WriteTime(int64_t time_ns, Line& line);
  void WriteWhere(Line& line) const;
  void WriteUser(Line& line) const;
  void WriteTree(Line& line) const;
  // What happened, by class.
  void WriteImage(const EventHeader& header, Line& line);
  void WriteCommand(Line& line) const;
  // Place in the event's lists of the first rule that acted, else of the first that is more than a
  // note for the log.
  size_t FirstAlert() const;
  std::string_view What(EventClass cls) const;
  void WriteAlert(EventClass cls, Line& line) const;
  void WriteFileOpen(Line& line) const;
  void WriteAlias(Line& line) const;
  void WriteChange(EventClass cls, Line& line) const;
  void WriteOwner(Line& line) const;
  void WriteRules(Line& line) const;
  void WriteSuppressed(Line& line) const;
  void WriteGuard(Line& line) const;
  void WriteEnforcement(Line& line) const;
  void WriteHook(Line& line) const;
  void WriteFork(Line& line) const;
  void WriteExit(Line& line) const;
  void WriteExecFailed(Line& line) const;
  void WriteDeed(EventClass cls, Line& line) const;
  void WriteCgroup(Line& line) const;
  void WriteLoss(Line& line) const;
  void WriteSensor(EventClass cls, Line& line) const;
  void WriteDetails(EventView event, Line& line);
  // " [note, note]" in notes_; returns its width.
  size_t MakeNotes(const EventHeader& header, size_t width);
  // The color of the whole line, "" = the terminal's own.
  std::string_view LineColor(EventClass cls) const;

  const TextOptions options_;
  std::atomic<size_t> width_;
  std::array<FieldValue, kFieldCount> values_;  // of the event at hand
  std::vector<FieldId> present_;                // which of them are set
  bool alert_ = false;                          // the event at hand is one
  size_t rule_ = 0;                             // place of the rule that its line names
  std::string_view tail_;                       // what stands behind all else
  Buffer notes_;
  int64_t cached_second_ = INT64_MIN;
  char second_text_[9] = {};  // 03:04:05.
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_TEXT_H_
