// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/revision.h"

#include <sha2.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "fmt/format.h"

namespace kentry {
namespace {

constexpr size_t kRevisionBytes = 6;

void Add(std::string_view bytes, SHA2_CTX* hash) {
  // The length first, so that no two lists of files look the same.
  const uint64_t size = bytes.size();
  SHA256Update(hash, reinterpret_cast<const uint8_t*>(&size), sizeof(size));
  SHA256Update(hash, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

std::string RevisionOf(std::span<const SourceFile> files) {
  SHA2_CTX hash;
  SHA256Init(&hash);
  for (const SourceFile& file : files) {
    Add(file.name, &hash);
    Add(file.text, &hash);
  }
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest = {};
  SHA256Final(digest.data(), &hash);
  std::string text;
  for (size_t i = 0; i < kRevisionBytes; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace kentry
