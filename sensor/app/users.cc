// SPDX-License-Identifier: Apache-2.0
#include "sensor/app/users.h"

#include <charconv>
#include <fstream>
#include <string_view>

namespace kentry {

std::unordered_map<uint32_t, std::string> ReadUserNames(const std::string& path) {
  std::unordered_map<uint32_t, std::string> names;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t name_end = line.find(':');
    if (name_end == std::string::npos || name_end == 0) continue;
    const size_t password_end = line.find(':', name_end + 1);
    if (password_end == std::string::npos) continue;
    uint32_t uid = 0;
    const char* begin = line.data() + password_end + 1;
    const auto [end, error] = std::from_chars(begin, line.data() + line.size(), uid);
    if (error != std::errc() || end == begin) continue;
    names.emplace(uid, line.substr(0, name_end));
  }
  return names;
}

}  // namespace kentry
