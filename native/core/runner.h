// The narrow waist between scheduling and libtorch. native/torch implements Runner; tests use a fake.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/signature.h"
#include "core/status.h"
#include "core/task.h"

namespace sconce {

// Scratch that one executor thread owns: staging memory, stream, encoder buffers. Opaque to core.
class RunnerScratch {
 public:
  virtual ~RunnerScratch() = default;
};

// Loaded weights and code of one model version on one device, shared by every executor of that version.
class Runner {
 public:
  virtual ~Runner() = default;

  // Per executor thread. Called on the thread that will use it; also sets that thread's intra-op thread count.
  virtual std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) = 0;

  // Runs the tasks as one batch (they satisfy CanShareBatch; their rows together may exceed the batch limit only when
  // there is a single task, which is then run in slices) and fills status, answer and leaves of each. Never throws.
  // A batch that fails is run again task by task unless the model is stateful, so that only the guilty one fails.
  // `allow_rerun` is false on the inline path: the failing batch then comes back with kModelError on every task and
  // the caller hands the tasks to a lane.
  virtual void Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) = 0;

  // Fills status, answer and leaves of a task by *task.explain. Looks at its deadline and cancellation between runs of
  // the model. Called by one thread of the process at a time. Never throws.
  virtual void Explain(Task& task) { task.status = {Code::kNotImplemented, "this model has no explanations"}; }
};

}  // namespace sconce
