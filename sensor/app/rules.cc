// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "rules/match/rule_tests.h"
#include "rules/parse/load.h"
#include "rules/parse/report.h"
#include "sensor/api/client.h"
#include "sensor/app/commands.h"
#include "sensor/app/explain.h"
#include "sensor/app/rule_source.h"
#include "sensor/cli/commands.h"
#include "sensor/cli/printable.h"
#include "sensor/util/suggest.h"

namespace kentry {
namespace {

bool WantColor(int fd) {
  const char* const term = std::getenv("TERM");
  return isatty(fd) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

int Check(const RulesOptions& options, const LoadResult& loaded) {
  const RuleSet& rules = *loaded.readable;
  const Diagnostics& diagnostics = loaded.diagnostics;
  std::string answer;
  if (options.format == EventFormat::kJson) {
    answer = DiagnosticsJson(rules.files, diagnostics);
  } else {
    answer = FormatDiagnostics(rules.files, diagnostics, WantColor(STDOUT_FILENO));
    if (diagnostics.errors() == 0) {
      answer +=
          fmt::format("{} rule{} of {} file{} right; rule set {}, revision {}\n",
                      rules.rules.size(), rules.rules.size() == 1 ? "" : "s", rules.files.size(),
                      rules.files.size() == 1 ? " is" : "s are", rules.name, rules.revision);
    }
  }
  const int printed = PrintAnswer(answer);
  return diagnostics.errors() > 0 ? kExitFailed : printed;
}

int UnknownRule(const RulesOptions& options, const RuleSet& rules) {
  std::vector<std::string_view> names;
  for (const Rule& rule : rules.rules) names.push_back(rule.name);
  fmt::print(stderr, "kentry rules test: unknown rule \"{}\"{}\n", Printable(options.rule),
             DidYouMean(options.rule, names));
  return kExitFailed;
}

int Test(const RulesOptions& options, const LoadResult& loaded) {
  const RuleSet& rules = *loaded.readable;
  if (loaded.diagnostics.errors() > 0) {
    fmt::print(stderr, "{}",
               FormatDiagnostics(rules.files, loaded.diagnostics, WantColor(STDERR_FILENO)));
    return kExitFailed;
  }
  bool known = options.rule.empty();
  for (const Rule& rule : rules.rules) known = known || rule.name == options.rule;
  if (!known) return UnknownRule(options, rules);
  const TestReport report = RunRuleTests(rules, options.rule);
  const int printed = PrintAnswer(options.format == EventFormat::kJson
                                      ? TestReportJson(rules, report)
                                      : FormatTestReport(rules, report, WantColor(STDOUT_FILENO)));
  return report.ok() ? printed : kExitFailed;
}

int Explain(const RulesOptions& options, const LoadResult& loaded, const RuleEngine* engine) {
  if (engine == nullptr) {
    fmt::print(
        stderr, "{}",
        FormatDiagnostics(loaded.readable->files, loaded.diagnostics, WantColor(STDERR_FILENO)));
    return kExitFailed;
  }
  return PrintAnswer(options.format == EventFormat::kJson
                         ? ExplainJson(*engine)
                         : ExplainText(*engine, WantColor(STDOUT_FILENO)));
}

int Reload(const RulesOptions& options) {
  absl::StatusOr<std::unique_ptr<ApiClient>> client =
      ApiClient::Connect(options.socket_path, absl::Seconds(60));
  if (!client.ok()) return ReportError(client.status());
  const absl::StatusOr<std::string> result = (*client)->ReloadRules();
  if (result.ok()) return PrintAnswer(*result);
  if (!absl::IsInvalidArgument(result.status())) return ReportError(result.status());
  fmt::print(stderr, "{}the rules before stay in force\n", std::string(result.status().message()));
  return kExitFailed;
}

}  // namespace

int RulesCommand(const RulesOptions& options) {
  if (options.task == RulesOptions::Task::kReload) return Reload(options);
  LoadResult loaded = LoadChosenRules(options.rules);
  std::unique_ptr<RuleEngine> engine;
  if (loaded.rules != nullptr) {
    engine = RuleEngine::Create(loaded.rules, &loaded.diagnostics);
  } else {
    RuleEngine::Check(*loaded.readable, &loaded.diagnostics);
  }
  switch (options.task) {
    case RulesOptions::Task::kCheck:
      return Check(options, loaded);
    case RulesOptions::Task::kTest:
      return Test(options, loaded);
    case RulesOptions::Task::kExplain:
      return Explain(options, loaded, engine.get());
    case RulesOptions::Task::kReload:
      break;
  }
  return kExitFailed;
}

}  // namespace kentry
