// Single numbers of any dtype in memory, as doubles. For warm-up and tests; the request path never goes through here.
// Thread: pure functions.
#pragma once

#include <cstddef>

#include "core/tensor.h"

namespace sconce::torch_engine {

bool IsFloating(DType dtype);
void StoreNumber(DType dtype, double value, std::byte* to);  // integers are truncated, bool is value != 0
double LoadNumber(DType dtype, const std::byte* from);       // int64 beyond 2^53 is rounded

}  // namespace sconce::torch_engine
