// SPDX-License-Identifier: Apache-2.0
// The rings of pinned hooks that another build, or one with other options, attached.
#ifndef KENTRY_SENSOR_KERNEL_OTHER_RINGS_H_
#define KENTRY_SENSOR_KERNEL_OTHER_RINGS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/abi/maps.h"
#include "sensor/kernel/pinned.h"
#include "sensor/kernel/ring_reader.h"
#include "sensor/util/fd.h"

namespace kentry {

class OtherRings {
 public:
  // What it opens stays readable when the pins are gone. kFailedPrecondition: its layout is not
  // this build's, nothing can be read.
  static absl::StatusOr<std::unique_ptr<OtherRings>> Open(const std::string& folder);
  ~OtherRings();
  OtherRings(const OtherRings&) = delete;
  OtherRings& operator=(const OtherRings&) = delete;

  // Epoch to the text that was kept with it.
  const std::map<uint32_t, std::string>& rules() const { return rules_; }
  const std::string& version() const { return version_; }
  // Whether its records are of this build's version.
  bool readable() const { return readable_; }
  // As RingReader::Drain.
  uint64_t Drain(uint64_t until_ns, RingReader::Sink sink) { return rings_->Drain(until_ns, sink); }
  // Records in the rings.
  uint64_t Pending() const {
    return rings_->Peek([](std::span<const uint8_t>) {});
  }
  // Records that found no room, of all CPUs and classes, and of which no reader told; 0 when that
  // can't be known.
  uint64_t UntoldLosses() const;

 private:
  OtherRings() = default;
  absl::Status OpenRings(const std::string& folder, const char* name);

  std::map<uint32_t, std::string> rules_;
  std::string version_;
  bool readable_ = false;
  std::vector<Fd> fds_;
  std::vector<uint32_t> sizes_;
  Fd stats_;
  Fd notes_;
  uint32_t cpus_ = 0;
  ke_reader shared_{};
  std::unique_ptr<RingReader> rings_;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_KERNEL_OTHER_RINGS_H_
