// Byte storage: a 64-byte aligned growable buffer for request bodies, decoded tensors and encoded answers.
// Thread: a Buffer belongs to one owner at a time; moving it hands it over.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace sconce {

class Buffer {
 public:
  static constexpr std::size_t kAlign = 64;

  Buffer() = default;
  explicit Buffer(std::size_t capacity) { Reserve(capacity); }
  Buffer(Buffer&&) noexcept;
  Buffer& operator=(Buffer&&) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Throws std::bad_alloc. Growth is geometric in Append; Reserve is exact. New bytes are not initialised.
  void Reserve(std::size_t capacity);
  void Resize(std::size_t size);
  void Append(const void* bytes, std::size_t count);
  void Clear() { size_ = 0; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace sconce
