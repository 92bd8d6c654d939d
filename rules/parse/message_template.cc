// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/message_template.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "rules/parse/expr_check.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

class Template {
 public:
  Template(const KeyedNode& value, EventClass on, Reporter& reporter)
      : value_(value),
        text_(value.node->text),
        on_(on),
        reporter_(reporter),
        map_(reporter.sources(), value.node->file, value.node->offset, text_) {}

  std::optional<std::vector<MessagePart>> Parse() {
    size_t at = 0;
    while (at < text_.size()) {
      const size_t brace = std::min(text_.find_first_of("{}", at), text_.size());
      literal_ += text_.substr(at, brace - at);
      if (brace == text_.size()) break;
      at = brace + 1;
      if (at < text_.size() && text_[at] == text_[brace]) {
        literal_ += text_[at++];
      } else if (text_[brace] == '}') {
        Error(brace, at, "\"}\" closes nothing", "write }} for a brace");
      } else {
        at = Field(brace);
      }
    }
    if (!literal_.empty()) parts_.push_back({.text = std::move(literal_)});
    return wrong_ ? std::nullopt : std::optional(std::move(parts_));
  }

 private:
  void Error(size_t begin, size_t end, std::string message, std::string hint) {
    wrong_ = true;
    reporter_.Error(map_.At(begin, end), value_.path, std::move(message), std::move(hint));
  }

  // Reads the field whose brace stands at `brace`; returns where the text goes on.
  size_t Field(size_t brace) {
    const size_t end = text_.find_first_of("{}", brace + 1);
    if (end == std::string_view::npos || text_[end] == '{') {
      Error(brace, brace + 1, "\"{\" is never closed", "write {FIELD}, or {{ for a brace");
      return brace + 1;
    }
    const std::string_view name = text_.substr(brace + 1, end - brace - 1);
    const FieldDef* const field = FindField(name);
    if (field == nullptr) {
      const auto names = [this] {
        std::vector<std::string_view> known;
        for (const FieldDef* const each : FieldsOf(on_)) known.push_back(each->name);
        return known;
      };
      Error(brace + 1, end,
            fmt::format("unknown field {}{}", Shown(name), reporter_.Nearest(name, names)),
            fmt::format("\"kentry fields {}\" lists all", GetClass(on_).name));
    } else if (!HasField(on_, *field)) {
      Error(brace + 1, end, fmt::format("{} has no field {}", GetClass(on_).name, Shown(name)),
            fmt::format("\"kentry fields {}\" lists those it has", GetClass(on_).name));
    } else {
      parts_.push_back({.text = std::move(literal_), .field = field->id});
      literal_.clear();
    }
    return end + 1;
  }

  const KeyedNode& value_;
  const std::string_view text_;
  const EventClass on_;
  Reporter& reporter_;
  const ScalarMap map_;
  std::vector<MessagePart> parts_;
  std::string literal_;
  bool wrong_ = false;
};

}  // namespace

std::optional<std::vector<MessagePart>> ReadMessage(const KeyedNode& value, EventClass on,
                                                    Reporter& reporter) {
  if (!ReadText(value, kMaxMessageBytes, reporter)) return std::nullopt;
  return Template(value, on, reporter).Parse();
}

}  // namespace kentry
