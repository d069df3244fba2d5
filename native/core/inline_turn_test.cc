#include "core/inline_turn.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/fake_runner.h"

namespace sconce {
namespace {

using fake::AnswerOf;
using fake::FakeRunner;
using fake::MakeTask;
using fake::Sink;
using Sizes = std::vector<std::size_t>;

ModelConfig InlineConfig(std::uint32_t max_rows) {
  ModelConfig config = fake::Config(max_rows);
  config.executor = ExecutorChoice::kInline;
  return config;
}

// A batch of the fake takes microseconds, and longer than the real budget on a machine that is busy elsewhere.
constexpr std::int64_t kNoHandOverNs = 3'600'000'000'000;

struct World {
  explicit World(ModelConfig config, std::int64_t budget_ns = kNoHandOverNs)
      : model(Model::Start(std::move(config), runner)), turn(budget_ns) {}
  ~World() {
    runner->OpenGate();
    model->Stop();
  }
  bool Add(TaskPtr task) {
    bool inlined = false;
    EXPECT_TRUE(turn.Add(task, &inlined).ok());
    return inlined;
  }
  bool Add(std::uint32_t cookie, std::int64_t length = 4) { return Add(MakeTask(model, sink, cookie, length)); }

  const std::shared_ptr<FakeRunner> runner = std::make_shared<FakeRunner>();
  const std::shared_ptr<Model> model;
  Sink sink;
  InlineTurn turn;
};

TEST(InlineTurn, OneTurnIsOneBatch) {
  World world(InlineConfig(4));
  EXPECT_TRUE(world.turn.empty());
  EXPECT_TRUE(world.turn.Flush().empty());
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_TRUE(world.Add(i));
  EXPECT_FALSE(world.turn.empty());
  const std::vector<TaskPtr> done = world.turn.Flush();
  EXPECT_TRUE(world.turn.empty());
  ASSERT_EQ(done.size(), 6u);
  for (std::uint32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(AnswerOf(*done[i]), i);
    EXPECT_EQ(done[i]->batch_rows, i < 4 ? 4u : 2u);
  }
  EXPECT_EQ(world.runner->Sizes(), (Sizes{4, 2}));
  const CountersSnapshot counted = world.model->counters().Read();
  EXPECT_EQ(counted.inline_batches, 2u);
  EXPECT_EQ(counted.requests_by_code[0], 6u);
  EXPECT_EQ(counted.rows, 6u);
}

TEST(InlineTurn, ShapesDoNotMix) {
  World world(InlineConfig(4));
  for (std::uint32_t i = 0; i < 4; ++i) world.Add(i, i % 2 == 0 ? 4 : 5);
  EXPECT_EQ(world.turn.Flush().size(), 4u);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{2, 2}));
}

TEST(InlineTurn, TheBudgetHandsTheRestToALane) {
  World world(InlineConfig(1), kInlineTurnBudgetNs);
  world.runner->spin_us = 300;
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_TRUE(world.Add(i));
  const std::vector<TaskPtr> done = world.turn.Flush();
  // Two batches use the budget up; one does when the machine is slow.
  EXPECT_GE(done.size(), 1u);
  EXPECT_LE(done.size(), 2u);
  std::vector<TaskPtr> all = world.sink.Wait(6 - done.size());
  EXPECT_EQ(world.model->counters().Read().inline_batches, done.size());
  EXPECT_EQ(world.model->counters().Read().requests_by_code[0], 6u);
  for (const TaskPtr& task : all) EXPECT_GE(task->cookie, done.size());
}

TEST(InlineTurn, ModelsShareTheBudget) {
  World first(InlineConfig(1), kInlineTurnBudgetNs);
  World second(InlineConfig(1));
  first.runner->spin_us = second.runner->spin_us = 600;
  first.Add(0);
  TaskPtr task = MakeTask(second.model, first.sink, 1);
  bool inlined = false;
  ASSERT_TRUE(first.turn.Add(task, &inlined).ok());
  EXPECT_TRUE(inlined);
  EXPECT_EQ(first.turn.Flush().size(), 1u);
  first.sink.WaitOne();
}

TEST(InlineTurn, AHandOverIsNotRefusedForAFullQueue) {
  ModelConfig config = InlineConfig(1);
  config.queue_capacity = 1;
  World world(config, kInlineTurnBudgetNs);
  world.runner->spin_us = 600;
  for (std::uint32_t i = 0; i < 5; ++i) world.Add(i);
  const std::size_t done = world.turn.Flush().size();
  for (const TaskPtr& task : world.sink.Wait(5 - done)) EXPECT_TRUE(task->status.ok());
}

TEST(InlineTurn, WithABacklogNewTasksQueueUp) {
  World world(InlineConfig(1));
  world.runner->CloseGate();
  for (std::uint32_t i = 0; i < 2; ++i) {
    TaskPtr task = MakeTask(world.model, world.sink, i);
    ASSERT_TRUE(world.model->Submit(task).ok());
    world.runner->WaitForBatches(1);
  }
  EXPECT_EQ(world.model->queue_depth(), 1u);
  EXPECT_FALSE(world.model->InlineNow());
  EXPECT_FALSE(world.Add(2));
  EXPECT_TRUE(world.turn.empty());
  world.runner->OpenGate();
  world.sink.Wait(3);
  EXPECT_TRUE(world.model->InlineNow());
}

TEST(InlineTurn, AFailedBatchIsRunAgainOnALane) {
  World world(InlineConfig(4));
  world.runner->guilty = {2};
  for (std::uint32_t i = 0; i < 4; ++i) world.Add(i);
  EXPECT_TRUE(world.turn.Flush().empty());
  for (const TaskPtr& task : world.sink.Wait(4)) {
    EXPECT_EQ(task->status.code(), task->cookie == 2 ? Code::kModelError : Code::kOk);
    EXPECT_TRUE(task->cookie == 2 || AnswerOf(*task) == task->cookie);
  }
  EXPECT_FALSE(world.runner->Seen()[0].allow_rerun);
  EXPECT_TRUE(world.runner->Seen().back().allow_rerun);
  const CountersSnapshot counted = world.model->counters().Read();
  EXPECT_EQ(counted.requests_by_code[0], 3u);
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kModelError)], 1u);
}

TEST(InlineTurn, ALoneFailureIsFinal) {
  World world(InlineConfig(4));
  world.runner->guilty = {1};
  world.Add(1);
  const std::vector<TaskPtr> done = world.turn.Flush();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0]->status.code(), Code::kModelError);
  EXPECT_EQ(world.runner->Sizes(), (Sizes{1}));
}

TEST(InlineTurn, PicturesAndTooManyRowsGoToALane) {
  World world(InlineConfig(2));
  TaskPtr picture = MakeTask(world.model, world.sink, 0);
  picture->is_image = true;
  EXPECT_FALSE(world.Add(std::move(picture)));
  TaskPtr wide = MakeTask(world.model, world.sink, 1);
  for (int i = 0; i < 2; ++i) wide->rows.push_back(wide->rows[0]);
  EXPECT_FALSE(world.Add(std::move(wide)));
  EXPECT_EQ(world.sink.Wait(2).size(), 2u);
  EXPECT_EQ(world.model->counters().Read().inline_batches, 0u);
}

TEST(InlineTurn, DeadTasksAreFinishedWithoutARun) {
  ModelConfig config = InlineConfig(4);
  config.response_timeout_ns = 1;
  World world(config);
  TaskPtr gone = MakeTask(world.model, world.sink, 0);
  gone->cancelled = std::make_shared<std::atomic<bool>>(true);
  world.Add(std::move(gone));
  TaskPtr late = MakeTask(world.model, world.sink, 1);
  late->enqueued_ns -= 1'000'000;
  world.Add(std::move(late));
  const std::vector<TaskPtr> done = world.turn.Flush();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0]->status.code(), Code::kCancelled);
  EXPECT_EQ(done[1]->status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(world.runner->Seen().empty());
  EXPECT_EQ(world.model->counters().Read().batches, 0u);
}

TEST(InlineTurn, DoesNotKeepAModelFromBeingUnloaded) {
  bool destroyed = false;
  InlineTurn turn;
  const Sink sink;
  auto runner = std::make_shared<FakeRunner>();
  runner->on_destroy = [&] { destroyed = true; };
  auto model = Model::Start(InlineConfig(4), std::move(runner));
  TaskPtr task = MakeTask(model, sink, 0);
  bool inlined = false;
  ASSERT_TRUE(turn.Add(task, &inlined).ok());
  turn.Flush();
  const std::weak_ptr<Model> watch = model;
  turn.Forget(model.get());
  model->Stop();
  model.reset();
  EXPECT_TRUE(watch.expired());
  EXPECT_TRUE(destroyed);
}

TEST(InlineTurn, AModelStoppedWithinTheTurnStillAnswers) {
  World world(InlineConfig(4));
  world.Add(0);
  world.model->Stop();
  const std::vector<TaskPtr> done = world.turn.Flush();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(done[0]->status.ok());
}

}  // namespace
}  // namespace sconce
