// Runs a model's batches on a device that may run out of memory or out of order.
//
//   out of memory   the batch is split in halves and each is tried again, down to one row; what does not fit alone is
//                   refused with kOutOfMemory. The model's batch limit falls with it and comes back (batch_limit.h)
//   device lost     the device is taken out of service; this batch and every later one end with kDeviceLost
//   anything else   each task of the batch runs alone, so that only the guilty one fails
// A stateful model's batch is never tried again: it may have changed the state before it failed.
// Thread: as Runner; limit() from anywhere.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/batch_limit.h"
#include "core/device_state.h"
#include "core/runner.h"

namespace sconce {

// What the model's code does with one batch, all or nothing.
class BatchProgram {
 public:
  virtual ~BatchProgram() = default;
  virtual std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) = 0;
  // Runs the tasks as one batch; a single task with more than max_rows rows in slices of at most that many. Ok: each
  // task has its own status and answer. Otherwise none was touched, and the device has nothing of this batch any more.
  virtual Status Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& scratch) = 0;
  virtual void Explain(Task& task) { task.status = {Code::kNotImplemented, "this model has no explanations"}; }
};

struct DeviceRunnerOptions {
  std::uint32_t max_rows = 1;  // of one batch, as configured
  StreamPriority priority = StreamPriority::kNormal;
};

class DeviceRunner final : public Runner {
 public:
  DeviceRunner(std::shared_ptr<BatchProgram> program, std::shared_ptr<DeviceState> device, DeviceRunnerOptions options);

  std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) override;
  void Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) override;
  void Explain(Task& task) override { program_->Explain(task); }

  const BatchLimit& limit() const { return limit_; }
  const DeviceState& device() const { return *device_; }

 private:
  struct Turn;  // one call of Run

  void RunPart(std::span<Task* const> tasks, std::uint32_t max_rows, Turn& turn);
  void AfterOutOfMemory(std::span<Task* const> tasks, std::uint32_t max_rows, const Status& status, Turn& turn);

  const std::shared_ptr<BatchProgram> program_;
  const std::shared_ptr<DeviceState> device_;
  const StreamPriority priority_;
  BatchLimit limit_;
};

}  // namespace sconce
