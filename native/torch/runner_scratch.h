// What one executor thread keeps between runs of a TorchRunner: staging memory, stream, and the last result's leaves.
// Thread: belongs to the executor thread that made it.
#pragma once

#include <ATen/core/jit_type.h>
#include <ATen/core/stack.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "core/runner.h"
#include "torch/arg_plan.h"
#include "torch/collate.h"
#include "torch/device.h"
#include "torch/image.h"
#include "torch/outputs.h"
#include "torch/runner.h"

namespace sconce::torch_engine {

struct TorchRunner::Scratch final : RunnerScratch {
  Scratch(const TensorDevice& tensors, StreamPriority priority, bool copies)
      : device(tensors), stream_priority(priority), collator(tensors.device(), copies) {
    Open();
  }

  // Again before each batch until it succeeds: a device that is full for a moment would leave the lane without for
  // good.
  void Open() {
    Result<std::unique_ptr<Stream>> its_stream = device.device().NewStream(stream_priority);
    Result<std::unique_ptr<Event>> its_event = device.device().NewEvent();
    if (its_stream.ok()) stream = std::move(*its_stream);
    if (its_event.ok()) done = std::move(*its_event);
    broken = its_stream.ok() ? its_event.status() : its_stream.status();
  }

  const TensorDevice& device;
  const StreamPriority stream_priority;
  Collator collator;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> done;
  Status broken;  // why there is no stream or event
  torch::jit::Stack stack;
  OutputNode layout;
  std::vector<LeafKind> kinds;  // of the layout's leaves
  bool has_layout = false;
  bool new_layout = false;  // the last result was of another structure than the one before
  bool own_leaves = false;  // the leaves are one sample's own, without a batch dimension
  std::vector<at::Tensor> leaves;
  std::vector<at::Tensor> kept;                // outputs of earlier slices
  std::vector<const Row*> rows;                // of the last call
  std::size_t first_row = 0;                   // the first one's place in its task
  std::vector<std::vector<TensorView>> views;  // [row][leaf]; the first `view_count` are of this run
  std::size_t view_count = 0;
  ImageScratch image;
  // undeclared inputs: the plan of the last names
  ArgPlan plan;
  std::vector<std::string> plan_names;
  std::size_t plan_count = 0;

  // Lets go of what belongs to the tasks' models and memory.
  void Release() {
    stack.clear();
    leaves.clear();
    kept.clear();
    view_count = 0;
  }

  // The leaf belongs to the run's only row as it is.
  bool is_own(std::size_t leaf) const {
    return own_leaves || kinds[leaf] != LeafKind::kTensor || leaves[leaf].dim() == 0;
  }

  Status CheckRows(std::size_t row_count) const;
  Status Split(std::size_t row_count);
};

}  // namespace sconce::torch_engine
