// Rows of requests into one tensor per input, with as few copies as the memory allows.
// Thread: a Collator belongs to one executor thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/task.h"

namespace sconce::torch_engine {

class Collator {
 public:
  // `copies`: the model may change or keep its inputs, so each batch gets memory of its own. What goes to a device is
  // copied anyway: it is always gathered in staging memory, which the device can read by itself.
  Collator(const Device& device, bool copies) : device_(device), copies_(copies && device.is_host()) {}

  // [rows, …] of input `input`. Rows have equal shapes. The tensor is valid until the next call for this input, or
  // for as long as the rows' storage lives when nothing had to be copied. Throws StatusError, std::bad_alloc.
  at::Tensor Gather(std::size_t input, std::span<const Row* const> rows);

  // Uninitialised memory for a batch of this shape; `*data` is where row 0 starts.
  at::Tensor Empty(std::size_t input, std::size_t rows, DType dtype, const Shape& shape, std::byte** data);

 private:
  struct Slot {  // what is kept of one input between batches
    std::unique_ptr<Staging> staging;
    DType dtype = DType::kFloat32;
    Shape shape;
    std::vector<at::Tensor> by_rows;  // [n]: a tensor of n rows on `staging`, when it was needed before
  };

  at::Tensor Kept(Slot& slot, std::size_t rows, DType dtype, const Shape& shape);

  const Device& device_;
  bool copies_;
  std::vector<Slot> slots_;
};

}  // namespace sconce::torch_engine
