#include "torch/trial.h"

#include <time.h>

#include <cstdio>
#include <utility>

#include "core/clock.h"

namespace sconce::torch_engine {

Trial::Trial(std::unique_ptr<TorchRunner> runner) : runner_(std::move(runner)), scratch_(runner_->NewScratch(1)) {}

Status Trial::RunTasks(std::span<Task* const> tasks) {
  if (on_device()) {
    const auto rows = static_cast<std::uint32_t>(tasks.size());
    if (Status status = runner_->Attempt(tasks, rows, *scratch_); !status.ok()) return status;
  } else {
    runner_->Run(tasks, *scratch_, /*allow_rerun=*/false);
  }
  for (const Task* task : tasks) {
    if (!task->status.ok()) return task->status;
  }
  return Status::Ok();
}

Status Trial::Single(std::span<const TaskPtr> samples, std::size_t index) {
  Task* const task = samples[index].get();
  return RunTasks({&task, 1});
}

Status Trial::Batch(std::span<const TaskPtr> samples, std::size_t rows) {
  tasks_.clear();
  for (const TaskPtr& sample : samples.first(rows)) tasks_.push_back(sample.get());
  return RunTasks(tasks_);
}

double Trial::TimeBatch(std::span<const TaskPtr> samples, std::size_t rows) {
  const double start = Seconds();
  const Status ignored = Batch(samples, rows);
  static_cast<void>(ignored);
  return Seconds() - start;
}

double Trial::Seconds() const { return on_device() ? static_cast<double>(MonotonicNs()) * 1e-9 : ThreadSeconds(); }

std::unique_ptr<Trial> MakeTrial(const Executable& executable, const RunnerOptions& options, std::size_t rows) {
  auto runner = std::make_unique<TorchRunner>(std::make_unique<BorrowedExecutable>(executable), options);
  runner->set_max_rows(static_cast<std::uint32_t>(rows));
  return std::make_unique<Trial>(std::move(runner));
}

std::string Milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g ms", seconds * 1e3);
  return text;
}

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace sconce::torch_engine
