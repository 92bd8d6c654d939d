// SPDX-License-Identifier: Apache-2.0
// The pipeline's part in what people change of the enforcement while it goes on.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "fmt/format.h"
#include "sensor/pipeline/pipeline.h"
#include "sensor/util/clock.h"
#include "sensor/util/status.h"

namespace kentry {
namespace {

// The program as the kernel's hooks will see it.
absl::StatusOr<ke_file_ident> Identify(const std::string& path, Kernel* kernel) {
  const Fd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, fmt::format("open {}", path));
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return ErrnoError(errno, fmt::format("look at {}", path));
  if (!S_ISREG(file.st_mode) || (file.st_mode & 0111) == 0) {
    return absl::InvalidArgumentError(fmt::format("{} is no program: no executable file", path));
  }
  ASSIGN_OR_RETURN(const std::vector<ke_file_ident> files, kernel->OwnFiles());
  for (const ke_file_ident& one : files) {
    if (one.fd == static_cast<uint32_t>(fd.get())) return one;
  }
  return absl::InternalError(fmt::format("the kernel did not tell of {}", path));
}

}  // namespace

void Pipeline::Pause(bool paused) {
  if (paused == kernel_->rules().paused()) return;
  kernel_->rules().SetPaused(paused);
  ReportEnforcement(paused ? "paused" : "resumed", "");
}

absl::Status Pipeline::SetTrusted(const std::string& path, bool trusted) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the path of a program has to be absolute");
  }
  if (trusted) {
    ASSIGN_OR_RETURN(const ke_file_ident file, Identify(path, kernel_.get()));
    RETURN_IF_ERROR(kernel_->trust().Add(path, file));
  } else {
    RETURN_IF_ERROR(kernel_->trust().Remove(path));
  }
  ReportEnforcement(trusted ? "trusted" : "untrusted", path);
  return absl::OkStatus();
}

void Pipeline::ReportEnforcement(std::string_view change, std::string_view path) {
  EventBuilder& event = maker_.Begin(EventClass::kSensorEnforcement, BootNowNs());
  event.AddText(FieldId::kEnforcementChange, change);
  if (!path.empty()) event.AddText(FieldId::kEnforcementPath, path);
  Append(maker_.Finish());
  journal_.Commit();
}

}  // namespace kentry
