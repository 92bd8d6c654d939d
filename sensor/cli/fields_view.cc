// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/fields_view.h"

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/table.h"

namespace kentry {
namespace {

constexpr char kIntroduction[] = R"(# Events

Made by `kentry fields -o markdown` from the field table in `sensor/event/`; change that, not this
page. `kentry fields CLASS` prints one class on the terminal.

An event has a class and fields. A field that a class lists may be absent from a single event: a
process without a terminal has no `process.tty`.

## How to read the tables

- **of** says whose value it is: *process* and *parent* are properties of the process the event is
  about and of its parent; *event* belongs to this one event; *derived* was computed in user space.
- **in the kernel** lists the comparisons that the filter in the kernel can make on the field; what
  is left out there is decided in user space.
- Of process.exec some fields are "not known while the exec can still be refused": no rule denies by
  them, and the event of a refused exec lacks them.
- Times called `..._ns` count nanoseconds; where the description says "since boot", on
  CLOCK_BOOTTIME, comparable within one boot id. (`process.pid`, `process.start_ns`) names a process
  for good; a process id alone is used again.

## JSON

`kentry run -o json` and `--output FILE` write one object a line. Every line is valid UTF-8 and has
no byte below 0x20 but the newline at its end.

```json
{"id":7,"class":"process.exec","time":"2026-11-23T03:04:05.123456789Z","cpu":0,"seq":3,"process":{"pid":42,"args":["ls","-l"]}}
```

| member | meaning |
|---|---|
| `id` | position in this run's journal, from 1; gaps are events that this output doesn't show or missed |
| `class` | one of the classes below |
| `time` | UTC, nanoseconds |
| `cpu`, `seq` | CPU, and the kernel's number of the event on that CPU in that class, from 1 without gaps; absent from events that user space makes, and from refused execs |
| `partial` | `true` when something about the event could not be found in time; else absent |

Each other member is an object named like the first part of the field's name: `process.binary` is
`"process":{"binary":...}`.

| type | in JSON |
|---|---|
| uint, int | number; up to 2^64 - 1, so a parser that knows only doubles rounds above 2^53 |
| bool | `true`; false is left out |
| string | string; an empty one is left out |
| string list | array of strings; an empty one is left out |
| duration | number of nanoseconds |
| bit mask | string `"0x..."`, lower case |
| device | string `"major:minor"`, decimal |

- A value that is not whole has a sibling `<key>_cut`: `"args":[...],"args_cut":true`.
- Paths and arguments are bytes. Where they are not UTF-8, each malformed part is shown as U+FFFD
  and a sibling `<key>_b64` holds the raw bytes in base64 (RFC 4648, padded). For a list it is an
  object from the element's index to its bytes: `"args_b64":{"3":"/w=="}`.
- Control characters, bidirectional controls and line separators are written as `\uXXXX`.
- New members and classes may come with any version; known ones keep their meaning.

)";

constexpr std::array<std::pair<KernelOp, std::string_view>, 5> kOps = {{
    {kOpEqual, "equal"},
    {kOpRange, "range"},
    {kOpMask, "mask"},
    {kOpPrefix, "prefix"},
    {kOpSuffix, "suffix"},
}};

std::string_view SourceName(FieldSource source) {
  switch (source) {
    case FieldSource::kEvent:
      return "event";
    case FieldSource::kProcess:
      return "process";
    case FieldSource::kParent:
      return "parent";
    case FieldSource::kDerived:
      return "derived";
  }
  return "?";
}

std::vector<std::string> OpNames(const FieldDef& field) {
  std::vector<std::string> names;
  for (const auto& [op, name] : kOps) {
    if ((field.ops & op) != 0) names.emplace_back(name);
  }
  return names;
}

bool IsLate(const ClassDef& cls, const FieldDef& field) {
  return cls.id == EventClass::kProcessExec && (field.ops & kLate) != 0;
}

std::string_view LateNote(const ClassDef& cls, const FieldDef& field) {
  return IsLate(cls, field) ? " (not known while the exec can still be refused)" : "";
}

// A cell of a markdown table: a bar would end it.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string ClassMarkdown(const ClassDef& cls) {
  std::string text = fmt::format("## {}\n\n{}.\n\n", cls.name, cls.doc);
  text += "| field | type | of | in the kernel | meaning |\n|---|---|---|---|---|\n";
  for (const FieldDef* field : FieldsOf(cls.id)) {
    text += fmt::format("| `{}` | {} | {} | {} | {}{} |\n", field->name, TypeName(field->type),
                        SourceName(field->source), fmt::join(OpNames(*field), ", "),
                        Cell(field->doc), LateNote(cls, *field));
  }
  return text;
}

std::string ClassText(const ClassDef& cls) {
  std::string text = fmt::format("{}: {}\n\n", cls.name, cls.doc);
  TextTable table;
  for (const FieldDef* field : FieldsOf(cls.id)) {
    table.AddRow({"", std::string(field->name), std::string(TypeName(field->type)),
                  fmt::format("{}{}", field->doc, LateNote(cls, *field))});
  }
  return text + table.Render();
}

void ClassJson(const ClassDef& cls, JsonWriter* json) {
  json->BeginObject();
  json->String("name", cls.name);
  json->String("doc", cls.doc);
  json->BeginArray("fields");
  for (const FieldDef* field : FieldsOf(cls.id)) {
    json->BeginObject();
    json->String("name", field->name);
    json->String("type", TypeName(field->type));
    json->String("of", SourceName(field->source));
    json->Strings("in_kernel", OpNames(*field));
    if (IsLate(cls, *field)) json->Bool("late", true);
    json->String("doc", field->doc);
    json->EndObject();
  }
  json->EndArray();
  json->EndObject();
}

std::vector<const ClassDef*> Chosen(const FieldsOptions& options) {
  if (options.cls != EventClass::kNone) return {&GetClass(options.cls)};
  std::vector<const ClassDef*> all;
  for (const ClassDef& cls : Classes()) all.push_back(&cls);
  return all;
}

std::string FieldsJson(const FieldsOptions& options) {
  JsonWriter json;
  json.BeginObject();
  json.BeginArray("classes");
  for (const ClassDef* cls : Chosen(options)) ClassJson(*cls, &json);
  json.EndArray();
  json.EndObject();
  return json.TakeLine();
}

}  // namespace

std::string RenderFields(const FieldsOptions& options) {
  if (options.format == FieldsFormat::kJson) return FieldsJson(options);
  const bool markdown = options.format == FieldsFormat::kMarkdown;
  std::string text = markdown && options.cls == EventClass::kNone ? kIntroduction : "";
  bool first = true;
  for (const ClassDef* cls : Chosen(options)) {
    if (!first) text += '\n';
    first = false;
    text += markdown ? ClassMarkdown(*cls) : ClassText(*cls);
  }
  return text;
}

}  // namespace kentry
