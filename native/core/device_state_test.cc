#include "core/device_state.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace sconce {
namespace {

constexpr std::size_t kMi = std::size_t{1} << 20;

TEST(DeviceState, PromisesNoMoreMemoryThanThereIs) {
  DeviceState state(CpuDevice(), 100 * kMi, 1);
  Result<DeviceState::Share> first = state.Reserve("resnet 1.0", 60 * kMi);
  ASSERT_TRUE(first.ok());
  const Result<DeviceState::Share> second = state.Reserve("bert 1.0", 50 * kMi);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kOutOfMemory);
  EXPECT_EQ(second.status().message(),
            "model bert 1.0 needs 50.0 MiB on cpu, where 40.0 MiB of 100.0 MiB are free (resnet 1.0 60.0 MiB); "
            "unregister a model, lower batchSize, or place it on another device (deviceIds)");
  EXPECT_TRUE(first->Change(45 * kMi).ok());
  EXPECT_TRUE(state.Reserve("bert 1.0", 50 * kMi).ok());  // and given back at once
  EXPECT_EQ(first->Change(101 * kMi).code(), Code::kOutOfMemory);
  EXPECT_EQ(first->bytes(), 45 * kMi);
  EXPECT_EQ(state.Figures().reserved_bytes, 45 * kMi);
  first = DeviceState::Share();
  EXPECT_EQ(state.Figures().reserved_bytes, 0U);
}

TEST(DeviceState, IsTakenOutOnceAndForGood) {
  std::vector<std::string> heard;
  DeviceState state(CpuDevice(), kMi, 1, [&](const std::string& reason) { heard.push_back(reason); });
  EXPECT_TRUE(state.in_service());
  state.TakeOut("an illegal memory access");
  state.TakeOut("another one");
  EXPECT_FALSE(state.in_service());
  EXPECT_EQ(heard, std::vector<std::string>{"an illegal memory access"});
  EXPECT_EQ(state.LostStatus().code(), Code::kDeviceLost);
  EXPECT_EQ(state.LostStatus().message(), "device cpu is out of service: an illegal memory access");
  EXPECT_EQ(state.Reserve("m", 1).status().code(), Code::kDeviceLost);
  EXPECT_EQ(state.Figures().reason, "an illegal memory access");
}

// Threads that wait for a slot one after the other; `order` is how they got it.
struct Queue {
  explicit Queue(DeviceState& its_state) : state(its_state) {}

  void Add(StreamPriority priority, int name) {
    const std::uint32_t before = state.Figures().waiting;
    threads.emplace_back([this, priority, name] {
      const DeviceState::Slot slot(state, priority);
      order.push_back(name);  // one slot, so one thread at a time
    });
    while (state.Figures().waiting == before) std::this_thread::yield();
  }
  void Join() {
    for (std::thread& thread : threads) thread.join();
  }

  DeviceState& state;
  std::vector<std::thread> threads;
  std::vector<int> order;
};

TEST(DeviceState, GivesSlotsInOrderOfArrival) {
  DeviceState state(CpuDevice(), kMi, 1);
  Queue queue(state);
  {
    const DeviceState::Slot slot(state, StreamPriority::kNormal);
    for (int i = 0; i < 5; ++i) queue.Add(StreamPriority::kNormal, i);
    EXPECT_EQ(state.Figures().running, 1U);
  }
  queue.Join();
  EXPECT_EQ(queue.order, (std::vector<int>{0, 1, 2, 3, 4}));
  const DeviceFigures figures = state.Figures();
  EXPECT_EQ(figures.running, 0U);
  EXPECT_EQ(figures.batches, 6U);
}

TEST(DeviceState, GivesHighPriorityTheFirstSlotButNotAll) {
  DeviceState state(CpuDevice(), kMi, 1);
  Queue queue(state);
  {
    const DeviceState::Slot slot(state, StreamPriority::kNormal);
    queue.Add(StreamPriority::kNormal, -1);
    for (int i = 0; i < DeviceState::kHighInARow + 2; ++i) queue.Add(StreamPriority::kHigh, i);
  }
  queue.Join();
  EXPECT_EQ(queue.order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, -1, 8, 9}));
}

TEST(DeviceState, RunsAsManyAtOnceAsItMay) {
  DeviceState state(CpuDevice(), kMi, 3);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int batch = 0; batch < 200; ++batch) {
        const DeviceState::Slot slot(state, StreamPriority::kNormal);
        const int now = ++running;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --running;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(state.Figures().batches, 1600U);
}

}  // namespace
}  // namespace sconce
