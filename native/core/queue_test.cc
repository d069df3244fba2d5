#include "core/queue.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/fake_runner.h"

namespace sconce {
namespace {

TaskPtr Make(std::uint32_t cookie, std::int64_t length = 4) {
  const fake::Sink sink;
  return fake::MakeTask(nullptr, sink, cookie, length);
}

void Push(TaskQueue& queue, TaskPtr task) {
  const std::uint64_t key = ShapeKey(*task);
  queue.Push(std::move(task), key);
}

std::vector<std::uint32_t> Cookies(const std::vector<TaskPtr>& tasks) {
  std::vector<std::uint32_t> cookies;
  for (const TaskPtr& task : tasks) cookies.push_back(task->cookie);
  return cookies;
}

using Numbers = std::vector<std::uint32_t>;

TEST(TaskQueue, IsBoundedAndFirstInFirstOut) {
  TaskQueue queue(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(queue.full());
    Push(queue, Make(i));
  }
  EXPECT_TRUE(queue.full());
  std::vector<TaskPtr> batch;
  std::vector<TaskPtr> dropped;
  EXPECT_EQ(queue.Take({.max_rows = 2}, 0, batch, dropped).take, 2u);
  EXPECT_EQ(Cookies(batch), (Numbers{0, 1}));
  EXPECT_EQ(queue.size(), 1u);
  queue.TakeAll(dropped);
  EXPECT_EQ(Cookies(dropped), (Numbers{2}));
  EXPECT_TRUE(queue.empty());
}

TEST(TaskQueue, WhatStaysKeepsItsOrder) {
  TaskQueue queue(100);
  for (std::uint32_t i = 0; i < 6; ++i) Push(queue, Make(i, 4 + i % 2));
  std::vector<TaskPtr> batch;
  std::vector<TaskPtr> dropped;
  queue.Take({.max_rows = 2}, 0, batch, dropped);
  EXPECT_EQ(Cookies(batch), (Numbers{0, 2}));
  batch.clear();
  queue.Take({.max_rows = 8}, 0, batch, dropped);
  EXPECT_EQ(Cookies(batch), (Numbers{1, 3, 5}));
  batch.clear();
  queue.Take({.max_rows = 8}, 0, batch, dropped);
  EXPECT_EQ(Cookies(batch), (Numbers{4}));
}

TEST(TaskQueue, EqualKeysOfDifferentShapesDoNotShare) {
  TaskQueue queue(100);
  queue.Push(Make(0, 4), 7);
  queue.Push(Make(1, 5), 7);
  queue.Push(Make(2, 4), 7);
  std::vector<TaskPtr> batch;
  std::vector<TaskPtr> dropped;
  EXPECT_EQ(queue.Take({.max_rows = 8}, 0, batch, dropped).take, 2u);
  EXPECT_EQ(Cookies(batch), (Numbers{0, 2}));
  EXPECT_EQ(queue.size(), 1u);
}

TEST(TaskQueue, DropsWhatNobodyWaitsFor) {
  TaskQueue queue(2);
  TaskPtr late = Make(0);
  late->enqueued_ns = 1'000'000;
  late->deadline_ns = 121'000'000;
  TaskPtr gone = Make(1);
  gone->cancelled = std::make_shared<std::atomic<bool>>(true);
  Push(queue, std::move(late));
  Push(queue, std::move(gone));
  Push(queue, Make(2));
  std::vector<TaskPtr> dropped;
  queue.DropDead(121'000'000, dropped);
  ASSERT_EQ(Cookies(dropped), (Numbers{0, 1}));
  EXPECT_EQ(dropped[0]->status.code(), Code::kDeadlineExceeded);
  EXPECT_NE(dropped[0]->status.message().find("120 ms"), std::string::npos);
  EXPECT_EQ(dropped[1]->status.code(), Code::kCancelled);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(TaskQueue, RandomUseLosesAndDoublesNothing) {
  std::mt19937 random(3);
  TaskQueue queue(5000);
  std::uint32_t next = 0;
  std::set<std::uint32_t> out;
  for (int step = 0; step < 20'000; ++step) {
    for (auto more = random() % 4; more > 0 && !queue.full(); --more) {
      TaskPtr task = Make(next++, 4 + static_cast<std::int64_t>(random() % 2));
      if (random() % 10 == 0) task->cancelled = std::make_shared<std::atomic<bool>>(true);
      Push(queue, std::move(task));
    }
    std::vector<TaskPtr> batch;
    std::vector<TaskPtr> dropped;
    queue.Take({.max_rows = 1 + static_cast<std::uint32_t>(random() % 3)}, 0, batch, dropped);
    for (auto* tasks : {&batch, &dropped}) {
      for (const TaskPtr& task : *tasks) EXPECT_TRUE(out.insert(task->cookie).second);
    }
    ASSERT_EQ(out.size() + queue.size(), next);
  }
}

}  // namespace
}  // namespace sconce
