#include "core/cuda_error.h"

#include <algorithm>
#include <array>

namespace sconce {
namespace {

constexpr int kMemoryAllocation = 2;

// CUDA Runtime API, "Error Handling": those that leave "the process in an inconsistent state" or ask for a new process,
// and a driver that is gone. By number, because headers of CUDA 12 lack the names of the newest.
constexpr std::array kSticky = {
    4,    // cudaErrorCudartUnloading
    46,   // cudaErrorDevicesUnavailable
    100,  // cudaErrorNoDevice
    214,  // cudaErrorECCUncorrectable
    220,  // cudaErrorNvlinkUncorrectable
    226,  // cudaErrorContained
    700,  // cudaErrorIllegalAddress
    702,  // cudaErrorLaunchTimeout
    709,  // cudaErrorContextIsDestroyed
    710,  // cudaErrorAssert
    714,  // cudaErrorHardwareStackError
    715,  // cudaErrorIllegalInstruction
    716,  // cudaErrorMisalignedAddress
    717,  // cudaErrorInvalidAddressSpace
    718,  // cudaErrorInvalidPc
    719,  // cudaErrorLaunchFailure
    721,  // cudaErrorTensorMemoryLeak
    802,  // cudaErrorSystemNotReady
    806,  // cudaErrorMpsRpcFailure
    810,  // cudaErrorMpsClientTerminated
    911,  // cudaErrorExternalDevice
    999,  // cudaErrorUnknown
};

}  // namespace

Code CodeOfCudaError(int error) {
  if (error == 0) return Code::kOk;
  if (error == kMemoryAllocation) return Code::kOutOfMemory;
  return std::ranges::find(kSticky, error) != kSticky.end() ? Code::kDeviceLost : Code::kInternal;
}

}  // namespace sconce
