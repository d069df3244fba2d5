// The one table between sconce's dtypes and libtorch's scalar types.
// Thread: pure functions, usable anywhere.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

#include "core/tensor.h"

namespace sconce::torch_engine {

c10::ScalarType ToTorch(DType dtype);

// Nothing for types that have no wire form (complex, quantised, float8 …).
std::optional<DType> FromTorch(c10::ScalarType type);

}  // namespace sconce::torch_engine
