// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/enforce_view.h"

#include "fmt/format.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/printable.h"

namespace kentry {
namespace {

std::string Enforcing(const EnforceState& state) {
  if (state.epoch == 0) return "no: no rules are in force";
  if (state.paused) return "no: paused, rules only say what they would do";
  if (state.mode == "enforce") return "yes";
  return state.mode.empty() ? "not known" : fmt::format("no: mode {}", state.mode);
}

std::string RuleSetLine(const EnforceState& state) {
  if (state.epoch == 0) return "none";
  if (state.mode.empty()) return fmt::format("not known, epoch {}", state.epoch);
  return fmt::format("{}: {} rules, {}, revision {}, epoch {}", Printable(state.rule_set),
                     state.rules, state.mode, Printable(state.revision), state.epoch);
}

}  // namespace

std::string RenderEnforceText(const EnforceState& state) {
  std::string text =
      fmt::format("enforcing  {}\nrule set   {}\ndaemon     {}\npinned     {}\n", Enforcing(state),
                  RuleSetLine(state),
                  state.daemon_pid != 0 ? fmt::format("pid {}", state.daemon_pid)
                  : state.pinned        ? "none: events wait in the rings"
                                        : "none",
                  state.pinned ? "yes: stays when the daemon ends" : "no: ends with the daemon");
  for (const std::string& path : state.trusted) {
    text += fmt::format("trusted    {}\n", Printable(path));
  }
  return text;
}

std::string RenderEnforceJson(const EnforceState& state) {
  JsonWriter json;
  json.BeginObject();
  json.Bool("enforcing", state.epoch != 0 && !state.paused && state.mode == "enforce");
  json.Bool("paused", state.paused);
  json.Bool("pinned", state.pinned);
  json.Uint("daemon_pid", state.daemon_pid);
  json.Uint("epoch", state.epoch);
  json.String("rule_set", state.rule_set);
  json.String("revision", state.revision);
  json.String("mode", state.mode);
  json.Uint("rules", state.rules);
  json.Uint("generations", state.generations);
  json.Strings("trusted", state.trusted);
  json.EndObject();
  return json.TakeLine();
}

}  // namespace kentry
