// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/probe_view.h"

#include <algorithm>

#include "fmt/format.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/printable.h"
#include "sensor/cli/table.h"

namespace kentry {
namespace {

std::string_view StateOf(const ProbeRow& row) {
  if (row.chosen) return "chosen";
  return row.available ? "available" : "no";
}

std::string NoteOf(const ProbeRow& row) {
  if (!row.available) return Printable(row.reason);
  return Printable(row.cost);
}

std::string ProbeJson(const ProbeReport& report) {
  JsonWriter json;
  json.BeginObject();
  json.String("kernel", report.kernel_release);
  json.Bool("usable", report.unusable_reason.empty());
  if (!report.unusable_reason.empty()) json.String("reason", report.unusable_reason);
  json.BeginArray("backends");
  for (const ProbeRow& row : report.rows) {
    json.BeginObject();
    json.String("class", row.event_class);
    json.String("backend", row.backend);
    json.Bool("available", row.available);
    json.Bool("chosen", row.chosen);
    if (!row.reason.empty()) json.String("reason", row.reason);
    if (!row.cost.empty()) json.String("cost", row.cost);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.TakeLine();
}

}  // namespace

std::string RenderProbe(const ProbeReport& report, EventFormat format) {
  if (format == EventFormat::kJson) return ProbeJson(report);
  std::string text = fmt::format(
      "kernel {}: {}\n", Printable(report.kernel_release),
      report.unusable_reason.empty()
          ? "kentry can run here"
          : fmt::format("kentry can't run here: {}", Printable(report.unusable_reason)));
  if (report.rows.empty()) return text;
  TextTable table;
  table.AddRow({"CLASS", "BACKEND", "STATE", "WHY NOT, OR AT WHAT COST"});
  std::string_view last;
  for (const ProbeRow& row : report.rows) {
    const bool same = row.event_class == last;
    last = row.event_class;
    table.AddRow({same ? "" : Printable(row.event_class), Printable(row.backend),
                  std::string(StateOf(row)), NoteOf(row)});
  }
  text += "\n" + table.Render();
  return text;
}

}  // namespace kentry
