// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_KERNEL_LIBBPF_LOG_H_
#define KENTRY_SENSOR_KERNEL_LIBBPF_LOG_H_

#include <string>

namespace kentry {

// Collects libbpf's warnings of this thread instead of printing them, from construction to
// destruction. Not nested.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // All that was said: the verifier's log among it.
  const std::string& text() const { return text_; }
  // The line that most likely says why, in one line.
  std::string Reason() const;

  void Add(const std::string& line) { text_ += line; }

 private:
  std::string text_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_LIBBPF_LOG_H_
