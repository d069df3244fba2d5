// Models, lanes and the device runner as they serve, on a simulated device.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "core/fake_runner.h"
#include "sim/sim_program.h"

namespace sconce::sim {
namespace {

ModelConfig DeviceConfig(std::uint32_t max_rows, int instances = 1) {
  ModelConfig config = fake::Config(max_rows);
  config.executor = ExecutorChoice::kLane;
  config.lanes_per_instance = 2;
  config.lanes.assign(static_cast<std::size_t>(2 * instances), LaneSpec{});
  config.queue_capacity = 1'000'000;
  return config;
}

// Serves `batches` full batches that wait from the start, and says how long that took in simulated time.
std::int64_t TimeOf(int batches, SimSpec spec, SimModel model) {
  constexpr std::uint32_t kRows = 8;
  SimClock clock(SimClock::kVirtual);
  clock.Hold();
  const SimDevice device(std::move(spec), clock);
  const auto program = std::make_shared<SimProgram>(device, std::move(model), &clock);
  const auto state = std::make_shared<DeviceState>(device, 1, 4);
  const auto runner = std::make_shared<DeviceRunner>(program, state, DeviceRunnerOptions{.max_rows = kRows});
  fake::Sink sink;
  const std::shared_ptr<Model> served = Model::Start(DeviceConfig(kRows), runner);
  clock.WaitForJoined(2);
  const auto count = static_cast<std::size_t>(batches) * kRows;
  for (std::uint32_t i = 0; i < count; ++i) {
    TaskPtr task = fake::MakeTask(served, sink, i);
    EXPECT_TRUE(served->Submit(task).ok());
  }
  clock.Go();
  // A lane that finds nothing more waits for requests, not for the time.
  while (served->queue_depth() > 0) std::this_thread::yield();
  std::thread ender([&] { served->Stop(); });
  for (const TaskPtr& task : sink.Wait(count)) EXPECT_TRUE(AnswersOwnRows(*task));
  ender.join();
  EXPECT_EQ(device.violations(), 0U);
  return clock.now();
}

constexpr int kBatches = 60;
constexpr std::int64_t kNs = 1'000'000;
constexpr std::size_t kRowBytes = 64 * 1024;
constexpr double kBatchBytes = 8.0 * kRowBytes;

// The pipelined ideal is a compute engine that never rests between the first batch's way in and the last one's way out.
void ExpectNearIdeal(std::int64_t took, std::int64_t copies_ns) {
  const std::int64_t ideal = kBatches * kNs + copies_ns;
  EXPECT_GE(static_cast<double>(ideal) / static_cast<double>(took), 0.9) << took << " ns, ideal " << ideal;
  EXPECT_GE(took, ideal);
}

TEST(Serving, CopiesTheNextBatchUnderThePresentOne) {
  const SimModel model{.row_bytes = kRowBytes, .compute_ns = kNs};
  ExpectNearIdeal(TimeOf(kBatches, {.copy_bytes_per_ns = kBatchBytes / kNs}, model), kNs);
}

TEST(Serving, CopiesInBothDirectionsUnderThePresentBatch) {
  const SimModel model{.row_bytes = kRowBytes, .answer_bytes = kRowBytes, .compute_ns = kNs};
  ExpectNearIdeal(TimeOf(kBatches, {.copy_bytes_per_ns = 2 * kBatchBytes / kNs}, model), kNs);
}

// ── many random steps ──

struct Storm {
  explicit Storm(std::uint32_t its_seed) : seed(its_seed), random(its_seed) {}

  static constexpr std::uint32_t kRows = 8;
  std::uint32_t seed;
  std::mt19937 random;
  std::map<Code, std::size_t> ends;
  std::size_t wrong = 0;
  std::size_t lowered = 0;
  std::size_t splits = 0;
  std::size_t lost = 0;

  std::uint32_t Below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }

  TaskPtr NewTask(const std::shared_ptr<Model>& model, const fake::Sink& sink, std::uint32_t cookie) {
    TaskPtr task = fake::MakeTask(model, sink, cookie);
    const std::uint32_t rows = Below(16) == 0 ? 1 + Below(3 * kRows) : 1 + Below(2);
    task->rows.resize(rows, task->rows[0]);
    if (Below(50) == 0) task->cancelled = std::make_shared<std::atomic<bool>>(Below(2) == 0);
    return task;
  }

  void Take(std::vector<TaskPtr> tasks) {
    for (const TaskPtr& task : tasks) {
      ++ends[task->status.code()];
      if (task->status.ok() && !AnswersOwnRows(*task)) ++wrong;
      if (!task->status.ok() && task->answer.size() > 0) ++wrong;
    }
  }

  // One device's life: `steps` requests, scalings and cancellations, and at the end a lost device when `lose`.
  void Life(std::size_t steps, bool lose);
};

void Storm::Life(std::size_t steps, bool lose) {
  SimClock clock(SimClock::kFree);
  SimDevice device({.memory_bytes = 16 * 1024}, clock);
  Mutex mutex;
  std::mt19937 faults(seed++);
  std::atomic<bool> breaking{false};
  device.faults = [&](SimOp op) {
    MutexLock lock(mutex);
    if (op == SimOp::kAllocate && faults() % 300 == 0) return Code::kOutOfMemory;
    return breaking.load() && faults() % 20 == 0 ? Code::kDeviceLost : Code::kOk;
  };
  SimModel model{.row_bytes = 64, .workspace_bytes_per_row = 512};
  for (std::uint32_t cookie = 13; cookie < steps; cookie += 997) model.guilty.insert(cookie);
  const auto program = std::make_shared<SimProgram>(device, std::move(model));
  const auto state = std::make_shared<DeviceState>(device, 1, 3);
  const auto runner = std::make_shared<DeviceRunner>(program, state, DeviceRunnerOptions{.max_rows = kRows});
  fake::Sink sink;
  const std::shared_ptr<Model> served = Model::Start(DeviceConfig(kRows, 2), runner);
  std::size_t waiting = 0;
  for (std::uint32_t step = 0; step < steps; ++step) {
    if (lose && step > steps / 2) breaking.store(true);
    if (Below(500) == 0) {
      EXPECT_TRUE(served->Resize(static_cast<int>(1 + Below(3))).ok());
      continue;
    }
    TaskPtr task = NewTask(served, sink, step);
    const std::shared_ptr<std::atomic<bool>> cancelled = task->cancelled;
    EXPECT_TRUE(served->Submit(task).ok());
    if (cancelled && Below(2) == 0) cancelled->store(true);
    if (++waiting == 64) {
      Take(sink.Wait(32));
      waiting = 0;
    }
    if (runner->limit().lowered()) ++lowered;
  }
  std::thread ender([&] {
    while (served->in_flight() > 0) std::this_thread::yield();
    served->Stop();
  });
  ender.join();
  Take(sink.queue->Drain());
  splits += state->Figures().splits;
  if (!state->in_service()) ++lost;
  EXPECT_EQ(device.violations(), 0U);
  EXPECT_EQ(device.used_bytes(), 0U);
}

TEST(Serving, NoAnswerGoesToAnotherRequest) {
  const char* const full = std::getenv("SCONCE_SIM_STEPS");  // the whole measure: 1000000
  const std::size_t steps = full != nullptr ? std::strtoul(full, nullptr, 10) : 20'000;
  Storm storm(42);
  constexpr std::size_t kLives = 4;
  for (std::size_t life = 0; life < kLives; ++life) storm.Life(steps / kLives, life % 2 == 1);
  EXPECT_EQ(storm.wrong, 0U);
  EXPECT_GT(storm.ends[Code::kOk], steps / 4);
  EXPECT_GT(storm.ends[Code::kCancelled], 0U);
  EXPECT_GT(storm.ends[Code::kModelError], 0U);
  EXPECT_GT(storm.ends[Code::kDeviceLost], 0U);
  EXPECT_GT(storm.splits, 0U);
  EXPECT_GT(storm.lowered, 0U);
  EXPECT_EQ(storm.lost, kLives / 2);
}

// The program says that the model raised; the device knows better.
TEST(Serving, ALostDeviceIsFoundBehindTheModelsWords) {
  SimClock clock(SimClock::kFree);
  SimDevice device({}, clock);
  device.faults = [](SimOp op) { return op == SimOp::kLaunch ? Code::kDeviceLost : Code::kOk; };
  class Raising final : public BatchProgram {
   public:
    explicit Raising(const SimDevice& its_device) : inner_(its_device, {}) {}
    std::unique_ptr<RunnerScratch> NewScratch(int threads) override { return inner_.NewScratch(threads); }
    Status Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& scratch) override {
      const Status status = inner_.Attempt(batch, max_rows, scratch);
      return status.ok() ? status : Status(Code::kModelError, "the model raised");
    }

   private:
    SimProgram inner_;
  };
  const auto state = std::make_shared<DeviceState>(device, 1, 1);
  DeviceRunner runner(std::make_shared<Raising>(device), state, {.max_rows = 1});
  const std::unique_ptr<RunnerScratch> scratch = runner.NewScratch(1);
  fake::Sink sink;
  const TaskPtr task = fake::MakeTask(nullptr, sink, 1);
  Task* const one = task.get();
  runner.Run({&one, 1}, *scratch, true);
  EXPECT_EQ(task->status.message(), "device sim:0 is out of service: an illegal memory access was encountered");
  EXPECT_FALSE(state->in_service());
}

TEST(Serving, TheBatchLimitFallsWithTheMemoryAndComesBack) {
  SimClock clock(SimClock::kFree);
  SimDevice device({.memory_bytes = 64 * 1024}, clock);
  std::atomic<bool> tight{true};
  device.faults = [&](SimOp op) {  // what another process took
    return op == SimOp::kAllocate && tight.load() && device.used_bytes() > 512 ? Code::kOutOfMemory : Code::kOk;
  };
  const auto program = std::make_shared<SimProgram>(device, SimModel{.row_bytes = 64, .workspace_bytes_per_row = 256});
  const auto state = std::make_shared<DeviceState>(device, 1, 1);  // two batches at once would take each other's memory
  const auto runner = std::make_shared<DeviceRunner>(program, state, DeviceRunnerOptions{.max_rows = 8});
  fake::Sink sink;
  const std::shared_ptr<Model> served = Model::Start(DeviceConfig(8), runner);
  const auto serve = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      TaskPtr task = fake::MakeTask(served, sink, i);
      ASSERT_TRUE(served->Submit(task).ok());
    }
    for (const TaskPtr& task : sink.Wait(count)) {
      EXPECT_TRUE(task->status.ok()) << task->status.message();
      EXPECT_TRUE(AnswersOwnRows(*task));
    }
  };
  serve(64);
  EXPECT_LT(runner->limit().current(), 8U);
  tight.store(false);
  for (int i = 0; i < 1000 && runner->limit().lowered(); ++i) serve(16);
  EXPECT_EQ(runner->limit().current(), 8U);
  served->Stop();
}

}  // namespace
}  // namespace sconce::sim
