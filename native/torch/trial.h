// Runs sample requests through a runner as an executor would, for warm-up: checks and timings on one thread.
// Thread: a Trial belongs to the loader thread that made it; it sets that thread's intra-op threads to 1.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "torch/runner.h"
#include "torch/samples.h"

namespace sconce::torch_engine {

// CPU time of the calling thread. Warm-up runs on one intra-op thread and times by this clock, so that a busy machine
// does not change what it learns of the model.
double ThreadSeconds();

class Trial {
 public:
  explicit Trial(std::unique_ptr<TorchRunner> runner);

  // The first `rows` samples as one batch; the first failure. `rows` 1 runs samples[index] alone.
  Status Batch(std::span<const TaskPtr> samples, std::size_t rows);
  Status Single(std::span<const TaskPtr> samples, std::size_t index);

  // The clock of timings: the thread's CPU time, on a device the time that passes.
  double Seconds() const;
  bool on_device() const { return !runner_->device().is_host(); }

  // One timed run of the first `rows` samples, by that clock.
  double TimeBatch(std::span<const TaskPtr> samples, std::size_t rows);

  const TorchRunner& runner() const { return *runner_; }

 private:
  Status RunTasks(std::span<Task* const> tasks);

  std::unique_ptr<TorchRunner> runner_;
  std::unique_ptr<RunnerScratch> scratch_;
  std::vector<Task*> tasks_;
};

// Of an executable that someone else owns and that outlives the trial; batches of `rows` at most.
std::unique_ptr<Trial> MakeTrial(const Executable& executable, const RunnerOptions& options, std::size_t rows);

std::string Milliseconds(double seconds);  // "54.4 ms"

}  // namespace sconce::torch_engine
