#include "cuda/fault.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>

namespace sconce::cuda {
namespace {

// CUDA Runtime API, "Error Handling": those that leave "the process in an inconsistent state", and a vanished driver.
constexpr std::array kSticky = {
    cudaErrorIllegalAddress,     cudaErrorLaunchTimeout,       cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,   cudaErrorInvalidAddressSpace,
    cudaErrorInvalidPc,          cudaErrorLaunchFailure,       cudaErrorAssert,
    cudaErrorECCUncorrectable,   cudaErrorNvlinkUncorrectable, cudaErrorContextIsDestroyed,
    cudaErrorCudartUnloading,    cudaErrorDevicesUnavailable,  cudaErrorSystemNotReady,
    cudaErrorNoDevice,           cudaErrorExternalDevice,      cudaErrorUnknown,
};

// libtorch keeps only words of a CUDA error; the first line is enough.
std::string FirstLine(const char* text) {
  const std::string all(text);
  return all.substr(0, all.find('\n'));
}

}  // namespace

bool IsSticky(cudaError_t error) { return std::ranges::find(kSticky, error) != kSticky.end(); }

Status FromCuda(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return Status::Ok();
  const std::string words = what + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
  if (IsSticky(error)) return {Code::kDeviceLost, words};
  static_cast<void>(cudaGetLastError());
  return {error == cudaErrorMemoryAllocation ? Code::kOutOfMemory : Code::kInternal, words};
}

Status CurrentFault(const std::string& what) {
  const cudaError_t left = cudaPeekAtLastError();
  if (IsSticky(left)) return FromCuda(left, what);
  static_cast<void>(cudaGetLastError());
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return {Code::kOutOfMemory, what + ": " + FirstLine(error.what_without_backtrace())};
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
