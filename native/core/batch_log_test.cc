#include "core/batch_log.h"

#include <gtest/gtest.h>

#include <ctime>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/explain_queue.h"
#include "core/fake_runner.h"
#include "core/inline_turn.h"

namespace sconce {
namespace {

using Waits = std::vector<std::int64_t>;

TEST(BatchLog, KeepsBatchesUntilTheyAreTakenAndCountsThoseWithoutRoom) {
  BatchLog log(4);
  log.Add({.tag = 1, .answered = 3}, Waits{1, 2, 3});
  log.Add({.tag = 2, .answered = 2}, Waits{4, 5});  // the third and fourth of four places
  log.Add({.tag = 3, .answered = 1}, Waits{6});
  log.Add({.tag = 4, .answered = 1}, Waits{7});
  const TakenBatches taken = log.Take();
  ASSERT_EQ(taken.batches.size(), 2u);
  EXPECT_EQ(taken.batches[0].tag, 1u);
  EXPECT_EQ(taken.batches[1].tag, 3u);
  EXPECT_EQ(taken.waits_ns, (Waits{1, 2, 3, 6}));
  EXPECT_EQ(taken.left_out, 2u);
  EXPECT_EQ(log.Take().left_out, 0u);
}

// Batches that answered nobody need room too.
TEST(BatchLog, BoundsBatchesWithoutAnswers) {
  BatchLog log(2);
  for (int i = 0; i < 5; ++i) log.Add({}, {});
  const TakenBatches taken = log.Take();
  EXPECT_EQ(taken.batches.size(), 2u);
  EXPECT_EQ(taken.left_out, 3u);
}

TEST(BatchLog, LosesNothingBetweenManyWritersAndAReader) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  BatchLog log;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < kEach; ++i) log.Add({.answered = 2}, Waits{1, 1});
    });
  }
  std::size_t batches = 0;
  std::size_t waits = 0;
  const auto look = [&] {
    const TakenBatches taken = log.Take();
    batches += taken.batches.size() + taken.left_out;
    waits += taken.waits_ns.size() + 2 * taken.left_out;
  };
  for (int i = 0; i < 100; ++i) look();
  for (std::thread& thread : threads) thread.join();
  look();
  EXPECT_EQ(batches, std::size_t{kThreads} * kEach);
  EXPECT_EQ(waits, std::size_t{2} * kThreads * kEach);
}

struct Scene {
  explicit Scene(ExecutorChoice executor) {
    ModelConfig config = fake::Config();
    config.tag = 7;
    config.executor = executor;
    config.inline_allowed = executor == ExecutorChoice::kInline;
    config.batch_log = log;
    runner->spin_us = 1000;
    model = Model::Start(std::move(config), runner);
  }
  ~Scene() { model->Stop(); }

  const std::shared_ptr<BatchLog> log = std::make_shared<BatchLog>();
  const std::shared_ptr<fake::FakeRunner> runner = std::make_shared<fake::FakeRunner>();
  fake::Sink sink;
  std::shared_ptr<Model> model;
};

// The log hears of a batch right after its tasks were handed back.
LoggedBatch WaitForOne(BatchLog& log, Waits& waits) {
  for (;;) {
    TakenBatches taken = log.Take();
    if (taken.batches.empty()) continue;
    EXPECT_EQ(taken.batches.size(), 1u);
    waits = std::move(taken.waits_ns);
    return taken.batches.front();
  }
}

void ExpectLogged(const LoggedBatch& batch, const Waits& waits, std::size_t answered) {
  EXPECT_EQ(batch.tag, 7u);
  EXPECT_EQ(batch.answered, answered);
  EXPECT_GE(batch.run_ns, 1'000'000);
  EXPECT_GT(batch.outside_ns, 0);
  EXPECT_LT(batch.outside_ns, 60'000'000'000);
  EXPECT_LE(std::time(nullptr) - batch.ended_s, 60);
  ASSERT_EQ(waits.size(), answered);
}

TEST(BatchNote, TellsOfALanesBatch) {
  Scene scene(ExecutorChoice::kLane);
  TaskPtr task = fake::MakeTask(scene.model, scene.sink, 1);
  task->enqueued_ns -= 5'000'000;
  ASSERT_TRUE(scene.model->Submit(task).ok());
  scene.sink.WaitOne();
  Waits waits;
  ExpectLogged(WaitForOne(*scene.log, waits), waits, 1);
  EXPECT_GE(waits[0], 5'000'000);
}

TEST(BatchNote, TellsOfAnInlineBatchAndWhoWasAnsweredInIt) {
  Scene scene(ExecutorChoice::kInline);
  InlineTurn turn;
  for (const std::uint32_t cookie : {1u, 2u, 3u}) {
    TaskPtr task = fake::MakeTask(scene.model, scene.sink, cookie);
    if (cookie == 2) task->cancelled = std::make_shared<std::atomic<bool>>(true);
    bool inlined = false;
    ASSERT_TRUE(turn.Add(task, &inlined).ok());
    ASSERT_TRUE(inlined);
  }
  ASSERT_EQ(turn.Flush().size(), 3u);
  Waits waits;
  ExpectLogged(WaitForOne(*scene.log, waits), waits, 2);
}

// A batch that raised is run again on lanes, together or one by one: only what ran there is told of.
TEST(BatchNote, DoesNotTellOfABatchThatIsRunAgain) {
  Scene scene(ExecutorChoice::kInline);
  scene.runner->guilty.insert(2);
  InlineTurn turn;
  for (const std::uint32_t cookie : {1u, 2u}) {
    TaskPtr task = fake::MakeTask(scene.model, scene.sink, cookie);
    bool inlined = false;
    ASSERT_TRUE(turn.Add(task, &inlined).ok());
  }
  EXPECT_TRUE(turn.Flush().empty());
  scene.sink.Wait(2);
  scene.model->Stop();  // what lanes ran, they have told by now
  const TakenBatches taken = scene.log->Take();
  EXPECT_EQ(taken.batches.size(), scene.runner->Seen().size() - 1);
  EXPECT_EQ(taken.waits_ns.size(), 1u);  // who was answered
}

TEST(BatchNote, TellsOfAnExplanation) {
  Scene scene(ExecutorChoice::kLane);
  ExplainQueue queue(4);
  TaskPtr task = fake::MakeTask(scene.model, scene.sink, 1);
  task->explain = std::make_shared<ExplainSpec>();
  ASSERT_TRUE(queue.Submit(task).ok());
  scene.sink.WaitOne();
  Waits waits;
  const LoggedBatch batch = WaitForOne(*scene.log, waits);
  EXPECT_EQ(batch.tag, 7u);
  EXPECT_EQ(batch.answered, 1u);
}

}  // namespace
}  // namespace sconce
