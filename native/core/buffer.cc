#include "core/buffer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace sconce {

namespace {

std::byte* Allocate(std::size_t bytes) {
  return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{Buffer::kAlign}));
}

void Free(std::byte* bytes) { ::operator delete (bytes, std::align_val_t{Buffer::kAlign}); }

}  // namespace

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    Free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

Buffer::~Buffer() { Free(data_); }

void Buffer::Reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  std::byte* grown = Allocate(capacity);
  if (size_ > 0) std::memcpy(grown, data_, size_);
  Free(data_);
  data_ = grown;
  capacity_ = capacity;
}

void Buffer::Resize(std::size_t size) {
  Reserve(size);
  size_ = size;
}

void Buffer::Append(const void* bytes, std::size_t count) {
  if (count == 0) return;
  if (count > std::numeric_limits<std::size_t>::max() - size_) throw std::bad_alloc();
  const std::size_t needed = size_ + count;
  if (needed <= capacity_) {
    std::memcpy(data_ + size_, bytes, count);
    size_ = needed;
    return;
  }
  // `bytes` may point into this buffer, so the old storage lives until both parts are copied.
  const std::size_t doubled = capacity_ <= std::numeric_limits<std::size_t>::max() / 2 ? capacity_ * 2 : needed;
  Buffer grown(std::max({needed, doubled, kAlign}));
  if (size_ > 0) std::memcpy(grown.data_, data_, size_);
  std::memcpy(grown.data_ + size_, bytes, count);
  grown.size_ = needed;
  *this = std::move(grown);
}

}  // namespace sconce
