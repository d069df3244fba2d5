// Tensors as plain bytes with a dtype and a shape: what codecs produce and runners consume. No libtorch here.
// Thread: values; a TensorView does not own its bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sconce {

inline constexpr int kMaxDims = 16;        // dimensions a tensor may have
inline constexpr int kMaxTensors = 256;    // tensors in one request or declaration
inline constexpr int kMaxNameBytes = 256;  // bytes in a tensor's name

enum class DType : std::uint8_t {
  kBool,
  kUint8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
};

std::size_t ByteSize(DType dtype);
const char* DTypeName(DType dtype);                      // "bool", "uint8", … "float64" (PyTorch's words)
std::optional<DType> ParseDType(std::string_view name);  // also "fp32", "FP32", "half", "float", "long", "double"…

// At most kMaxDims sizes; -1 in a declaration means any length.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    for (auto d : dims) push_back(d);
  }
  explicit Shape(std::span<const std::int64_t> dims) {
    for (auto d : dims) push_back(d);
  }

  bool push_back(std::int64_t dim) {  // false when full
    if (size_ == kMaxDims) return false;
    dims_[static_cast<std::size_t>(size_++)] = dim;
    return true;
  }
  int size() const { return size_; }
  std::int64_t operator[](int i) const { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](int i) { return dims_[static_cast<std::size_t>(i)]; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), static_cast<std::size_t>(size_)}; }
  bool operator==(const Shape& other) const;
  bool IsStatic() const;                      // no -1
  bool Matches(const Shape& declared) const;  // same rank, equal wherever declared is not -1
  std::string ToString() const;               // "[3, 224, 224]"

 private:
  std::array<std::int64_t, kMaxDims> dims_{};
  int size_ = 0;
};

// Product of the sizes; nothing when one is negative or the product does not fit int64.
std::optional<std::int64_t> ElementCount(const Shape& shape);
// ElementCount × ByteSize with the same rule.
std::optional<std::size_t> TensorBytes(const Shape& shape, DType dtype);

struct TensorView {
  DType dtype = DType::kFloat32;
  Shape shape;                      // without the batch dimension
  const std::byte* data = nullptr;  // row-major, contiguous, aligned to the element size
  std::size_t bytes = 0;
  bool present = true;  // false: an optional input that was not sent
};

}  // namespace sconce
