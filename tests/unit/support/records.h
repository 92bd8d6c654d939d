// SPDX-License-Identifier: Apache-2.0
// Kernel records made by hand, for tests.
#ifndef KENTRY_TESTS_UNIT_SUPPORT_RECORDS_H_
#define KENTRY_TESTS_UNIT_SUPPORT_RECORDS_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/event.h"

namespace kentry {

// Bytes of a record, aligned as the ring aligns them.
class RecordBytes {
 public:
  RecordBytes(const void* data, size_t size) : words_((size + 7) / 8), size_(size) {
    std::memcpy(words_.data(), data, size);
  }
  std::span<const uint8_t> bytes() const {
    return {reinterpret_cast<const uint8_t*>(words_.data()), size_};
  }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

// Header of a record of `size` bytes.
inline ke_hdr MakeHeader(ke_type type, size_t size) {
  ke_hdr hdr{};
  hdr.type = type;
  hdr.version = KE_RECORD_VERSION;
  hdr.size = static_cast<uint32_t>(size);
  hdr.ktime_ns = 1'000'000;
  return hdr;
}

struct ImageStrings {
  std::string binary = "/bin/true";
  std::string cwd = "/";
  std::string script;
  std::string interps;
  std::string args = std::string("true\0", 5);
  std::string env;
};

// An exec or existing record; `fixed` gives all but header and strings.
inline RecordBytes MakeProcess(ke_type type, ke_process fixed, const ImageStrings& strings) {
  std::string text;
  const auto add = [&](const std::string& value) {
    const ke_span span{static_cast<uint32_t>(sizeof(ke_process) + text.size()),
                       static_cast<uint32_t>(value.size())};
    text += value;
    return span;
  };
  fixed.binary = add(strings.binary);
  fixed.cwd = add(strings.cwd);
  fixed.script = add(strings.script);
  fixed.interps = add(strings.interps);
  fixed.args = add(strings.args);
  fixed.env = add(strings.env);
  fixed.hdr = MakeHeader(type, sizeof(fixed) + text.size());
  std::string all(reinterpret_cast<const char*>(&fixed), sizeof(fixed));
  all += text;
  return RecordBytes(all.data(), all.size());
}

inline ke_fork MakeFork(uint32_t child, uint64_t start_ns, uint32_t parent,
                        uint64_t parent_start_ns) {
  ke_fork rec{};
  rec.hdr = MakeHeader(KE_FORK, sizeof(rec));
  rec.tgid = child;
  rec.start_ns = start_ns;
  rec.parent_tgid = rec.creator_tgid = parent;
  rec.parent_start_ns = rec.creator_start_ns = parent_start_ns;
  return rec;
}

inline ke_exit MakeExit(uint32_t pid, uint64_t start_ns, uint64_t when_ns, uint32_t status = 0) {
  ke_exit rec{};
  rec.hdr = MakeHeader(KE_EXIT, sizeof(rec));
  rec.hdr.ktime_ns = when_ns;
  rec.tgid = rec.tid = pid;
  rec.start_ns = start_ns;
  rec.status = status;
  return rec;
}

template <typename T>
RecordBytes BytesOf(const T& rec) {
  return RecordBytes(&rec, sizeof(rec));
}

}  // namespace kentry

#endif  // KENTRY_TESTS_UNIT_SUPPORT_RECORDS_H_
