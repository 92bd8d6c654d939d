// SPDX-License-Identifier: Apache-2.0
#include "exporters/encode/buffer.h"

#include <algorithm>

namespace kentry {

void Buffer::Grow(size_t n) {
  const size_t capacity = std::max<size_t>({capacity_ * 2, size_ + n, 4096});
  auto data = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

void Buffer::Clear(size_t keep) {
  size_ = 0;
  if (capacity_ <= keep) return;
  data_.reset();
  capacity_ = 0;
}

}  // namespace kentry
