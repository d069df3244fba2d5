// The scheduler under random load: nothing lost, nothing twice, no lane asleep while work waits. Runs under
// ThreadSanitizer too. A lost wake-up shows as a failed wait, not as a hang.
#include "core/lanes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "core/clock.h"
#include "core/fake_runner.h"
#include "core/router.h"

namespace sconce {
namespace {

using fake::FakeRunner;
using fake::MakeTask;

constexpr std::int64_t kStuckNs = 60'000'000'000;

// Drains until `want` more tasks have come; false when none came for kStuckNs.
bool Collect(CompletionQueue& queue, std::size_t want, std::vector<TaskPtr>& out) {
  const std::size_t target = out.size() + want;
  std::int64_t last_ns = MonotonicNs();
  while (out.size() < target) {
    std::vector<TaskPtr> ready = queue.Drain();
    if (ready.empty()) {
      if (MonotonicNs() - last_ns > kStuckNs) return false;
      std::this_thread::yield();
      continue;
    }
    last_ns = MonotonicNs();
    for (TaskPtr& task : ready) out.push_back(std::move(task));
  }
  return true;
}

struct Tally {
  std::size_t answered = 0;
  std::size_t cancelled = 0;
  std::size_t expired = 0;
  std::size_t refused = 0;
};

// Sends `total` tasks in bursts and waits for each burst, so that lanes fall asleep and wake thousands of times.
void Produce(const std::shared_ptr<Model>& model, std::uint32_t seed, std::uint32_t total, Tally& tally) {
  std::mt19937 random(seed);
  const fake::Sink sink;
  std::vector<bool> back(total);
  std::vector<TaskPtr> done;
  std::uint32_t sent = 0;
  while (sent < total) {
    std::size_t accepted = 0;
    const std::uint32_t burst = std::min(total - sent, 1 + static_cast<std::uint32_t>(random() % 9));
    for (std::uint32_t i = 0; i < burst; ++i, ++sent) {
      TaskPtr task = MakeTask(model, sink, sent, random() % 4 == 0 ? 5 : 4);
      if (random() % 20 == 0) task->cancelled = std::make_shared<std::atomic<bool>>(true);
      if (random() % 20 == 0) task->deadline_ns = task->enqueued_ns + static_cast<std::int64_t>(random() % 20'000);
      if (model->Submit(task).ok()) {
        ++accepted;
      } else {
        ASSERT_NE(task, nullptr);
        ++tally.refused;
      }
    }
    done.clear();
    ASSERT_TRUE(Collect(*sink.queue, accepted, done)) << "tasks wait and no lane runs";
    ASSERT_EQ(done.size(), accepted);
    for (const TaskPtr& task : done) {
      ASSERT_FALSE(back[task->cookie]) << "came back twice";
      back[task->cookie] = true;
      const Code code = task->status.code();
      ASSERT_TRUE(code != Code::kOk || fake::AnswerOf(*task) == task->cookie);
      tally.answered += code == Code::kOk ? 1 : 0;
      tally.cancelled += code == Code::kCancelled ? 1 : 0;
      tally.expired += code == Code::kDeadlineExceeded ? 1 : 0;
    }
  }
}

class Arrivals : public testing::TestWithParam<int> {};

TEST_P(Arrivals, RandomArrivalsAreEachAnsweredOnce) {
  constexpr std::uint32_t kProducers = 3;
  constexpr std::uint32_t kEach = 12'000;
  ModelConfig config = fake::Config(4);
  config.queue_capacity = 20;
  config.lanes = {{.intra_op_threads = 2, .wide = true}, {}, {}};
  if (GetParam() == 1) config.lanes = {{}, {}};
  if (GetParam() == 2) config.max_batch_delay_ns = 20'000;
  const auto runner = std::make_shared<FakeRunner>();
  const auto model = Model::Start(config, runner);
  std::vector<Tally> tallies(kProducers);
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] { Produce(model, p + 17, kEach, tallies[p]); });
  }
  for (std::thread& producer : producers) producer.join();
  model->Stop();
  Tally sum;
  for (const Tally& each : tallies) {
    sum.answered += each.answered;
    sum.cancelled += each.cancelled;
    sum.expired += each.expired;
    sum.refused += each.refused;
  }
  EXPECT_EQ(sum.answered + sum.cancelled + sum.expired + sum.refused, kProducers * kEach);
  EXPECT_GT(sum.answered, kProducers * kEach / 2);
  EXPECT_GT(sum.cancelled, 0u);
  const CountersSnapshot counted = model->counters().Read();
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kOk)], sum.answered);
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kCancelled)], sum.cancelled);
  EXPECT_EQ(counted.requests_by_code[static_cast<std::size_t>(Code::kDeadlineExceeded)], sum.expired);
  EXPECT_EQ(model->in_flight(), 0u);
  for (const fake::BatchSeen& batch : runner->Seen()) ASSERT_LE(batch.cookies.size(), config.max_batch_rows);
}

INSTANTIATE_TEST_SUITE_P(WideNarrowDelayed, Arrivals, testing::Values(0, 1, 2));

// One at a time: after a few of either kind they all go to the kind of lane that is faster.
TEST(Lanes, LoneRequestsGoWhereTheyAreRunFaster) {
  for (const bool wide_is_slow : {true, false}) {
    ModelConfig config = fake::Config(4);
    config.lanes = {{.intra_op_threads = 2, .wide = true}, {}, {}};
    const auto runner = std::make_shared<FakeRunner>();
    runner->spin_us = wide_is_slow ? 10 : 0;
    runner->wide_spin_us = wide_is_slow ? 3000 : 0;
    if (!wide_is_slow) {
      runner->on_batch = [&](std::span<Task* const>) {
        if (runner->Seen().back().threads == 1) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      };
    }
    const auto model = Model::Start(config, runner);
    fake::Sink sink;
    constexpr std::size_t kAsked = 3 * LoneJudge::kRuns;
    for (std::uint32_t i = 0; i < kAsked; ++i) {
      TaskPtr task = MakeTask(model, sink, i);
      ASSERT_TRUE(model->Submit(task).ok());
      sink.WaitOne();
      while (model->in_flight() > 0) std::this_thread::yield();
    }
    const std::vector<fake::BatchSeen> seen = runner->Seen();
    ASSERT_EQ(seen.size(), kAsked);
    for (std::size_t i = 2 * LoneJudge::kRuns; i < kAsked; ++i) EXPECT_EQ(seen[i].threads > 1, !wide_is_slow) << i;
    model->Stop();
  }
}

// Clients that keep four requests in flight on two lanes, each sent a moment after an answer, are soon served two by
// two: a lane that takes the first one back alone runs it for as long as the others wait.
TEST(Lanes, ALaneWaitsForItsShareOfWhatIsInFlight) {
  constexpr std::uint32_t kInFlight = 4;
  constexpr std::size_t kMostBatches = 400;  // until eight in a row are of two
  ModelConfig config = fake::Config(8);
  config.lanes = {{.intra_op_threads = 2, .wide = true}, {}, {}};
  const auto runner = std::make_shared<FakeRunner>();
  runner->on_batch = [](std::span<Task* const>) { std::this_thread::sleep_for(std::chrono::milliseconds(40)); };
  const auto model = Model::Start(config, runner);
  fake::Sink sink;
  for (std::uint32_t i = 0; i < kInFlight; ++i) {
    TaskPtr task = MakeTask(model, sink, i);
    ASSERT_TRUE(model->Submit(task).ok());
  }
  const auto two_by_two = [&] {
    const std::vector<std::size_t> sizes = runner->Sizes();
    return sizes.size() > 8 && std::all_of(sizes.end() - 8, sizes.end(), [](std::size_t size) { return size == 2; });
  };
  while (!two_by_two() && runner->Seen().size() < kMostBatches) {
    for (const TaskPtr& done : sink.Wait(1)) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      TaskPtr task = MakeTask(model, sink, done->cookie);
      ASSERT_TRUE(model->Submit(task).ok());
    }
  }
  model->Stop();
  EXPECT_TRUE(two_by_two()) << "after " << runner->Seen().size() << " batches";
}

// Workers come and go while requests arrive: every accepted one is answered, once and rightly.
TEST(Lanes, ResizeUnderFireLosesNothing) {
  ModelConfig config = fake::Config(4);
  config.queue_capacity = 50;
  config.lanes = {{.intra_op_threads = 2, .wide = true}, {}};
  const auto runner = std::make_shared<FakeRunner>();
  const auto model = Model::Start(config, runner);
  std::vector<Tally> tallies(2);
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < 2; ++p) {
    producers.emplace_back([&, p] { Produce(model, p + 5, 8'000, tallies[p]); });
  }
  std::mt19937 random(3);
  std::atomic<bool> over{false};
  std::thread resizer([&] {
    while (!over) {
      const int wanted = static_cast<int>(random() % 5);
      ASSERT_TRUE(model->Resize(wanted).ok());
      ASSERT_EQ(model->instances(), wanted);
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
    }
  });
  for (std::thread& producer : producers) producer.join();
  over = true;
  resizer.join();
  std::size_t sum = 0;
  for (const Tally& each : tallies) sum += each.answered + each.cancelled + each.expired + each.refused;
  EXPECT_EQ(sum, 16'000u);
  EXPECT_EQ(model->in_flight(), 0u);
  ASSERT_TRUE(model->Resize(3).ok());
  // A lane that is given up ends after its batch.
  const std::int64_t patience = MonotonicNs() + 10'000'000'000;
  while (model->lanes() != 3 && MonotonicNs() < patience) std::this_thread::yield();
  EXPECT_EQ(model->lanes(), 3);
  model->Stop();
  EXPECT_EQ(model->lanes(), 0);
  EXPECT_EQ(model->Resize(1).code(), Code::kNotReady);
}

// Two lanes that share a device are one instance, and what waits is one batch: the other lane is for the next one.
TEST(Lanes, TwoLanesOfADeviceAreOneInstance) {
  const auto runner = std::make_shared<FakeRunner>();
  ModelConfig config = fake::Config(8);
  config.lanes_per_instance = 2;
  config.lanes = {{}, {}};
  const auto model = Model::Start(config, runner);
  EXPECT_EQ(model->instances(), 1);
  runner->CloseGate();
  fake::Sink sink;
  for (std::uint32_t i = 0; i < 2; ++i) {
    TaskPtr task = MakeTask(model, sink, i);
    ASSERT_TRUE(model->Submit(task).ok());
    runner->WaitForBatches(i + 1);
  }
  for (std::uint32_t i = 2; i < 8; ++i) {
    TaskPtr task = MakeTask(model, sink, i);
    ASSERT_TRUE(model->Submit(task).ok());
  }
  runner->LetThrough(1);
  runner->WaitForBatches(3);
  EXPECT_EQ(runner->Sizes(), (std::vector<std::size_t>{1, 1, 6}));
  runner->OpenGate();
  sink.Wait(8);
  ASSERT_TRUE(model->Resize(3).ok());
  EXPECT_EQ(model->instances(), 3);
  EXPECT_EQ(model->lanes(), 3);
  ASSERT_TRUE(model->Resize(0).ok());
  EXPECT_EQ(model->instances(), 0);
  model->Stop();
}

// Models are published, replaced and stopped while others resolve, submit and drop their environments.
TEST(Lanes, LoadAndUnloadUnderFire) {
  Router router;
  std::atomic<bool> over{false};
  std::atomic<std::size_t> answered{0};
  const auto publish = [&](int version) {
    ModelConfig config = fake::Config(4);
    config.version = std::to_string(version % 2);
    config.lanes = {{.intra_op_threads = 2, .wide = true}, {}};
    router.Publish(Model::Start(config, std::make_shared<FakeRunner>()));
  };
  publish(0);
  std::vector<std::thread> senders;
  for (int s = 0; s < 2; ++s) {
    senders.emplace_back([&] {
      while (!over) {
        const fake::Sink sink;
        std::vector<TaskPtr> done;
        std::size_t accepted = 0;
        for (std::uint32_t i = 0; i < 50; ++i) {
          const auto model = router.Resolve(0, "");
          if (!model.ok()) continue;
          TaskPtr task = MakeTask(model.value(), sink, i);
          if (model.value()->Submit(task).ok()) ++accepted;
        }
        if (accepted % 3 != 0) {
          EXPECT_TRUE(Collect(*sink.queue, accepted, done));
          answered += done.size();
        }
        sink.queue->Close();  // otherwise the environment ends with its tasks in flight
      }
    });
  }
  const std::int64_t until_ns = MonotonicNs() + 1'500'000'000;
  for (int version = 1; MonotonicNs() < until_ns; ++version) {
    publish(version);
    const std::shared_ptr<Model> old = router.Remove("m", std::to_string((version + 1) % 2));
    if (version % 3 != 0 && old) old->Stop();  // the others are dropped while tasks of theirs run
    router.All();
  }
  over = true;
  for (std::thread& sender : senders) sender.join();
  EXPECT_GT(answered, 0u);
  router.Remove("m", "0");
  router.Remove("m", "1");
  WaitForDroppedModels();
}

}  // namespace
}  // namespace sconce
