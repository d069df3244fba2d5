#include "core/explain_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "core/fake_runner.h"
#include "core/router.h"

namespace sconce {
namespace {

struct Scene {
  explicit Scene(std::size_t capacity) : queue(capacity) {}
  ~Scene() { runner->OpenGate(); }

  TaskPtr Make(std::uint32_t cookie) const {
    TaskPtr task = fake::MakeTask(model, sink, cookie);
    task->explain = std::make_shared<ExplainSpec>();
    return task;
  }
  Status Submit(std::uint32_t cookie) {
    TaskPtr task = Make(cookie);
    return queue.Submit(task);
  }

  const std::shared_ptr<fake::FakeRunner> runner = std::make_shared<fake::FakeRunner>();
  const std::shared_ptr<Model> model = Model::Start(fake::Config(), runner);
  fake::Sink sink;
  ExplainQueue queue;
};

TEST(ExplainQueue, AnswersInOrderOnAThreadOfItsOwn) {
  Scene scene(4);
  scene.runner->guilty.insert(2);
  EXPECT_FALSE(scene.queue.busy());
  for (const std::uint32_t cookie : {1u, 2u, 3u}) ASSERT_TRUE(scene.Submit(cookie).ok());
  const std::vector<TaskPtr> done = scene.sink.Wait(3);
  EXPECT_EQ(fake::AnswerOf(*done[0]), 1u);
  EXPECT_EQ(done[1]->status.code(), Code::kModelError);
  EXPECT_EQ(fake::AnswerOf(*done[2]), 3u);
  EXPECT_EQ(done[2]->batch_rows, 1u);
  const CountersSnapshot counted = scene.model->counters().Read();
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kOk)], 2u);
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kModelError)], 1u);
}

TEST(ExplainQueue, AFullOneRefusesUntilSomebodyGivesUp) {
  Scene scene(2);
  scene.runner->CloseGate();
  ASSERT_TRUE(scene.Submit(1).ok());
  scene.runner->WaitForBatches(1);  // taken: it waits no more
  EXPECT_TRUE(scene.queue.busy());
  TaskPtr impatient = scene.Make(2);
  impatient->cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto flag = impatient->cancelled;
  ASSERT_TRUE(scene.queue.Submit(impatient).ok());
  ASSERT_TRUE(scene.Submit(3).ok());
  TaskPtr refused = scene.Make(4);
  const Status full = scene.queue.Submit(refused);
  EXPECT_EQ(full.code(), Code::kQueueFull);
  EXPECT_NE(full.message().find("2 explanations"), std::string::npos);
  EXPECT_NE(refused, nullptr);
  flag->store(true);
  EXPECT_TRUE(scene.queue.Submit(refused).ok());
  scene.runner->OpenGate();
  std::vector<TaskPtr> done = scene.sink.Wait(4);
  EXPECT_EQ(std::ranges::count_if(done, [](const TaskPtr& task) { return task->status.code() == Code::kCancelled; }),
            1);
  EXPECT_EQ(scene.runner->Seen().size(), 3u);
}

TEST(ExplainQueue, OneThatIsTooLateIsNotRun) {
  Scene scene(2);
  TaskPtr task = scene.Make(1);
  task->enqueued_ns = 1;
  task->deadline_ns = 2;
  ASSERT_TRUE(scene.queue.Submit(task).ok());
  EXPECT_EQ(scene.sink.WaitOne()->status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(scene.runner->Seen().empty());
}

TEST(ExplainQueue, SettingsThatMakeNoSenseAreRefusedAtOnce) {
  Scene scene(2);
  TaskPtr task = scene.Make(1);
  ExplainSpec spec;
  spec.steps = 0;
  task->explain = std::make_shared<ExplainSpec>(spec);
  EXPECT_EQ(scene.queue.Submit(task).code(), Code::kBadRequest);
  EXPECT_NE(task, nullptr);
}

TEST(ExplainQueue, WhatWaitsAtTheEndIsAnswered) {
  const auto runner = std::make_shared<fake::FakeRunner>();
  const auto model = Model::Start(fake::Config(), runner);
  fake::Sink sink;
  auto queue = std::make_unique<ExplainQueue>(4);
  runner->CloseGate();
  for (const std::uint32_t cookie : {1u, 2u}) {
    TaskPtr task = fake::MakeTask(model, sink, cookie);
    task->explain = std::make_shared<ExplainSpec>();
    ASSERT_TRUE(queue->Submit(task).ok());
  }
  runner->WaitForBatches(1);
  std::thread ending([&] { queue.reset(); });
  const TaskPtr left = sink.WaitOne();
  EXPECT_EQ(left->cookie, 2u);
  EXPECT_EQ(left->status.code(), Code::kDraining);
  runner->OpenGate();
  EXPECT_EQ(sink.WaitOne()->cookie, 1u);
  ending.join();
}

}  // namespace
}  // namespace sconce
