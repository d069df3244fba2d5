#include "core/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "core/clock.h"
#include "core/fake_runner.h"

namespace sconce {
namespace {

using fake::AnswerOf;
using fake::FakeRunner;
using fake::MakeTask;
using fake::Sink;
using Sizes = std::vector<std::size_t>;

void SleepMs(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// One model with a fake runner, and the calling thread's sink.
struct World {
  explicit World(ModelConfig config) : model(Model::Start(std::move(config), runner)) {}
  ~World() {
    runner->OpenGate();
    model->Stop();
  }
  Status Submit(std::uint32_t cookie, std::int64_t length = 4) {
    TaskPtr task = MakeTask(model, sink, cookie, length);
    return model->Submit(task);
  }
  // Takes `lanes` lanes out of use: each holds one batch at the closed gate.
  void Occupy(std::size_t lanes = 1) {
    runner->CloseGate();
    for (std::size_t i = 0; i < lanes; ++i) {
      EXPECT_TRUE(Submit(1000 + static_cast<std::uint32_t>(i)).ok());
      runner->WaitForBatches(i + 1);
    }
  }
  std::map<std::uint32_t, TaskPtr> Wait(std::size_t count) {
    std::map<std::uint32_t, TaskPtr> tasks;
    for (TaskPtr& task : sink.Wait(count)) tasks[task->cookie] = std::move(task);
    return tasks;
  }

  const std::shared_ptr<FakeRunner> runner = std::make_shared<FakeRunner>();
  Sink sink;
  const std::shared_ptr<Model> model;
};

TEST(Model, AnswersALoneRequestAtOnce) {
  World world(fake::Config());
  ASSERT_TRUE(world.Submit(7).ok());
  const TaskPtr task = world.sink.WaitOne();
  EXPECT_TRUE(task->status.ok());
  EXPECT_EQ(AnswerOf(*task), 7u);
  EXPECT_EQ(task->batch_rows, 1u);
  EXPECT_LE(task->enqueued_ns, task->started_ns);
  EXPECT_LE(task->started_ns, task->finished_ns);
  const CountersSnapshot counted = world.model->counters().Read();
  EXPECT_EQ(counted.requests_by_code[0], 1u);
  EXPECT_EQ(counted.request_bytes, 10u);
  EXPECT_EQ(counted.response_bytes, 4u);
  EXPECT_EQ(counted.batches, 1u);
  EXPECT_EQ(counted.inline_batches, 0u);
}

TEST(Model, GathersWhileABatchRuns) {
  World world(fake::Config(4));
  world.Occupy();
  for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(world.Submit(i).ok());
  EXPECT_EQ(world.model->queue_depth(), 5u);
  EXPECT_EQ(world.model->in_flight(), 6u);
  world.runner->OpenGate();
  world.Wait(6);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{1, 4, 1}));
  EXPECT_EQ(world.model->queue_depth(), 0u);
}

TEST(Model, OneFreeLaneTakesAFullBatchWhenTheOtherIsBusy) {
  ModelConfig config = fake::Config(4);
  config.lanes = {{}, {}};
  World world(config);
  world.Occupy(2);
  for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(world.Submit(i).ok());
  world.runner->LetThrough(1);
  world.runner->WaitForBatches(3);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{1, 1, 4}));
}

TEST(Model, ALoneRequestGoesToTheWideLaneAndTheNextBesideIt) {
  ModelConfig config = fake::Config(4);
  config.lanes = {{.intra_op_threads = 1}, {.intra_op_threads = 2, .wide = true}, {.intra_op_threads = 1}};
  World world(config);
  world.Occupy(2);
  EXPECT_EQ(world.runner->Seen()[0].threads, 2);
  EXPECT_EQ(world.runner->Seen()[1].threads, 1);
  // Two cores: beside the wide lane one narrow lane runs, the third request waits.
  ASSERT_TRUE(world.Submit(1).ok());
  SleepMs(5);
  EXPECT_EQ(world.model->queue_depth(), 1u);
  world.runner->OpenGate();
  EXPECT_EQ(world.Wait(3).size(), 3u);
}

TEST(Model, MoreInstancesRunMoreBatchesAtOnce) {
  World world(fake::Config(1));
  world.Occupy();
  ASSERT_TRUE(world.Submit(1).ok());
  ASSERT_TRUE(world.Submit(2).ok());
  ASSERT_TRUE(world.model->Resize(3).ok());
  world.runner->WaitForBatches(3);
  EXPECT_EQ(world.model->queue_depth(), 0u);
  EXPECT_EQ(world.model->lanes(), 3);
}

TEST(Model, ALaneThatIsTooManyFinishesItsBatch) {
  ModelConfig config = fake::Config(1);
  config.lanes = {{}, {}};
  World world(config);
  world.Occupy(2);
  ASSERT_TRUE(world.Submit(1).ok());
  ASSERT_TRUE(world.model->Resize(1).ok());
  EXPECT_EQ(world.model->instances(), 1);
  EXPECT_EQ(world.model->lanes(), 2);  // it still runs
  world.runner->OpenGate();
  EXPECT_EQ(world.Wait(3).size(), 3u);
  while (world.model->lanes() != 1) SleepMs(1);
  ASSERT_TRUE(world.Submit(2).ok());
  EXPECT_TRUE(world.sink.WaitOne()->status.ok());
}

TEST(Model, WithoutInstancesWhatWaitsIsAnsweredAndNothingNewIsTaken) {
  ModelConfig config = fake::Config(1);
  config.executor = ExecutorChoice::kInline;
  World world(config);
  EXPECT_TRUE(world.model->InlineNow());
  world.Occupy();
  ASSERT_TRUE(world.Submit(1).ok());
  ASSERT_TRUE(world.Submit(2).ok());
  ASSERT_TRUE(world.model->Resize(0).ok());
  EXPECT_FALSE(world.model->InlineNow());
  const Status refused = world.Submit(3);
  EXPECT_EQ(refused.code(), Code::kNotReady);
  EXPECT_NE(refused.message().find("has no worker"), std::string::npos);
  world.runner->OpenGate();
  EXPECT_EQ(world.Wait(3).size(), 3u);
  while (world.model->lanes() != 0) SleepMs(1);
  ASSERT_TRUE(world.model->Resize(1).ok());
  EXPECT_TRUE(world.model->InlineNow());
  ASSERT_TRUE(world.Submit(4).ok());
  EXPECT_TRUE(world.sink.WaitOne()->status.ok());
}

TEST(Model, OneLaneStaysOneLane) {
  for (const bool stateful : {false, true}) {
    ModelConfig config = fake::Config(1);
    config.stateful = stateful;
    config.one_lane = true;
    config.lanes = {{.intra_op_threads = 2, .wide = false}};
    World world(config);
    ASSERT_TRUE(world.model->Resize(4).ok());
    EXPECT_EQ(world.model->instances(), 1);
    EXPECT_EQ(world.model->lanes(), 1);
    // The lane that is revived is the one that still runs, so two batches never run at once.
    world.Occupy();
    ASSERT_TRUE(world.model->Resize(0).ok());
    ASSERT_TRUE(world.model->Resize(1).ok());
    EXPECT_EQ(world.model->lanes(), 1);
    ASSERT_TRUE(world.Submit(1).ok());
    SleepMs(2);
    EXPECT_EQ(world.runner->Seen().size(), 1u);
    world.runner->OpenGate();
    EXPECT_EQ(world.Wait(2).size(), 2u);
  }
}

TEST(Model, TheDelayWaitsForAFullBatch) {
  ModelConfig config = fake::Config(3);
  config.max_batch_delay_ns = 3'600'000'000'000;
  World world(config);
  ASSERT_TRUE(world.Submit(0).ok());
  ASSERT_TRUE(world.Submit(1).ok());
  SleepMs(5);
  EXPECT_EQ(world.model->queue_depth(), 2u);
  ASSERT_TRUE(world.Submit(2).ok());
  world.Wait(3);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{3}));
}

TEST(Model, TheDelayEnds) {
  ModelConfig config = fake::Config(3);
  config.max_batch_delay_ns = 20'000'000;
  World world(config);
  ASSERT_TRUE(world.Submit(0).ok());
  const TaskPtr task = world.sink.WaitOne();
  EXPECT_GE(task->started_ns - task->enqueued_ns, config.max_batch_delay_ns);
}

TEST(Model, TheQueueIsBoundedAndDeadTasksMakeRoom) {
  ModelConfig config = fake::Config(4);
  config.queue_capacity = 2;
  World world(config);
  world.Occupy();
  TaskPtr gone = MakeTask(world.model, world.sink, 0);
  const auto cancelled = gone->cancelled = std::make_shared<std::atomic<bool>>(false);
  ASSERT_TRUE(world.model->Submit(gone).ok());
  ASSERT_TRUE(world.Submit(1).ok());
  TaskPtr refused = MakeTask(world.model, world.sink, 2);
  const Status status = world.model->Submit(refused);
  EXPECT_EQ(status.code(), Code::kQueueFull);
  EXPECT_NE(status.message().find("jobQueueSize"), std::string::npos);
  ASSERT_NE(refused, nullptr);
  cancelled->store(true);
  SleepMs(2);  // the queue is searched at most once a millisecond
  refused->enqueued_ns = MonotonicNs();
  EXPECT_TRUE(world.model->Submit(refused).ok());
  EXPECT_EQ(world.sink.WaitOne()->status.code(), Code::kCancelled);
}

TEST(Model, CancelledAndExpiredTasksAreNotRun) {
  World world(fake::Config(4));
  world.Occupy();
  TaskPtr gone = MakeTask(world.model, world.sink, 1);
  gone->cancelled = std::make_shared<std::atomic<bool>>(true);
  ASSERT_TRUE(world.model->Submit(gone).ok());
  TaskPtr late = MakeTask(world.model, world.sink, 2);
  late->deadline_ns = late->enqueued_ns + 1'000'000;
  ASSERT_TRUE(world.model->Submit(late).ok());
  ASSERT_TRUE(world.Submit(3).ok());
  SleepMs(2);
  world.runner->OpenGate();
  const auto tasks = world.Wait(4);
  EXPECT_EQ(tasks.at(1)->status.code(), Code::kCancelled);
  EXPECT_EQ(tasks.at(2)->status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(tasks.at(3)->status.ok());
  EXPECT_EQ(world.runner->Sizes(), (Sizes{1, 1}));
}

TEST(Model, AnAnswerAfterTheDeadlineIs504) {
  ModelConfig config = fake::Config(4);
  config.response_timeout_ns = 2'000'000;
  World world(config);
  world.runner->on_batch = [](std::span<Task* const>) { SleepMs(5); };
  ASSERT_TRUE(world.Submit(1).ok());
  const TaskPtr task = world.sink.WaitOne();
  EXPECT_EQ(task->status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(task->answer.size(), 0u);
}

TEST(Model, StopFailsWhatWaitsAndFinishesWhatRuns) {
  World world(fake::Config(4));
  world.Occupy();
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(world.Submit(i).ok());
  std::thread stopper([&] { world.model->Stop(); });
  for (TaskPtr& task : world.sink.Wait(3)) EXPECT_EQ(task->status.code(), Code::kNotReady);
  EXPECT_EQ(world.Submit(9).code(), Code::kNotReady);
  world.runner->OpenGate();
  stopper.join();
  EXPECT_TRUE(world.sink.WaitOne()->status.ok());
  world.model->Stop();
  EXPECT_EQ(world.model->in_flight(), 0u);
}

TEST(Model, OnlyTheGuiltySampleFails) {
  World world(fake::Config(4));
  world.runner->guilty = {2};
  world.Occupy();
  for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(world.Submit(i).ok());
  world.runner->OpenGate();
  for (const auto& [cookie, task] : world.Wait(5)) {
    EXPECT_EQ(task->status.code(), cookie == 2 ? Code::kModelError : Code::kOk) << cookie;
  }
}

TEST(Model, StatefulKeepsTheOrderOnOneLaneWithoutReruns) {
  ModelConfig config = fake::Config(4);
  config.stateful = true;
  config.lanes = {{.intra_op_threads = 1}, {.intra_op_threads = 2, .wide = true}, {.intra_op_threads = 1}};
  World world(config);
  world.Occupy();
  for (std::uint32_t i = 0; i < 6; ++i) ASSERT_TRUE(world.Submit(i, i == 2 ? 5 : 4).ok());
  world.runner->OpenGate();
  world.Wait(7);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{1, 2, 1, 3}));
  std::vector<std::uint32_t> order;
  for (const fake::BatchSeen& batch : world.runner->Seen()) {
    EXPECT_EQ(batch.threads, 2);
    EXPECT_FALSE(batch.allow_rerun);
    order.insert(order.end(), batch.cookies.begin(), batch.cookies.end());
  }
  EXPECT_TRUE(std::is_sorted(order.begin() + 1, order.end()));
}

TEST(Model, SeveralSinksEachGetTheirOwn) {
  World world(fake::Config(4));
  Sink other;
  world.Occupy();
  for (std::uint32_t i = 0; i < 4; ++i) {
    TaskPtr task = MakeTask(world.model, i % 2 == 0 ? world.sink : other, i);
    ASSERT_TRUE(world.model->Submit(task).ok());
  }
  world.runner->OpenGate();
  for (const TaskPtr& task : other.Wait(2)) EXPECT_EQ(task->cookie % 2, 1u);
  for (const auto& [cookie, task] : world.Wait(3)) EXPECT_EQ(cookie % 2, 0u);
}

TEST(Model, GoesInlineAfterProbation) {
  World world(fake::Config(1));
  EXPECT_FALSE(world.model->InlineNow());
  for (int i = 0; i < 10 * kInlineProbation && !world.model->InlineNow(); ++i) {
    ASSERT_TRUE(world.Submit(1).ok());
    world.sink.WaitOne();
  }
  EXPECT_TRUE(world.model->InlineNow());
  EXPECT_EQ(world.model->executor(), ExecutorChoice::kInline);
  EXPECT_NE(world.model->executor_reason().find("100 batches"), std::string::npos);
}

TEST(Model, TheLastPinMayGoOnALane) {
  std::atomic<bool> destroyed{false};
  {
    auto runner = std::make_shared<FakeRunner>();
    runner->on_destroy = [&] { destroyed = true; };
    Sink sink;
    auto model = Model::Start(fake::Config(), runner);
    runner->CloseGate();
    TaskPtr task = MakeTask(model, sink, 1);
    ASSERT_TRUE(model->Submit(task).ok());
    runner->WaitForBatches(1);
    sink.queue->Close();  // the task, and with it the only pin, will end on the lane
    const std::weak_ptr<Model> watch = model;
    model.reset();
    EXPECT_FALSE(watch.expired());
    runner->OpenGate();
    while (!watch.expired()) std::this_thread::yield();
  }
  // The last pin is gone a moment before the reaper is told of the model.
  const std::int64_t patience = MonotonicNs() + 10'000'000'000;
  while (!destroyed && MonotonicNs() < patience) WaitForDroppedModels();
  EXPECT_TRUE(destroyed);
}

TEST(Model, StopOnItsOwnLaneOnlyCloses) {
  World world(fake::Config());
  world.runner->on_batch = [](std::span<Task* const> batch) { batch[0]->model->Stop(); };
  ASSERT_TRUE(world.Submit(1).ok());
  EXPECT_TRUE(world.sink.WaitOne()->status.ok());
  EXPECT_EQ(world.Submit(2).code(), Code::kNotReady);
  EXPECT_FALSE(world.model->InlineNow());
}

}  // namespace
}  // namespace sconce
