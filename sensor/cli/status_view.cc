// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/status_view.h"

#include <array>
#include <string_view>

#include "exporters/encode/duration.h"
#include "fmt/format.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/printable.h"
#include "sensor/cli/table.h"

namespace kentry {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kRulesShown = 10;

// 1234567 → "1,234,567"
std::string Grouped(uint64_t value) {
  std::string text = fmt::format("{}", value);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string Bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

// The two largest units: "2 d 3 h".
std::string Uptime(uint64_t ns) {
  const uint64_t seconds = ns / kSecond;
  if (seconds < 60) return fmt::format("{} s", seconds);
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return fmt::format("{} min {} s", minutes, seconds % 60);
  const uint64_t hours = minutes / 60;
  if (hours < 24) return fmt::format("{} h {} min", hours, minutes % 60);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

// What was attempted and has not arrived anywhere yet. Counters are read one after the other, so
// that a sum may be ahead by what happened in between.
uint64_t InFlight(const ClassStatus& cls) {
  const uint64_t in = cls.attempted + cls.missed;
  const uint64_t out = cls.filtered + cls.delivered + cls.lost;
  return in > out ? in - out : 0;
}

std::string ClassTable(const SensorStatus& status) {
  TextTable table({2, 3, 4, 5, 6, 7});
  table.AddRow(
      {"CLASS", "BACKEND", "ATTEMPTED", "MISSED", "FILTERED", "DELIVERED", "LOST", "IN FLIGHT"});
  for (const ClassStatus& cls : status.classes) {
    table.AddRow({Printable(cls.name), cls.backend.empty() ? "none" : Printable(cls.backend),
                  Grouped(cls.attempted), Grouped(cls.missed), Grouped(cls.filtered),
                  Grouped(cls.delivered), Grouped(cls.lost), Grouped(InFlight(cls))});
  }
  return table.Render();
}

std::string LossText(const SensorStatus& status) {
  std::string text;
  for (const CpuLoss& loss : status.cpu_loss) {
    if (loss.lost == 0) continue;
    text += fmt::format("{}cpu {}: {}", text.empty() ? "" : ", ", loss.cpu, Grouped(loss.lost));
  }
  return text.empty() ? "none" : text;
}

std::string FailureText(const SensorStatus& status) {
  std::string text;
  for (const Counter& counter : status.helper_failures) {
    if (counter.count == 0) continue;
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", Printable(counter.name),
                        Grouped(counter.count));
  }
  return text.empty() ? "none" : text;
}

std::string TableText(const TableStatus& table) {
  return fmt::format("{} of {}, {} evicted", Grouped(table.size), Grouped(table.capacity),
                     Grouped(table.evicted));
}

std::string OutputText(const OutputStatus& output) {
  std::string text =
      fmt::format("{} written ({}), {} missed, {} errors", Grouped(output.written),
                  Bytes(output.bytes_written), Grouped(output.missed), Grouped(output.errors));
  if (!output.last_error.empty()) text += ", last: " + Printable(output.last_error);
  return text;
}

std::string ReaderText(const ReaderStatus& reader) {
  return fmt::format(
      "{} polls, {} wake-ups, {} held back, {} busy, {} out of order, {} late, {} malformed",
      Grouped(reader.polls), Grouped(reader.wakeups), Grouped(reader.held_back),
      Grouped(reader.busy), Grouped(reader.out_of_order), Grouped(reader.late),
      Grouped(reader.malformed));
}

std::string Span(uint64_t ns) {
  Buffer text;
  Line line(text, 0);
  WriteDuration(ns, line);
  return std::string(text.view());
}

void AddRulesRows(const SensorStatus& status, TextTable* table) {
  const RulesStatus& rules = status.rules;
  std::string in_force = "none in force";
  if (rules.epoch != 0) {
    in_force = fmt::format("{}: {} in force, {}, revision {}, epoch {}", Printable(rules.name),
                           Grouped(rules.count), Printable(rules.mode), Printable(rules.revision),
                           rules.epoch);
  }
  table->AddRow({"rules", in_force});
  table->AddRow({"rules said",
                 fmt::format("{} alerts, {} logged, {} dropped, {} suppressed, "
                             "{} judged away",
                             Grouped(rules.alerts), Grouped(rules.logged), Grouped(rules.dropped),
                             Grouped(rules.suppressed), Grouped(rules.judged_away))});
  table->AddRow(
      {"rules failed", fmt::format("{} marks refused, {} not told to the kernel, {} outdated",
                                   Grouped(rules.marks_refused), Grouped(rules.kernel_errors),
                                   Grouped(rules.outdated))});
  table->AddRow(
      {"rules' files", fmt::format("looked up in {} containers, {} skipped, {} files too many",
                                   Grouped(rules.file_roots), Grouped(rules.file_roots_skipped),
                                   Grouped(rules.files_no_room))});
  if (rules.refused_unix_ns == 0) return;
  const int64_t now = status.started_unix_ns + static_cast<int64_t>(status.uptime_ns);
  const int64_t ago = now > rules.refused_unix_ns ? now - rules.refused_unix_ns : 0;
  table->AddRow(
      {"last reload", fmt::format("refused {} ago: {}", Uptime(static_cast<uint64_t>(ago)),
                                  Printable(rules.refused_error))});
}

// The rules that did something, the busiest first; "" when none did.
std::string RulesTable(const RulesStatus& status) {
  TextTable table({1, 2, 3});
  table.AddRow({"RULE", "HITS", "UNCERTAIN", "SUPPRESSED"});
  size_t shown = 0;
  size_t more = 0;
  for (const RuleStatus& rule : status.rules) {
    if (rule.hits == 0) continue;
    if (shown == kRulesShown) {
      ++more;
      continue;
    }
    ++shown;
    table.AddRow({Printable(rule.name), Grouped(rule.hits), Grouped(rule.uncertain),
                  Grouped(rule.suppressed)});
  }
  if (shown == 0) return "";
  std::string text = "\n" + table.Render();
  if (more > 0) {
    // Those left out of the answer may have hits too.
    text += fmt::format("and {}{} more with hits\n", status.rules_left_out > 0 ? "at least " : "",
                        Grouped(more));
  }
  return text;
}

void RulesJson(const RulesStatus& rules, JsonWriter* json) {
  json->BeginObject("rules");
  json->Uint("epoch", rules.epoch);
  json->String("name", rules.name);
  json->String("revision", rules.revision);
  json->String("mode", rules.mode);
  json->Uint("count", rules.count);
  json->Uint("alerts", rules.alerts);
  json->Uint("logged", rules.logged);
  json->Uint("dropped", rules.dropped);
  json->Uint("suppressed", rules.suppressed);
  json->Uint("judged_away", rules.judged_away);
  json->Uint("marks_refused", rules.marks_refused);
  json->Uint("kernel_errors", rules.kernel_errors);
  json->Uint("outdated", rules.outdated);
  json->Uint("file_roots", rules.file_roots);
  json->Uint("file_roots_skipped", rules.file_roots_skipped);
  json->Uint("files_no_room", rules.files_no_room);
  if (rules.refused_unix_ns != 0) {
    json->Int("refused_unix_ns", rules.refused_unix_ns);
    json->String("refused_error", rules.refused_error);
  }
  json->BeginArray("rules");
  for (const RuleStatus& rule : rules.rules) {
    json->BeginObject();
    json->String("name", rule.name);
    json->Uint("hits", rule.hits);
    json->Uint("uncertain", rule.uncertain);
    json->Uint("suppressed", rule.suppressed);
    json->EndObject();
  }
  json->EndArray();
  json->Uint("rules_left_out", rules.rules_left_out);
  json->EndObject();
}

void KillsJson(const KillStatus& kills, JsonWriter* json) {
  json->BeginObject("kills");
  json->Uint("confirmed", kills.confirmed);
  json->Uint("p50_ns", kills.p50_ns);
  json->Uint("p99_ns", kills.p99_ns);
  json->Uint("max_ns", kills.max_ns);
  json->Uint("waiting", kills.waiting);
  json->Uint("unconfirmed", kills.unconfirmed);
  json->Uint("not_followed", kills.not_followed);
  json->EndObject();
}

void TableJson(std::string_view key, const TableStatus& table, JsonWriter* json) {
  json->BeginObject(key);
  json->Uint("size", table.size);
  json->Uint("capacity", table.capacity);
  json->Uint("evicted", table.evicted);
  json->EndObject();
}

void ClassesJson(const SensorStatus& status, JsonWriter* json) {
  json->BeginArray("classes");
  for (const ClassStatus& cls : status.classes) {
    json->BeginObject();
    json->String("name", cls.name);
    json->String("backend", cls.backend);
    json->Uint("attempted", cls.attempted);
    json->Uint("missed", cls.missed);
    json->Uint("filtered", cls.filtered);
    json->Uint("delivered", cls.delivered);
    json->Uint("lost", cls.lost);
    json->Uint("in_flight", InFlight(cls));
    json->EndObject();
  }
  json->EndArray();
  json->BeginArray("cpu_loss");
  for (const CpuLoss& loss : status.cpu_loss) {
    json->BeginObject();
    json->Uint("cpu", loss.cpu);
    json->Uint("lost", loss.lost);
    json->EndObject();
  }
  json->EndArray();
}

void ReaderJson(const SensorStatus& status, JsonWriter* json) {
  json->BeginObject("reader");
  json->Uint("polls", status.reader.polls);
  json->Uint("wakeups", status.reader.wakeups);
  json->Uint("held_back", status.reader.held_back);
  json->Uint("busy", status.reader.busy);
  json->Uint("out_of_order", status.reader.out_of_order);
  json->Uint("late", status.reader.late);
  json->Uint("malformed", status.reader.malformed);
  json->EndObject();
  json->BeginObject("helper_failures");
  for (const Counter& counter : status.helper_failures) json->Uint(counter.name, counter.count);
  json->EndObject();
}

void OutputsJson(const SensorStatus& status, JsonWriter* json) {
  json->BeginObject("journal");
  json->Uint("bytes", status.journal.bytes);
  json->Uint("capacity_bytes", status.journal.capacity_bytes);
  json->Uint("events", status.journal.events);
  json->Uint("dropped", status.journal.dropped);
  json->EndObject();
  json->BeginArray("outputs");
  for (const OutputStatus& output : status.outputs) {
    json->BeginObject();
    json->String("name", output.name);
    json->Uint("written", output.written);
    json->Uint("bytes_written", output.bytes_written);
    json->Uint("missed", output.missed);
    json->Uint("errors", output.errors);
    if (!output.last_error.empty()) json->String("last_error", output.last_error);
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace

std::string KillText(const KillStatus& kills) {
  const uint64_t others = kills.waiting + kills.unconfirmed + kills.not_followed;
  if (kills.confirmed + others == 0) return "none";
  std::string text = fmt::format("{} confirmed", Grouped(kills.confirmed));
  if (kills.confirmed != 0) {
    text += fmt::format(", half within {}, 99 % within {}, all within {}", Span(kills.p50_ns),
                        Span(kills.p99_ns), Span(kills.max_ns));
  }
  if (others == 0) return text;
  return text + fmt::format("; {} waiting, {} unconfirmed, {} not followed", Grouped(kills.waiting),
                            Grouped(kills.unconfirmed), Grouped(kills.not_followed));
}

std::string RenderStatusText(const SensorStatus& status) {
  const double percent = status.uptime_ns == 0 ? 0.0
                                               : 100.0 * static_cast<double>(status.cpu_ns) /
                                                     static_cast<double>(status.uptime_ns);
  std::string text = fmt::format(
      "kentry {}, pid {}, up {}, CPU {:.2f} % ({:.2f} s)\nhost {}, kernel {}, boot {}\n\n",
      Printable(status.version), status.pid, Uptime(status.uptime_ns), percent,
      static_cast<double>(status.cpu_ns) / static_cast<double>(kSecond), Printable(status.host),
      Printable(status.kernel_release), Printable(status.boot_id));
  text += ClassTable(status) + "\n";
  TextTable rest;
  rest.AddRow({"lost per CPU", LossText(status)});
  rest.AddRow({"helper failures", FailureText(status)});
  rest.AddRow({"reader", ReaderText(status.reader)});
  rest.AddRow({"processes", TableText(status.processes)});
  rest.AddRow({"cgroups", TableText(status.cgroups)});
  AddRulesRows(status, &rest);
  rest.AddRow({"killed", KillText(status.kills)});
  rest.AddRow(
      {"journal", fmt::format("{} of {}, {} events, {} dropped", Bytes(status.journal.bytes),
                              Bytes(status.journal.capacity_bytes), Grouped(status.journal.events),
                              Grouped(status.journal.dropped))});
  for (const OutputStatus& output : status.outputs) {
    rest.AddRow({"output " + Printable(output.name), OutputText(output)});
  }
  rest.AddRow(
      {"memory", fmt::format("{} resident, {} BPF maps, {} rings", Bytes(status.memory.rss_bytes),
                             Bytes(status.memory.map_bytes), Bytes(status.memory.ring_bytes))});
  return text + rest.Render() + RulesTable(status.rules);
}

std::string RenderStatusJson(const SensorStatus& status) {
  JsonWriter json;
  json.BeginObject();
  json.String("version", status.version);
  json.Uint("pid", status.pid);
  json.Int("started_unix_ns", status.started_unix_ns);
  json.Uint("uptime_ns", status.uptime_ns);
  json.Uint("cpu_ns", status.cpu_ns);
  json.String("kernel", status.kernel_release);
  json.String("boot_id", status.boot_id);
  json.String("host", status.host);
  ClassesJson(status, &json);
  ReaderJson(status, &json);
  TableJson("processes", status.processes, &json);
  TableJson("cgroups", status.cgroups, &json);
  RulesJson(status.rules, &json);
  KillsJson(status.kills, &json);
  OutputsJson(status, &json);
  json.BeginObject("memory");
  json.Uint("rss_bytes", status.memory.rss_bytes);
  json.Uint("map_bytes", status.memory.map_bytes);
  json.Uint("ring_bytes", status.memory.ring_bytes);
  json.EndObject();
  json.EndObject();
  return json.TakeLine();
}

}  // namespace kentry
