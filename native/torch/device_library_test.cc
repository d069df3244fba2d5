// What a file that is no device library of this version is answered. One that is has tests on simulated GPUs.
#include "torch/device_library.h"

#include <gtest/gtest.h>

namespace sconce::torch_engine {
namespace {

TEST(DeviceLibrary, WithoutTheEntryOfThisVersionItIsNotCalled) {
  const Result<const DeviceLibrary*> other = LoadDeviceLibrary("libm.so.6");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), Code::kInternal);
  EXPECT_EQ(other.status().message(),
            "libm.so.6 is of another version of sconce (it has no sconce_device_library_1): build it anew (npm run "
            "build:cuda)");
}

}  // namespace
}  // namespace sconce::torch_engine
