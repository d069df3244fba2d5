#include "core/device_runner.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/outcome.h"

namespace sconce {
namespace {

std::uint32_t Rows(std::span<Task* const> tasks) {
  std::uint32_t rows = 0;
  for (const Task* task : tasks) rows += RowCount(*task);
  return rows;
}

void Fail(std::span<Task* const> tasks, const Status& status) {
  for (Task* task : tasks) task->status = status;
}

// As many tasks from the front as fit `max_rows` rows, at least one.
std::size_t Fitting(std::span<Task* const> tasks, std::uint32_t max_rows) {
  std::size_t count = 1;
  std::uint32_t rows = RowCount(*tasks[0]);
  while (count < tasks.size() && rows + RowCount(*tasks[count]) <= max_rows) rows += RowCount(*tasks[count++]);
  return count;
}

}  // namespace

struct DeviceRunner::Turn {
  RunnerScratch& scratch;
  bool allow_rerun;
  bool tried = false;  // something was attempted: from now on tasks may have been given up meanwhile
};

DeviceRunner::DeviceRunner(std::shared_ptr<BatchProgram> program, std::shared_ptr<DeviceState> device,
                           DeviceRunnerOptions options)
    : program_(std::move(program)), device_(std::move(device)), priority_(options.priority), limit_(options.max_rows) {}

std::unique_ptr<RunnerScratch> DeviceRunner::NewScratch(int intra_op_threads) {
  return program_->NewScratch(intra_op_threads);
}

void DeviceRunner::Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) {
  const DeviceState::Slot slot(*device_, priority_);
  Turn turn{scratch, allow_rerun};
  while (!batch.empty()) {
    const std::uint32_t limit = limit_.current();
    const std::size_t count = Fitting(batch, limit);
    RunPart(batch.first(count), limit, turn);
    batch = batch.subspan(count);
  }
}

void DeviceRunner::RunPart(std::span<Task* const> tasks, std::uint32_t max_rows, Turn& turn) {
  if (!device_->in_service()) return Fail(tasks, device_->LostStatus());
  if (turn.tried && tasks.size() == 1 && EndIfDead(*tasks[0], MonotonicNs())) return;
  turn.tried = true;
  const Status status = program_->Attempt(tasks, max_rows, turn.scratch);
  if (status.ok()) return limit_.OnSuccess();
  // The model's own words need not tell that it was the device that failed.
  const Status health = status.code() == Code::kDeviceLost ? status : device_->device().Check();
  if (health.code() == Code::kDeviceLost) {
    device_->TakeOut(health.message());
    return Fail(tasks, device_->LostStatus());
  }
  if (status.code() == Code::kOutOfMemory) return AfterOutOfMemory(tasks, max_rows, status, turn);
  if (!turn.allow_rerun || tasks.size() == 1) return Fail(tasks, status);
  for (std::size_t i = 0; i < tasks.size(); ++i) RunPart(tasks.subspan(i, 1), max_rows, turn);
}

// Halves of the tasks, or of a single task's slices, until they fit or are one row.
void DeviceRunner::AfterOutOfMemory(std::span<Task* const> tasks, std::uint32_t max_rows, const Status& status,
                                    Turn& turn) {
  const std::uint32_t rows = tasks.size() > 1 ? Rows(tasks) : std::min(Rows(tasks), max_rows);
  limit_.OnOutOfMemory(rows);
  device_->device().ReleaseCached();
  if (!turn.allow_rerun || rows <= 1) {
    const std::string size = rows <= 1 ? "one row" : "a batch of " + std::to_string(rows) + " rows";
    const char* const cure = rows <= 1 ? "send smaller inputs, unregister a model, or lower --gpu-concurrency"
                                       : "lower batchSize, unregister a model, or lower --gpu-concurrency";
    return Fail(tasks, {Code::kOutOfMemory, size + " does not fit in the memory of " + device_->device().name() + ": " +
                                                status.message() + "; " + cure});
  }
  device_->OnSplit();
  const std::uint32_t half = std::max<std::uint32_t>(rows / 2, 1);
  if (tasks.size() == 1) return RunPart(tasks, half, turn);
  const std::size_t middle = tasks.size() / 2;
  RunPart(tasks.first(middle), half, turn);
  RunPart(tasks.subspan(middle), half, turn);
}

}  // namespace sconce
