// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace kentry {
namespace {

constexpr size_t kMaxText = 1 << 20;

thread_local LibbpfLog* current = nullptr;

int Print(enum libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG || current == nullptr) return 0;
  // The verifier's log comes as one line of any length; its end says what was wrong.
  va_list again;
  va_copy(again, args);
  const int len = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (len < 0 || current->text().size() > kMaxText) return 0;
  std::string line(static_cast<size_t>(len) + 1, '\0');
  std::vsnprintf(line.data(), line.size(), format, args);
  line.pop_back();
  current->Add(line);
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  current = this;
  libbpf_set_print(Print);
}

LibbpfLog::~LibbpfLog() { current = nullptr; }

std::string LibbpfLog::Reason() const {
  // libbpf puts the cause first and what followed from it behind.
  std::string_view rest = text_;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.starts_with("libbpf: ")) line.remove_prefix(8);
    if (!line.empty() && !line.starts_with("-- BEGIN")) return std::string(line);
  }
  return "no reason given";
}

}  // namespace kentry
