// Runs batches of tasks through an Executable: collate, run, split per row, encode. One per model version.
// Thread: NewScratch and Run on executor threads; set_max_rows before the first of them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/device_runner.h"
#include "torch/arg_plan.h"
#include "torch/device.h"
#include "torch/executable.h"
#include "torch/image.h"

namespace sconce::torch_engine {

class Explainer;

struct RunnerOptions {
  Signature signature;
  std::optional<PreparedTransform> image;
  ArgPlan plan;           // of the declared inputs; unused when nothing is declared
  bool stateful = false;  // a failed batch is not run again
  const TensorDevice* device = &CpuTensors();
  StreamPriority priority = StreamPriority::kNormal;
};

class TorchRunner final : public Runner, public BatchProgram {
 public:
  TorchRunner(std::unique_ptr<Executable> executable, RunnerOptions options);
  ~TorchRunner() override;

  std::unique_ptr<RunnerScratch> NewScratch(int intra_op_threads) override;
  void Run(std::span<Task* const> batch, RunnerScratch& scratch, bool allow_rerun) override;
  Status Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& scratch) override;
  void Explain(Task& task) override;

  // Lets explanations load the TorchScript file at `path` again; without it none are given, for the reason `why_not`.
  void AllowExplanations(std::string path, int cores);
  void RefuseExplanations(std::string why_not) { why_not_ = std::move(why_not); }

  // Rows of one call of the model at most; a single task with more is run in slices.
  void set_max_rows(std::uint32_t rows) { max_rows_ = rows; }
  const Executable& executable() const { return *executable_; }
  const Device& device() const { return device_.device(); }
  // A run of one sample gave a list of one dict, which was read as that sample's own.
  bool lists_samples() const { return lists_samples_.load(std::memory_order_relaxed); }

 private:
  struct Scratch;

  Status RunTogether(std::span<Task* const> batch, Scratch& scratch);
  void RunAlone(Task& task, bool rerun, Scratch& scratch);
  Status RunOne(Task& task, std::uint32_t max_rows, bool rerun, Scratch& scratch);
  Status OfInstance(Task& task, const Status& status, bool rerun, Scratch& scratch);
  Status RunSlices(Task& task, std::uint32_t max_rows, Scratch& scratch);
  Status CallRows(std::span<const Row* const> rows, std::span<const std::string> names, Scratch& scratch);
  Status CallImages(std::span<Task* const> batch, Scratch& scratch);
  Status CallModel(std::size_t rows, Scratch& scratch);
  const c10::IValue& ReadResult(std::size_t rows, Scratch& scratch);
  Result<const ArgPlan*> PlanFor(std::span<const std::string> names, std::size_t count, Scratch& scratch);
  void Finish(Task& task, std::size_t first_view, std::size_t rows, Scratch& scratch);

  std::unique_ptr<Executable> executable_;
  RunnerOptions options_;
  const TensorDevice& device_;
  std::uint32_t max_rows_ = 1;
  std::atomic<bool> lists_samples_ = false;
  std::unique_ptr<Explainer> explainer_;
  std::string why_not_ = "this model gives no explanations";
};

}  // namespace sconce::torch_engine
