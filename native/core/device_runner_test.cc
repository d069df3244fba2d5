#include "core/device_runner.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/fake_runner.h"

namespace sconce {
namespace {

// Says of each attempt what it was told to, and answers with the cookie.
class Scripted final : public BatchProgram {
 public:
  std::function<Status(std::span<Task* const>, std::uint32_t max_rows)> verdict;
  std::vector<std::string> seen;  // "1,2,3" or "1(2)": cookies, and the slices of a task with several rows

  std::unique_ptr<RunnerScratch> NewScratch(int threads) override { return std::make_unique<fake::Scratch>(threads); }
  Status Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch&) override {
    std::string names;
    for (const Task* task : batch) {
      names += (names.empty() ? "" : ",") + std::to_string(task->cookie);
      if (batch.size() == 1 && task->rows.size() > 1) names += "(" + std::to_string(max_rows) + ")";
    }
    seen.push_back(names);
    Status status = verdict(batch, max_rows);
    if (!status.ok()) return status;
    for (Task* task : batch) task->answer.Append(&task->cookie, sizeof task->cookie);
    return status;
  }
};

struct Bench {
  explicit Bench(std::uint32_t max_rows) : runner(program, state, {.max_rows = max_rows}) {}

  void Run(std::vector<TaskPtr>& tasks, bool allow_rerun = true) {
    std::vector<Task*> batch;
    for (const TaskPtr& task : tasks) batch.push_back(task.get());
    runner.Run(batch, *scratch, allow_rerun);
  }

  fake::Sink sink;
  const std::shared_ptr<Scripted> program = std::make_shared<Scripted>();
  const std::shared_ptr<DeviceState> state = std::make_shared<DeviceState>(CpuDevice(), 1, 1);
  DeviceRunner runner;
  const std::unique_ptr<RunnerScratch> scratch = runner.NewScratch(1);
};

std::vector<TaskPtr> Tasks(const fake::Sink& sink, std::initializer_list<std::size_t> rows) {
  std::vector<TaskPtr> tasks;
  for (const std::size_t count : rows) {
    tasks.push_back(fake::MakeTask(nullptr, sink, static_cast<std::uint32_t>(tasks.size())));
    tasks.back()->rows.resize(count, tasks.back()->rows[0]);
  }
  return tasks;
}

// More than `fits` rows at once are too many.
auto Fits(std::uint32_t fits) {
  return [fits](std::span<Task* const> batch, std::uint32_t max_rows) {
    std::uint32_t rows = 0;
    for (const Task* task : batch) rows += RowCount(*task);
    if (batch.size() == 1) rows = std::min(rows, max_rows);
    return rows <= fits ? Status::Ok() : Status(Code::kOutOfMemory, "CUDA out of memory");
  };
}

void ExpectOwnAnswers(const std::vector<TaskPtr>& tasks) {
  for (const TaskPtr& task : tasks) {
    EXPECT_TRUE(task->status.ok()) << task->status.message();
    EXPECT_EQ(fake::AnswerOf(*task), task->cookie);
  }
}

TEST(DeviceRunner, RunsABatchThatFitsOnce) {
  Bench bench(4);
  bench.program->verdict = Fits(4);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1, 2});
  bench.Run(tasks);
  ExpectOwnAnswers(tasks);
  EXPECT_EQ(bench.program->seen, std::vector<std::string>{"0,1,2"});
}

TEST(DeviceRunner, SplitsWhatDoesNotFitAndRemembersIt) {
  Bench bench(8);
  bench.program->verdict = Fits(2);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1, 1, 1, 1, 1, 1, 1});
  bench.Run(tasks);
  ExpectOwnAnswers(tasks);
  EXPECT_EQ(bench.program->seen,
            (std::vector<std::string>{"0,1,2,3,4,5,6,7", "0,1,2,3", "0,1", "2,3", "4,5,6,7", "4,5", "6,7"}));
  EXPECT_EQ(bench.runner.limit().current(), 2U);
  EXPECT_EQ(bench.state->Figures().splits, 3U);
  bench.program->seen.clear();
  std::vector<TaskPtr> next = Tasks(bench.sink, {1, 1, 1});
  bench.Run(next);
  ExpectOwnAnswers(next);
  EXPECT_EQ(bench.program->seen, (std::vector<std::string>{"0,1", "2"}));
}

TEST(DeviceRunner, SlicesATaskThatAloneIsTooLarge) {
  Bench bench(8);
  bench.program->verdict = Fits(3);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {20});
  bench.Run(tasks);
  ExpectOwnAnswers(tasks);
  EXPECT_EQ(bench.program->seen, (std::vector<std::string>{"0(8)", "0(4)", "0(2)"}));
}

TEST(DeviceRunner, RefusesWhatNeverFits) {
  Bench bench(4);
  bench.program->verdict = Fits(0);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 3});
  bench.Run(tasks);
  for (const TaskPtr& task : tasks) {
    EXPECT_EQ(task->status.code(), Code::kOutOfMemory);
    EXPECT_EQ(task->status.message(),
              "one row does not fit in the memory of cpu: CUDA out of memory; send smaller inputs, unregister a model, "
              "or lower --gpu-concurrency");
  }
  EXPECT_EQ(bench.runner.limit().current(), 1U);
}

TEST(DeviceRunner, RunsNoStatefulBatchTwice) {
  Bench bench(4);
  bench.program->verdict = Fits(1);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1});
  bench.Run(tasks, false);
  EXPECT_EQ(bench.program->seen.size(), 1U);
  EXPECT_EQ(tasks[1]->status.message(),
            "a batch of 2 rows does not fit in the memory of cpu: CUDA out of memory; lower batchSize, unregister a "
            "model, or lower --gpu-concurrency");
  EXPECT_EQ(bench.runner.limit().current(), 1U);
}

TEST(DeviceRunner, FindsTheGuiltyOne) {
  Bench bench(4);
  bench.program->verdict = [](std::span<Task* const> batch, std::uint32_t) {
    const bool raised = std::ranges::any_of(batch, [](const Task* task) { return task->cookie == 1; });
    return raised ? Status(Code::kModelError, "raised") : Status::Ok();
  };
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1, 1});
  bench.Run(tasks);
  EXPECT_EQ(bench.program->seen, (std::vector<std::string>{"0,1,2", "0", "1", "2"}));
  EXPECT_TRUE(tasks[0]->status.ok() && tasks[2]->status.ok());
  EXPECT_EQ(tasks[1]->status.code(), Code::kModelError);
}

TEST(DeviceRunner, AsksALostDeviceNothingMore) {
  Bench bench(1);
  bench.program->verdict = [](std::span<Task* const>, std::uint32_t) {
    return Status(Code::kDeviceLost, "an illegal memory access was encountered");
  };
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1, 1});
  bench.Run(tasks);
  bench.Run(tasks);
  EXPECT_EQ(bench.program->seen.size(), 1U);
  EXPECT_FALSE(bench.state->in_service());
  for (const TaskPtr& task : tasks) {
    EXPECT_EQ(task->status.code(), Code::kDeviceLost);
    EXPECT_EQ(task->status.message(), "device cpu is out of service: an illegal memory access was encountered");
  }
}

TEST(DeviceRunner, TriesNothingAgainForWhoIsGone) {
  Bench bench(4);
  bench.program->verdict = Fits(1);
  std::vector<TaskPtr> tasks = Tasks(bench.sink, {1, 1});
  tasks[0]->cancelled = std::make_shared<std::atomic<bool>>(true);
  bench.Run(tasks);
  EXPECT_EQ(bench.program->seen, (std::vector<std::string>{"0,1", "1"}));
  EXPECT_EQ(tasks[0]->status.code(), Code::kCancelled);
  EXPECT_TRUE(tasks[1]->status.ok());
}

}  // namespace
}  // namespace sconce
