// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/report.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr size_t kMaxColumns = 120;

struct Colors {
  const char* bold = "";
  const char* red = "";
  const char* yellow = "";
  const char* green = "";
  const char* off = "";
};
constexpr Colors kPlain;
constexpr Colors kAnsi = {"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[32m", "\x1b[0m"};

// The lines of one file, found once.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      starts_.push_back(at + 1);
    }
  }
  // Line `number` from 1, without its end; "" when there is none.
  std::string_view Line(size_t number) const {
    if (number == 0 || number > starts_.size()) return {};
    const size_t end = number < starts_.size() ? starts_[number] - 1 : text_.size();
    std::string_view line = text_.substr(starts_[number - 1], end - starts_[number - 1]);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

 private:
  std::string_view text_;
  std::vector<size_t> starts_;
};

// Characters of escaped text: what a terminal shows, double-width ones aside.
size_t Columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

// Back to where a character starts.
size_t CharacterAt(std::string_view line, size_t at) {
  while (at > 0 && at < line.size() && (static_cast<uint8_t>(line[at]) & 0xc0) == 0x80) --at;
  return std::min(at, line.size());
}

// The line around the place, and a caret line below it.
void AppendExcerpt(std::string_view line, const SourcePos& at, const Colors& colors,
                   std::string* out) {
  const size_t place = std::min<size_t>(at.column > 0 ? at.column - 1 : 0, line.size());
  size_t begin = 0;
  if (line.size() > kMaxColumns && place > kMaxColumns / 2) {
    begin = CharacterAt(line, place - kMaxColumns / 2);
  }
  const size_t end = CharacterAt(line, std::min(line.size(), begin + kMaxColumns));
  std::string tabs(line.substr(begin, end - begin));
  // A tab would move the caret.
  std::replace(tabs.begin(), tabs.end(), '\t', ' ');
  const std::string_view shown = tabs;
  const size_t split = std::min(place - begin, shown.size());
  const size_t marked = std::min<size_t>(at.length, shown.size() - split);
  const std::string_view lead = begin > 0 ? "…" : "";
  const std::string before = fmt::format("{}{}", lead, TerminalText(shown.substr(0, split)));
  const std::string under = TerminalText(shown.substr(split, marked));
  const std::string after = TerminalText(shown.substr(split + marked));
  *out += fmt::format("  {}{}{}{}\n", before, under, after, end < line.size() ? "…" : "");
  const size_t width = std::max<size_t>(Columns(under), 1);
  *out += fmt::format("  {:{}}{}^{:~<{}}{}\n", "", Columns(before), colors.green, "", width - 1,
                      colors.off);
}

std::vector<const Diagnostic*> InOrder(const Diagnostics& diagnostics) {
  std::vector<const Diagnostic*> order;
  for (const Diagnostic& each : diagnostics.all()) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), [](const Diagnostic* a, const Diagnostic* b) {
    if (a->at.file != b->at.file) return a->at.file < b->at.file;
    if (a->at.line != b->at.line) return a->at.line < b->at.line;
    return a->at.column < b->at.column;
  });
  return order;
}

std::string_view KindName(const Diagnostic& diagnostic) {
  return diagnostic.kind == Diagnostic::Kind::kError ? "error" : "warning";
}

std::string_view FileName(std::span<const SourceFile> files, const SourcePos& at) {
  return at.file < files.size() ? std::string_view(files[at.file].name) : "rules";
}

std::string Place(std::span<const SourceFile> files, const SourcePos& at) {
  std::string text = TerminalText(FileName(files, at));
  if (at.line > 0) text += fmt::format(":{}:{}", at.line, at.column);
  return text;
}

std::string Count(size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string Summary(const Diagnostics& diagnostics) {
  std::string text;
  if (diagnostics.errors() > 0) text = Count(diagnostics.errors(), "error");
  if (diagnostics.warnings() > 0) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", Count(diagnostics.warnings(), "warning"));
  }
  const size_t all = diagnostics.errors() + diagnostics.warnings();
  const size_t kept = diagnostics.all().size();
  if (all > kept) text += fmt::format("; the first {} are shown", kept);
  return text + "\n";
}

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : TerminalText(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string FormatDiagnostics(std::span<const SourceFile> files, const Diagnostics& diagnostics,
                              bool color) {
  if (diagnostics.all().empty()) return "";
  const Colors& colors = color ? kAnsi : kPlain;
  std::string out;
  Lines lines("");
  size_t file = files.size();
  for (const Diagnostic* const each : InOrder(diagnostics)) {
    if (each->at.file != file && each->at.file < files.size()) {
      file = each->at.file;
      lines = Lines(files[file].text);
    }
    const bool error = each->kind == Diagnostic::Kind::kError;
    out +=
        fmt::format("{}{}:{} {}{}:{} {}\n", colors.bold, Place(files, each->at), colors.off,
                    error ? colors.red : colors.yellow, KindName(*each), colors.off, each->message);
    if (each->at.line > 0) AppendExcerpt(lines.Line(each->at.line), each->at, colors, &out);
    if (!each->hint.empty()) out += fmt::format("  hint: {}\n", each->hint);
  }
  return out + Summary(diagnostics);
}

std::string FirstError(std::span<const SourceFile> files, const Diagnostics& diagnostics) {
  for (const Diagnostic* const each : InOrder(diagnostics)) {
    if (each->kind != Diagnostic::Kind::kError) continue;
    return fmt::format("{}: {}", Place(files, each->at), each->message);
  }
  return "";
}

std::string DiagnosticsJson(std::span<const SourceFile> files, const Diagnostics& diagnostics) {
  std::string out = fmt::format("{{\"errors\":{},\"warnings\":{},\"diagnostics\":[",
                                diagnostics.errors(), diagnostics.warnings());
  bool first = true;
  for (const Diagnostic* const each : InOrder(diagnostics)) {
    out += fmt::format(
        "{}{{\"kind\":\"{}\",\"file\":{},\"line\":{},\"column\":{},\"length\":{},\"path\":{},"
        "\"message\":{},\"hint\":{}}}",
        first ? "" : ",", KindName(*each), JsonText(FileName(files, each->at)), each->at.line,
        each->at.column, each->at.length, JsonText(each->path), JsonText(each->message),
        JsonText(each->hint));
    first = false;
  }
  return out + "]}\n";
}

}  // namespace kentry
