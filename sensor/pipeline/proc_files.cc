// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline/proc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "fmt/format.h"
#include "sensor/decode/record.h"
#include "sensor/util/clock.h"
#include "sensor/util/fd.h"

namespace kentry {
namespace {

// Up to `max` bytes of a file; empty when it can't be read.
std::string ReadUpTo(const std::string& path, size_t max) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {};
  std::string text(max, '\0');
  size_t have = 0;
  while (have < max) {
    const ssize_t got = read(fd.get(), text.data() + have, max - have);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

// Field 22 of /proc/PID/stat: start time in clock ticks since boot. 0 = not to be had.
uint64_t StartTicks(uint32_t pid) {
  const std::string stat = ReadUpTo(fmt::format("/proc/{}/stat", pid), 1024);
  size_t at = stat.rfind(')');  // comm may hold anything, ") " among it
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

}  // namespace

std::string ReadLine(const std::string& path) {
  std::string text = ReadUpTo(path, 4096);
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

std::vector<uint8_t> WithArguments(std::span<const uint8_t> record) {
  std::vector<uint8_t> complete(record.begin(), record.end());
  const auto& rec = As<ke_process>(record);
  if (rec.args_len == 0 || (rec.flags & KE_F_KTHREAD) != 0) return complete;
  std::string args = ReadUpTo(fmt::format("/proc/{}/cmdline", rec.tgid), KE_ARGS_MAX);
  const uint64_t tick_ns = kSecond / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  if (StartTicks(rec.tgid) != rec.start_ns / tick_ns) args.clear();
  complete.insert(complete.end(), args.begin(), args.end());
  auto* out = reinterpret_cast<ke_process*>(complete.data());
  out->args = {static_cast<uint32_t>(record.size()), static_cast<uint32_t>(args.size())};
  if (args.empty()) out->flags |= KE_F_ARGS_FAILED;
  if (rec.args_len > args.size()) out->flags |= KE_F_ARGS_CUT;
  out->hdr.size = static_cast<uint32_t>(complete.size());
  return complete;
}

}  // namespace kentry
