// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_SENSOR_PROCESS_IMAGE_TEXT_H_
#define KENTRY_SENSOR_PROCESS_IMAGE_TEXT_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace kentry {

// The strings of a process image: immutable, shared by a process and the children it forks. The
// count is plain, not atomic, because all holders belong to the pipeline's thread: that is why this
// is no shared_ptr.
class ImageText {
 public:
  ImageText() = default;
  explicit ImageText(std::span<const uint8_t> bytes) {
    if (bytes.empty()) return;
    block_ = static_cast<Block*>(std::malloc(sizeof(Block) + bytes.size()));
    if (block_ == nullptr) throw std::bad_alloc();
    block_->refs = 1;
    block_->size = static_cast<uint32_t>(bytes.size());
    std::memcpy(block_ + 1, bytes.data(), bytes.size());
  }
  ImageText(const ImageText& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->refs;
  }
  ImageText(ImageText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  ImageText& operator=(ImageText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~ImageText() {
    if (block_ != nullptr && --block_->refs == 0) std::free(block_);
  }

  // Lives as long as any holder.
  std::string_view view() const {
    if (block_ == nullptr) return {};
    return {reinterpret_cast<const char*>(block_ + 1), block_->size};
  }

 private:
  struct Block {
    uint32_t refs;
    uint32_t size;
  };
  Block* block_ = nullptr;
};

}  // namespace kentry

#endif  // KENTRY_SENSOR_PROCESS_IMAGE_TEXT_H_
