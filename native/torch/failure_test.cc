#include "torch/failure.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace sconce::torch_engine {
namespace {

TEST(FailureLine, TakesTheErrorFromAnInterpreterStack) {
  const char* what =
      "The following operation failed in the TorchScript interpreter.\n"
      "Traceback of TorchScript, serialized code (most recent call last):\n"
      "  File \"code/__torch__/model.py\", line 10, in forward\n"
      "    x: Tensor) -> Tensor:\n"
      "    raise Error: not this one\n"
      "\n"
      "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x3 and 16x64)\n";
  EXPECT_EQ(FailureLine(what), "mat1 and mat2 shapes cannot be multiplied (1x3 and 16x64)");
}

TEST(FailureLine, KeepsTheNameOfAPythonException) {
  const char* what =
      "The following operation failed in the TorchScript interpreter.\n  stack\nbuiltins.ValueError: no\n";
  EXPECT_EQ(FailureLine(what), "builtins.ValueError: no");
}

TEST(FailureLine, LeavesPathsAndFurtherLinesOut) {
  EXPECT_EQ(FailureLine("open failed for /srv/models/secret/model.pt today\nsecond line"), "open failed for (…) today");
  EXPECT_EQ(FailureLine("assert at ../aten/src/ATen/native/Pool.cpp:12"), "assert at (…)");
}

TEST(FailureLine, IsBoundedAndNeverEmpty) {
  EXPECT_EQ(FailureLine(""), "no reason given");
  std::string accents;
  for (int i = 0; i < 1000; ++i) accents += "é";
  const std::string line = FailureLine(accents);
  EXPECT_EQ(line.size(), kMaxFailureBytes);
  EXPECT_EQ(line.substr(line.size() - 2), "é");
}

Status Caught(void (*fail)()) {
  try {
    fail();
  } catch (...) {
    return CurrentFailure(Code::kModelError, "the model raised");
  }
  return Status::Ok();
}

TEST(CurrentFailure, TellsMemoryFromOtherFailures) {
  EXPECT_EQ(Caught([] { throw std::bad_alloc(); }).code(), Code::kOutOfMemory);
  EXPECT_EQ(Caught([] { throw std::runtime_error("DefaultCPUAllocator: can't allocate memory"); }).code(),
            Code::kOutOfMemory);
  const Status other = Caught([] { throw std::runtime_error("odd"); });
  EXPECT_EQ(other.code(), Code::kModelError);
  EXPECT_EQ(other.message(), "the model raised: odd");
  EXPECT_EQ(Caught([] { throw 7; }).message(), "the model raised: an unknown exception");
}

TEST(CurrentFailure, KnowsADevicesFailuresByNumberAndByName) {
  const auto thrown = [](int error, const char* words) {
    try {
      throw c10::AcceleratorError({__func__, __FILE__, __LINE__}, error, words);
    } catch (...) {
      return CurrentFailure(Code::kInternal, "copying failed");
    }
  };
  const Status lost = thrown(700, "CUDA error: an illegal memory access was encountered\nadvice");
  EXPECT_EQ(lost.code(), Code::kDeviceLost);
  EXPECT_EQ(lost.message(), "copying failed: CUDA error: an illegal memory access was encountered");
  EXPECT_EQ(thrown(2, "CUDA error: out of memory").code(), Code::kOutOfMemory);
  EXPECT_EQ(thrown(209, "CUDA error: no kernel image").code(), Code::kInternal);
  EXPECT_EQ(Caught([] {
              throw std::runtime_error("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`");
            }).code(),
            Code::kOutOfMemory);
  EXPECT_EQ(Caught([] {
              throw std::runtime_error("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED");
            }).code(),
            Code::kOutOfMemory);
}

TEST(Failure, AStatusComesThroughAsItWas) {
  try {
    OrThrow(Result<int>(Status(Code::kDeviceLost, "gone")));
    FAIL();
  } catch (...) {
    const Status status = CurrentFailure(Code::kInternal, "prefix");
    EXPECT_EQ(status.code(), Code::kDeviceLost);
    EXPECT_EQ(status.message(), "gone");
  }
  EXPECT_EQ(OrThrow(Result<int>(3)), 3);
}

}  // namespace
}  // namespace sconce::torch_engine
