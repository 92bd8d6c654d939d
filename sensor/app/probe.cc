// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include "sensor/app/commands.h"
#include "sensor/cli/commands.h"
#include "sensor/cli/probe_view.h"
#include "sensor/kernel/kernel.h"

namespace kentry {

int ProbeCommand(const ProbeOptions& options) {
  ProbeReport report;
  utsname names{};
  uname(&names);
  report.kernel_release = names.release;
  // Loading alone does not tell: some kernels load what they then refuse to attach.
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Load({});
  absl::Status status = kernel.ok() ? (*kernel)->Attach() : kernel.status();
  if (!status.ok()) report.unusable_reason = std::string(status.message());
  if (kernel.ok()) {
    for (const Backend& backend : (*kernel)->backends()) {
      report.rows.push_back({.event_class = backend.feature,
                             .backend = backend.name,
                             .available = backend.available,
                             .chosen = backend.chosen,
                             .reason = backend.reason,
                             .cost = backend.cost});
    }
  }
  if (options.quiet) {
    if (!status.ok()) std::fprintf(stderr, "%s\n", report.unusable_reason.c_str());
  } else if (const int code = PrintAnswer(RenderProbe(report, options.format)); code != kExitOk) {
    return code;
  }
  return status.ok() ? kExitOk : kExitKernel;
}

}  // namespace kentry
