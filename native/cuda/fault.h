// From CUDA's errors to Status: what a batch may survive, what a device does not.
// Thread: pure functions, usable anywhere.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "core/status.h"

namespace sconce::cuda {

// What core/cuda_error.h makes of it, with CUDA's own words. An error that does not stay is taken from the thread, so
// that the next call does not report it again.
Status FromCuda(cudaError_t error, const std::string& what);

// Call inside a catch block: what libtorch threw.
Status CurrentFault(const std::string& what);

}  // namespace sconce::cuda
