#include "torch/collate.h"

#include <ATen/Functions.h>

#include <cstdint>
#include <cstring>
#include <new>

#include "core/buffer.h"
#include "torch/dtype.h"
#include "torch/failure.h"

namespace sconce::torch_engine {
namespace {

constexpr std::size_t kAlwaysCopyBelow = 16 * 1024;  // bytes of a batch: a kept tensor and a copy beat a new tensor
constexpr std::size_t kMaxKeptRows = 64;             // tensors kept per input

struct Sizes {
  std::array<std::int64_t, kMaxDims + 1> dims{};
  int count = 0;
  at::IntArrayRef ref() const { return {dims.data(), static_cast<std::size_t>(count)}; }
};

Sizes WithRows(std::size_t rows, const Shape& shape) {
  Sizes sizes;
  sizes.dims[0] = static_cast<std::int64_t>(rows);
  for (int i = 0; i < shape.size(); ++i) sizes.dims[static_cast<std::size_t>(i) + 1] = shape[i];
  sizes.count = shape.size() + 1;
  return sizes;
}

at::Tensor View(const std::byte* data, std::size_t rows, DType dtype, const Shape& shape) {
  const Sizes sizes = WithRows(rows, shape);
  return at::from_blob(const_cast<std::byte*>(data), sizes.ref(), at::TensorOptions(ToTorch(dtype)));
}

// Whether the rows lie back to back, as one aligned piece of memory.
bool OnePiece(std::size_t input, std::span<const Row* const> rows) {
  const TensorView& first = rows[0]->inputs[input];
  if (reinterpret_cast<std::uintptr_t>(first.data) % Buffer::kAlign != 0) return false;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    if (rows[r]->inputs[input].data != first.data + r * first.bytes) return false;
  }
  return true;
}

std::size_t RowBytes(DType dtype, const Shape& shape) {
  const std::optional<std::size_t> bytes = TensorBytes(shape, dtype);
  if (!bytes) throw std::bad_alloc();
  return *bytes;
}

}  // namespace

at::Tensor Collator::Kept(Slot& slot, std::size_t rows, DType dtype, const Shape& shape) {
  const std::size_t bytes = rows * RowBytes(dtype, shape);
  if (!slot.staging || slot.staging->bytes() < bytes || slot.dtype != dtype || !(slot.shape == shape)) {
    slot.by_rows.clear();
    if (!slot.staging || slot.staging->bytes() < bytes)
      slot.staging = OrThrow(device_.NewStaging(std::max(bytes, Buffer::kAlign)));
    slot.dtype = dtype;
    slot.shape = shape;
  }
  if (rows > kMaxKeptRows) return View(slot.staging->data(), rows, dtype, shape);
  if (slot.by_rows.size() <= rows) slot.by_rows.resize(rows + 1);
  at::Tensor& kept = slot.by_rows[rows];
  if (!kept.defined()) kept = View(slot.staging->data(), rows, dtype, shape);
  return kept;
}

at::Tensor Collator::Empty(std::size_t input, std::size_t rows, DType dtype, const Shape& shape, std::byte** data) {
  if (slots_.size() <= input) slots_.resize(input + 1);
  at::Tensor tensor = copies_ ? at::empty(WithRows(rows, shape).ref(), at::TensorOptions(ToTorch(dtype)))
                              : Kept(slots_[input], rows, dtype, shape);
  *data = static_cast<std::byte*>(tensor.data_ptr());
  return tensor;
}

at::Tensor Collator::Gather(std::size_t input, std::span<const Row* const> rows) {
  const TensorView& first = rows[0]->inputs[input];
  const std::size_t total = first.bytes * rows.size();
  if (!copies_ && device_.is_host() && total >= kAlwaysCopyBelow && OnePiece(input, rows)) {
    return View(first.data, rows.size(), first.dtype, first.shape);
  }
  std::byte* to = nullptr;
  at::Tensor tensor = Empty(input, rows.size(), first.dtype, first.shape, &to);
  for (const Row* row : rows) {
    if (first.bytes == 0) break;
    std::memcpy(to, row->inputs[input].data, first.bytes);
    to += first.bytes;
  }
  return tensor;
}

}  // namespace sconce::torch_engine
