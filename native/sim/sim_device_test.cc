#include "sim/sim_device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "sim/sim_program.h"

namespace sconce::sim {
namespace {

// One thread, so every wait moves the time.
struct Rig {
  explicit Rig(SimSpec spec = {}) : device(std::move(spec), clock) {}

  std::unique_ptr<Staging> Host(int byte, std::size_t bytes = 8) {
    std::unique_ptr<Staging> staging = std::move(*device.NewStaging(bytes));
    std::memset(staging->data(), byte, bytes);
    return staging;
  }

  SimClock clock{SimClock::kVirtual};
  SimDevice device;
};

TEST(SimDevice, MovesBytesOnlyWhenSomebodyWaits) {
  Rig rig;
  const auto in = rig.Host(1);
  const auto out = rig.Host(0);
  const auto stream = std::move(*rig.device.NewStream(StreamPriority::kNormal));
  const auto event = std::move(*rig.device.NewEvent());
  Result<SimDevice::Allocation> memory = rig.device.Allocate(8);
  ASSERT_TRUE(rig.device.CopyIn(*stream, *memory, *in, 8).ok());
  ASSERT_TRUE(event->Record(*stream).ok());
  ASSERT_TRUE(rig.device.CopyOut(*stream, *out, *memory, 8).ok());
  std::memset(in->data(), 2, 8);  // too early: the copy has not been waited for
  ASSERT_TRUE(event->Wait().ok());
  EXPECT_EQ(out->data()[0], std::byte{0});
  ASSERT_TRUE(stream->Synchronise().ok());
  EXPECT_EQ(out->data()[0], std::byte{2});
}

TEST(SimDevice, SeesMemoryThatWasGivenBackTooEarly) {
  Rig rig;
  const auto in = rig.Host(1);
  const auto stream = std::move(*rig.device.NewStream(StreamPriority::kNormal));
  {
    Result<SimDevice::Allocation> memory = rig.device.Allocate(8);
    ASSERT_TRUE(rig.device.CopyIn(*stream, *memory, *in, 8).ok());
  }
  ASSERT_TRUE(stream->Synchronise().ok());
  EXPECT_EQ(rig.device.violations(), 1U);
}

TEST(SimDevice, OverlapsItsEnginesButNotOneStream) {
  Rig rig({.copy_bytes_per_ns = 0.5, .copy_latency_ns = 10});
  const auto in = rig.Host(1, 100);
  Result<SimDevice::Allocation> memory = rig.device.Allocate(100);
  const auto first = std::move(*rig.device.NewStream(StreamPriority::kNormal));
  const auto second = std::move(*rig.device.NewStream(StreamPriority::kNormal));
  for (const auto& stream : {first.get(), second.get()}) {
    ASSERT_TRUE(rig.device.CopyIn(*stream, *memory, *in, 100).ok());
    ASSERT_TRUE(rig.device.Launch(*stream, 210, {}, [] {}).ok());
  }
  ASSERT_TRUE(first->Synchronise().ok());
  EXPECT_EQ(rig.clock.now(), 420);  // 210 copied, 210 computed
  ASSERT_TRUE(second->Synchronise().ok());
  EXPECT_EQ(rig.clock.now(), 630);  // its copy ran under the first one's compute
  EXPECT_EQ(rig.device.compute_ns(), 420);
}

TEST(SimDevice, HasAMemoryLimit) {
  Rig rig({.memory_bytes = 100});
  std::optional<SimDevice::Allocation> held;
  {
    Result<SimDevice::Allocation> memory = rig.device.Allocate(60);
    ASSERT_TRUE(memory.ok());
    EXPECT_EQ(rig.device.Allocate(41).status().code(), Code::kOutOfMemory);
    held.emplace(std::move(*memory));
  }
  EXPECT_EQ(rig.device.Memory()->free_bytes, 40U);
  held.reset();
  EXPECT_EQ(rig.device.Memory()->free_bytes, 100U);
}

TEST(SimDevice, TellsOfAKernelsFaultWhoWaitsForIt) {
  Rig rig;
  rig.device.faults = [](SimOp op) { return op == SimOp::kLaunch ? Code::kDeviceLost : Code::kOk; };
  const auto stream = std::move(*rig.device.NewStream(StreamPriority::kNormal));
  EXPECT_TRUE(rig.device.Launch(*stream, 10, {}, [] {}).ok());
  EXPECT_TRUE(rig.device.Allocate(8).ok());
  EXPECT_EQ(stream->Synchronise().code(), Code::kDeviceLost);
  EXPECT_EQ(rig.device.Allocate(8).status().code(), Code::kDeviceLost);
  EXPECT_EQ(rig.device.NewStaging(8).status().code(), Code::kDeviceLost);
}

}  // namespace
}  // namespace sconce::sim
