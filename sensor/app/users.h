// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_APP_USERS_H_
#define KENTRY_SENSOR_APP_USERS_H_

#include <cstdint>
#include <string>
#include <unordered_map>

namespace kentry {

// Names of the users in a passwd(5) file, by uid. Read as a file and not through NSS: a lookup
// there may ask the network. Lines that are no entries are passed over.
std::unordered_map<uint32_t, std::string> ReadUserNames(const std::string& path);

}  // namespace kentry

#endif  // KENTRY_SENSOR_APP_USERS_H_
