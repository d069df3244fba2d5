// Explains the answers of one TorchScript model: a copy of its own, loaded when the first explanation is asked for,
// that gradients can run through (the form that serves is frozen and keeps none). It stays until the model is unloaded.
// Thread: made on a loader thread; Explain on one thread at a time.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/task.h"
#include "torch/arg_plan.h"
#include "torch/attribution.h"
#include "torch/embedding_graph.h"
#include "torch/executable.h"
#include "torch/image.h"
#include "torch/runner.h"

namespace sconce::torch_engine {

class Explainer {
 public:
  // `options` and `executable` are of the runner that owns this. `cores`: threads that one run may use.
  Explainer(std::string path, const RunnerOptions& options, const Executable& executable, int cores);

  ~Explainer();
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;

  // See Runner::Explain. `max_rows`: of one run of the model.
  void Explain(Task& task, std::uint32_t max_rows);

 private:
  struct Sample;

  Status Load();
  std::string FileMark() const;
  Status ExplainRows(Task& task, std::int64_t max_rows);
  Sample Prepare(const Task& task, const Row& row);
  at::Tensor Picture(const Task& task);
  void Choose(const ExplainSpec& spec, Sample& sample) const;
  Subject MakeSubject(const ExplainSpec& spec, const Sample& sample);
  torch::jit::Stack Arguments(const Sample& sample, const std::vector<at::Tensor>& variants, std::int64_t rows) const;
  at::Tensor Outputs(Task& task, const Sample& sample, const std::vector<at::Tensor>& variants, std::int64_t rows);
  std::vector<std::string> NamesOf(const Task& task, const Sample& sample) const;

  const std::string path_;
  const RunnerOptions& options_;
  const Executable& executable_;
  const int cores_;
  const std::string mark_;  // of the file when the model was loaded
  std::optional<torch::jit::Module> module_;
  std::optional<EmbeddingGraph> embedding_;
  ImageScratch image_;
};

}  // namespace sconce::torch_engine
