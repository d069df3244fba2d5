// Runs sample requests through a runner as an executor would, for warm-up: checks and timings on one thread.
// Thread: a Trial belongs to the loader thread that made it; it sets that thread's intra-op thread count.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "torch/samples.h"
#include "torch/torch_runner.h"

namespace sconce::torch_engine {

class Trial {
 public:
  explicit Trial(std::unique_ptr<TorchRunner> runner, int intra_op_threads = 1);

  // The first `rows` samples as one batch; the first failure. `rows` 1 runs samples[index] alone.
  Status Batch(std::span<const TaskPtr> samples, std::size_t rows);
  Status Single(std::span<const TaskPtr> samples, std::size_t index);

  // One timed run of the first `rows` samples, seconds.
  double TimeBatch(std::span<const TaskPtr> samples, std::size_t rows);

  const TorchRunner& runner() const { return *runner_; }

 private:
  Status RunTasks(std::span<Task* const> tasks);

  std::unique_ptr<TorchRunner> runner_;
  std::unique_ptr<RunnerScratch> scratch_;
  std::vector<Task*> tasks_;
};

}  // namespace sconce::torch_engine
