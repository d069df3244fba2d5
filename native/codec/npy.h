// NumPy's .npy format, versions 1 to 3 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
// Thread: pure functions.
#pragma once

#include <span>
#include <string_view>

#include "core/buffer.h"
#include "core/status.h"
#include "core/tensor.h"

namespace sconce::codec {

inline constexpr std::size_t kMaxNpyHeader = 65536;  // bytes of the header text

struct NpyArray {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::span<const std::byte> data;  // row-major little-endian, not aligned
};

// The array that `file` holds; refuses big-endian, Fortran order, other types, and a size that does not fit.
Status ParseNpy(std::span<const std::byte> file, NpyArray* array);

// Writes the preamble of a version 1 file (the data follow). kNotAcceptable for bfloat16, which NumPy lacks.
Status WriteNpyHeader(DType dtype, const Shape& shape, Buffer& out);

}  // namespace sconce::codec
