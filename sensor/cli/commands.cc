// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/commands.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <string>

#include "fmt/format.h"
#include "sensor/api/client.h"
#include "sensor/cli/cli.h"
#include "sensor/cli/fields_view.h"
#include "sensor/cli/json_writer.h"
#include "sensor/cli/ps_view.h"
#include "sensor/cli/status_view.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(5);

PsStyle StyleOfTerminal() {
  if (isatty(STDOUT_FILENO) == 0) return {.ascii = true, .columns = 0};
  setlocale(LC_CTYPE, "");
  PsStyle style = {.ascii = std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0, .columns = 0};
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) style.columns = size.ws_col;
  return style;
}

absl::StatusOr<SensorStatus> AskStatus(const std::string& socket_path) {
  ASSIGN_OR_RETURN(const auto client, ApiClient::Connect(socket_path, kDeadline));
  return client->Status();
}

absl::StatusOr<std::vector<ProcessRow>> AskProcesses(const PsOptions& options) {
  ASSIGN_OR_RETURN(const auto client, ApiClient::Connect(options.socket_path, kDeadline));
  return client->Processes(options.with_exited);
}

}  // namespace

int PrintAnswer(std::string_view text) {
  const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  return written == text.size() && std::fflush(stdout) == 0 ? kExitOk : kExitFailed;
}

int ReportError(const absl::Status& status) {
  const absl::string_view message = status.message();
  fmt::print(stderr, "kentry: {}\n", std::string_view(message.data(), message.size()));
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) return kExitNoDaemon;
  if (absl::IsAlreadyExists(status)) return kExitOtherDaemon;
  if (absl::IsUnimplemented(status)) return kExitKernel;
  return kExitFailed;
}

int StatusCommand(const StatusOptions& options) {
  const auto status = AskStatus(options.socket_path);
  if (!status.ok()) return ReportError(status.status());
  return PrintAnswer(options.format == EventFormat::kJson ? RenderStatusJson(*status)
                                                          : RenderStatusText(*status));
}

int PsCommand(const PsOptions& options) {
  const auto rows = AskProcesses(options);
  if (!rows.ok()) return ReportError(rows.status());
  return PrintAnswer(options.format == EventFormat::kJson ? RenderPsJson(*rows)
                                                          : RenderPsText(*rows, StyleOfTerminal()));
}

int FieldsCommand(const FieldsOptions& options) { return PrintAnswer(RenderFields(options)); }

int VersionCommand(const VersionOptions& options) {
  if (options.format == EventFormat::kText) {
    return PrintAnswer(fmt::format("kentry {}\n", Version()));
  }
  JsonWriter json;
  json.BeginObject();
  json.String("version", Version());
  json.EndObject();
  return PrintAnswer(json.TakeLine());
}

}  // namespace kentry
