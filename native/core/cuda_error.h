// What CUDA's error numbers say of the device, without CUDA: numbers are cudaError_t's, which never change their
// meaning. Thread: pure functions, usable anywhere.
#pragma once

#include "core/status.h"

namespace sconce {

// kOk of 0; kOutOfMemory; kDeviceLost of an error that stays, so that every later call of the process fails with it;
// kInternal of any other, after which the device works.
Code CodeOfCudaError(int error);

}  // namespace sconce
