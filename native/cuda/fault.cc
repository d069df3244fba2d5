#include "cuda/fault.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>

#include "core/cuda_error.h"

namespace sconce::cuda {
namespace {

// core/cuda_error.cc knows numbers only.
static_assert(cudaErrorMemoryAllocation == 2 && cudaErrorCudartUnloading == 4 && cudaErrorDevicesUnavailable == 46 &&
              cudaErrorNoDevice == 100 && cudaErrorECCUncorrectable == 214 && cudaErrorNvlinkUncorrectable == 220);
static_assert(cudaErrorIllegalAddress == 700 && cudaErrorLaunchTimeout == 702 && cudaErrorContextIsDestroyed == 709 &&
              cudaErrorAssert == 710 && cudaErrorHardwareStackError == 714 && cudaErrorIllegalInstruction == 715 &&
              cudaErrorMisalignedAddress == 716 && cudaErrorInvalidAddressSpace == 717 && cudaErrorInvalidPc == 718 &&
              cudaErrorLaunchFailure == 719);
static_assert(cudaErrorSystemNotReady == 802 && cudaErrorMpsRpcFailure == 806 && cudaErrorMpsClientTerminated == 810 &&
              cudaErrorExternalDevice == 911 && cudaErrorUnknown == 999);
#if CUDART_VERSION >= 13000
static_assert(cudaErrorContained == 226 && cudaErrorTensorMemoryLeak == 721);
#endif

// libtorch's words of a CUDA error go on with advice and a stack; the first line is enough.
std::string FirstLine(const char* text) {
  const std::string all(text);
  return all.substr(0, all.find('\n'));
}

}  // namespace

Status FromCuda(cudaError_t error, const std::string& what) {
  const Code code = CodeOfCudaError(error);
  if (code == Code::kOk) return Status::Ok();
  if (code != Code::kDeviceLost) static_cast<void>(cudaGetLastError());
  return {code, what + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")"};
}

Status CurrentFault(const std::string& what) {
  if (const cudaError_t left = cudaPeekAtLastError(); CodeOfCudaError(left) == Code::kDeviceLost) {
    return FromCuda(left, what);
  }
  static_cast<void>(cudaGetLastError());
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return {Code::kOutOfMemory, what + ": " + FirstLine(error.what_without_backtrace())};
  } catch (const c10::AcceleratorError& error) {
    // libtorch has taken the error from the thread when it threw: the number is all that is left of it.
    return FromCuda(static_cast<cudaError_t>(error.get_error_code()), what);
  } catch (const c10::Error& error) {
    const std::string line = FirstLine(error.what_without_backtrace());
    const bool memory = line.find("out of memory") != std::string::npos;
    return {memory ? Code::kOutOfMemory : Code::kInternal, what + ": " + line};
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, what + ": not enough memory"};
  } catch (const std::exception& error) {
    return {Code::kInternal, what + ": " + FirstLine(error.what())};
  } catch (...) {
    return {Code::kInternal, what + ": an unknown exception"};
  }
}

}  // namespace sconce::cuda
