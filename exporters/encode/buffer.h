// SPDX-License-Identifier: Apache-2.0
// A byte buffer that is written through a plain pointer: std::string clears what it grows by and
// checks its capacity at each append, which is most of an encoder's cost.
#ifndef KENTRY_EXPORTERS_ENCODE_BUFFER_H_
#define KENTRY_EXPORTERS_ENCODE_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace kentry {

// One thread. Grows as needed; memory is given back by Clear only.
class Buffer {
 public:
  // A place behind the contents with room for `n` bytes, valid until the next call of any member.
  // What is written there counts only after SetEnd.
  char* Room(size_t n) {
    if (capacity_ - size_ < n) Grow(n);
    return data_.get() + size_;
  }
  // As Room, but first takes what was written up to `end` as contents.
  char* Room(char* end, size_t n) {
    SetEnd(end);
    return Room(n);
  }
  // The contents end at `end`, a place inside the last Room.
  void SetEnd(const char* end) { size_ = static_cast<size_t>(end - data_.get()); }

  void Append(std::string_view bytes) {
    char* to = Room(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void Append(char byte) {
    *Room(1) = byte;
    ++size_;
  }

  // Cuts the contents to their first `size` bytes.
  void Truncate(size_t size) {
    if (size < size_) size_ = size;
  }
  // Empties it; memory above `keep` bytes is given back.
  void Clear(size_t keep);

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  // Valid until the next change.
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void Grow(size_t n);

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_BUFFER_H_
