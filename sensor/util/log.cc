// SPDX-License-Identifier: Apache-2.0
#include "sensor/util/log.h"

#include <memory>

#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace kentry {
namespace {

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_color_mt("kentry");
    made->set_pattern("kentry: %^%l%$: %v");
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum Level(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::kDebug:
      return spdlog::level::debug;
    case LogSeverity::kInfo:
      return spdlog::level::info;
    case LogSeverity::kWarn:
      return spdlog::level::warn;
    case LogSeverity::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void SetLogSeverity(LogSeverity least) { Logger().set_level(Level(least)); }

void Log(LogSeverity severity, std::string_view message) {
  Logger().log(Level(severity), "{}", message);
}

}  // namespace kentry
