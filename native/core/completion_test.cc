#include "core/completion.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sconce {
namespace {

TaskPtr Make(std::uint32_t cookie) {
  auto task = std::make_unique<Task>();
  task->cookie = cookie;
  return task;
}

TEST(CompletionQueue, WakesOncePerDrain) {
  int wakes = 0;
  CompletionQueue queue([&] { ++wakes; });
  std::vector<TaskPtr> many;
  queue.PushMany(many);
  EXPECT_EQ(wakes, 0);
  queue.Push(Make(0));
  queue.Push(Make(1));
  many.push_back(Make(2));
  many.push_back(Make(3));
  queue.PushMany(many);
  EXPECT_TRUE(many.empty());
  EXPECT_EQ(wakes, 1);
  const std::vector<TaskPtr> ready = queue.Drain();
  ASSERT_EQ(ready.size(), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(ready[i]->cookie, i);
  EXPECT_TRUE(queue.Drain().empty());
  queue.Push(Make(4));
  EXPECT_EQ(wakes, 2);
}

TEST(CompletionQueue, AfterCloseTasksAreDestroyedAndNobodyIsWoken) {
  int wakes = 0;
  const auto flag = std::make_shared<std::atomic<bool>>(false);  // counts the tasks that live
  CompletionQueue queue([&] { ++wakes; });
  for (int i = 0; i < 2; ++i) {
    TaskPtr task = Make(0);
    task->cancelled = flag;
    queue.Push(std::move(task));
    if (i == 0) queue.Close();
    EXPECT_EQ(flag.use_count(), 1);
  }
  std::vector<TaskPtr> many;
  many.push_back(Make(1));
  queue.PushMany(many);
  EXPECT_TRUE(many.empty());
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(queue.closed());
  EXPECT_TRUE(queue.Drain().empty());
}

TEST(CompletionQueue, WakeIsOverWhenCloseReturns) {
  for (int round = 0; round < 300; ++round) {
    auto target = std::make_unique<std::atomic<int>>(0);
    std::atomic<int>* raw = target.get();
    CompletionQueue queue([raw] { raw->fetch_add(1); });
    std::thread pusher([&] {
      for (std::uint32_t i = 0; i < 20; ++i) queue.Push(Make(i));
    });
    if (round % 2 == 0) queue.Drain();
    queue.Close();
    target.reset();  // a late wake-up would touch freed memory
    pusher.join();
  }
}

}  // namespace
}  // namespace sconce
