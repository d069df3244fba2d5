#include "core/cuda_error.h"

#include <gtest/gtest.h>

namespace sconce {
namespace {

TEST(CudaError, MemoryIsNotTheDevicesEnd) {
  EXPECT_EQ(CodeOfCudaError(0), Code::kOk);
  EXPECT_EQ(CodeOfCudaError(2), Code::kOutOfMemory);
}

TEST(CudaError, WhatStaysLosesTheDevice) {
  for (const int error : {214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 911, 999}) {
    EXPECT_EQ(CodeOfCudaError(error), Code::kDeviceLost) << error;
  }
  // Contained, tensor memory leak, the MPS server's end of this client: newer than CUDA 12.0.
  for (const int error : {226, 721, 806, 810}) EXPECT_EQ(CodeOfCudaError(error), Code::kDeviceLost) << error;
}

TEST(CudaError, ACallsOwnFailureLeavesTheDevice) {
  // An invalid value, no kernel for the architecture, not ready, too many resources, a cooperative launch too large,
  // not permitted, a captured stream.
  for (const int error : {1, 209, 600, 701, 720, 800, 900}) {
    EXPECT_EQ(CodeOfCudaError(error), Code::kInternal) << error;
  }
}

}  // namespace
}  // namespace sconce
