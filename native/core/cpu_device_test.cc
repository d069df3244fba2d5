#include <gtest/gtest.h>

#include <cstring>

#include "core/device.h"

namespace sconce {
namespace {

TEST(CpuDevice, GivesAlignedMemory) {
  const Device& cpu = CpuDevice();
  EXPECT_EQ(cpu.name(), "cpu");
  EXPECT_TRUE(cpu.is_host());
  Result<std::unique_ptr<Staging>> staging = cpu.NewStaging(100);
  ASSERT_TRUE(staging.ok());
  EXPECT_EQ((*staging)->bytes(), 100U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*staging)->data()) % 64, 0U);
  std::memset((*staging)->data(), 1, 100);
}

TEST(CpuDevice, HasNothingToWaitFor) {
  const Device& cpu = CpuDevice();
  Result<std::unique_ptr<Stream>> stream = cpu.NewStream(StreamPriority::kHigh);
  Result<std::unique_ptr<Event>> event = cpu.NewEvent();
  ASSERT_TRUE(stream.ok() && event.ok());
  const StreamGuard guard(**stream);
  EXPECT_TRUE((*event)->Record(**stream).ok());
  EXPECT_TRUE((*event)->Wait().ok());
  EXPECT_TRUE((*stream)->Synchronise().ok());
  EXPECT_TRUE(cpu.Check().ok());
}

TEST(CpuDevice, KnowsTheHostsMemory) {
  const Result<DeviceMemory> memory = CpuDevice().Memory();
  ASSERT_TRUE(memory.ok());
  EXPECT_GT(memory.value().free_bytes, 0U);
  EXPECT_GE(memory.value().total_bytes, memory.value().free_bytes);
}

}  // namespace
}  // namespace sconce
