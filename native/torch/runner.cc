#include "torch/runner.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "codec/codec.h"
#include "core/clock.h"
#include "core/model.h"
#include "core/outcome.h"
#include "torch/dtype.h"
#include "torch/encode_tensors.h"
#include "torch/explainer.h"
#include "torch/failure.h"
#include "torch/outputs.h"
#include "torch/runner_scratch.h"
#include "torch/threads.h"

namespace sconce::torch_engine {
namespace {

// Recorded for code that asks for them, as in plain Python; else not even possible, which is fastest.
struct Gradients {
  explicit Gradients(bool wanted) : inference(!wanted), recorded(wanted) {}
  c10::InferenceMode inference;
  c10::AutoGradMode recorded;
};

Status Prefixed(const std::string& whose, const Status& status) {
  return {status.code(), whose + ": " + status.message()};
}

std::size_t RowsOf(const Task& task) { return task.is_image ? 1 : task.rows.size(); }

}  // namespace

TorchRunner::TorchRunner(std::unique_ptr<Executable> executable, RunnerOptions options)
    : executable_(std::move(executable)), options_(std::move(options)), device_(*options_.device) {}

TorchRunner::~TorchRunner() = default;

void TorchRunner::AllowExplanations(std::string path, int cores) {
  explainer_ = std::make_unique<Explainer>(std::move(path), options_, *executable_, cores);
}

void TorchRunner::Explain(Task& task) {
  if (explainer_) {
    explainer_->Explain(task, max_rows_);
  } else {
    task.status = {Code::kNotImplemented, why_not_};
  }
}

std::unique_ptr<RunnerScratch> TorchRunner::NewScratch(int intra_op_threads) {
  UseThreads(intra_op_threads);
  return std::make_unique<Scratch>(device_, options_.priority, executable_->takes_copies());
}

void TorchRunner::Run(std::span<Task* const> batch, RunnerScratch& opaque, bool allow_rerun) {
  auto& scratch = static_cast<Scratch&>(opaque);
  const Gradients gradients(executable_->differentiates());
  const StreamGuard guard(*scratch.stream);
  const bool rerun = allow_rerun && !options_.stateful;
  if (batch.size() == 1) {
    RunAlone(*batch[0], rerun, scratch);
    return;
  }
  const Status status = RunTogether(batch, scratch);
  scratch.Release();
  if (status.ok()) return;
  for (Task* task : batch) {
    if (rerun) {
      RunAlone(*task, rerun, scratch);
    } else {
      task->status = allow_rerun ? status : Status(Code::kModelError, status.message());
    }
  }
}

void TorchRunner::RunAlone(Task& task, bool rerun, Scratch& scratch) {
  const Status status = RunOne(task, max_rows_, rerun, scratch);
  scratch.Release();
  if (!status.ok()) task.status = status;
}

Status TorchRunner::RunOne(Task& task, std::uint32_t max_rows, bool rerun, Scratch& scratch) {
  const bool sliced = !task.is_image && (task.rows.size() > max_rows || !UniformRows(task));
  Task* const one = &task;
  Status status = sliced ? RunSlices(task, max_rows, scratch) : RunTogether({&one, 1}, scratch);
  const bool several = !task.is_image && (task.instances || task.rows.size() > 1);
  return several && status.code() == Code::kModelError ? OfInstance(task, status, rerun, scratch) : status;
}

// Says which of the rows of the failed call it was: with `rerun`, the first that raises alone too.
Status TorchRunner::OfInstance(Task& task, const Status& status, bool rerun, Scratch& scratch) try {
  const std::size_t first = scratch.first_row;
  const std::size_t last = first + scratch.rows.size() - 1;
  if (first == last) return Prefixed("instance " + std::to_string(first), status);
  for (std::size_t r = first; rerun && r <= last; ++r) {
    // Staging memory is free again only then.
    if (Status past = scratch.stream->Synchronise(); !past.ok()) return past;
    if (EndIfDead(task, MonotonicNs())) return task.status;
    scratch.Release();
    const Row* const row = &task.rows[r];
    const Status alone = CallRows({&row, 1}, task.names, scratch);
    if (!alone.ok()) return Prefixed("instance " + std::to_string(r), alone);
  }
  return Prefixed("instances " + std::to_string(first) + " to " + std::to_string(last), status);
} catch (...) {
  return CurrentFailure(Code::kInternal, "running the model failed");
}

Status TorchRunner::Attempt(std::span<Task* const> batch, std::uint32_t max_rows, RunnerScratch& opaque) {
  auto& scratch = static_cast<Scratch&>(opaque);
  if (!scratch.broken.ok()) scratch.Open();
  if (!scratch.broken.ok()) return scratch.broken;
  const Gradients gradients(executable_->differentiates());
  const StreamGuard guard(*scratch.stream);
  Status status =
      batch.size() == 1 ? RunOne(*batch[0], max_rows, !options_.stateful, scratch) : RunTogether(batch, scratch);
  // What was queued before it failed may still read the staging memory that the next batch is gathered in.
  if (!status.ok()) {
    if (Status after = scratch.stream->Synchronise(); after.code() == Code::kDeviceLost) status = std::move(after);
  }
  scratch.Release();
  return status;
}

Status TorchRunner::RunTogether(std::span<Task* const> batch, Scratch& scratch) try {
  scratch.Release();
  std::size_t total = 0;
  if (batch[0]->is_image) {
    total = batch.size();
    if (Status status = CallImages(batch, scratch); !status.ok()) return status;
  } else {
    scratch.rows.clear();
    scratch.first_row = 0;
    for (const Task* task : batch) {
      for (const Row& row : task->rows) scratch.rows.push_back(&row);
    }
    total = scratch.rows.size();
    if (Status status = CallRows(scratch.rows, batch[0]->names, scratch); !status.ok()) return status;
  }
  if (Status status = scratch.Split(total); !status.ok()) return status;
  std::size_t first = 0;
  for (Task* task : batch) {
    const std::size_t rows = RowsOf(*task);
    task->batch_rows = static_cast<std::uint32_t>(total);
    Finish(*task, first, rows, scratch);
    first += rows;
  }
  return Status::Ok();
} catch (...) {
  return CurrentFailure(Code::kInternal, "running the model failed");
}

// Runs of rows with equal shapes, at most max_rows each; outputs are copied, a model may reuse their memory.
Status TorchRunner::RunSlices(Task& task, std::uint32_t max_rows, Scratch& scratch) try {
  scratch.Release();
  for (std::size_t first = 0; first < task.rows.size();) {
    std::size_t end = first + 1;
    while (end < task.rows.size() && end - first < max_rows && SameShape(task.rows[first], task.rows[end])) ++end;
    scratch.rows.clear();
    scratch.first_row = first;
    for (std::size_t r = first; r < end; ++r) scratch.rows.push_back(&task.rows[r]);
    if (Status status = CallRows(scratch.rows, task.names, scratch); !status.ok()) return status;
    if (first > 0 && scratch.new_layout) {
      return {Code::kBadOutput,
              "the model's answers to these instances differ in structure (a value or None, keys, the length of a "
              "list), so they are not one answer; send them one by one"};
    }
    if (device_.device().is_host()) {
      for (at::Tensor& leaf : scratch.leaves) leaf = leaf.clone();
    }
    if (Status status = scratch.Split(end - first); !status.ok()) return status;
    scratch.kept.insert(scratch.kept.end(), scratch.leaves.begin(), scratch.leaves.end());
    task.batch_rows = static_cast<std::uint32_t>(end - first);
    first = end;
  }
  Finish(task, 0, task.rows.size(), scratch);
  return Status::Ok();
} catch (...) {
  return CurrentFailure(Code::kInternal, "running the model failed");
}

Result<const ArgPlan*> TorchRunner::PlanFor(std::span<const std::string> names, std::size_t count, Scratch& scratch) {
  if (options_.signature.declared) return &options_.plan;
  if (!scratch.plan.slots.empty() && scratch.plan_count == count && std::ranges::equal(scratch.plan_names, names)) {
    return &scratch.plan;
  }
  Result<ArgPlan> plan = PlanSent(executable_->arguments(), names, count);
  if (!plan.ok()) return plan.status();
  scratch.plan = std::move(*plan);
  scratch.plan_names.assign(names.begin(), names.end());
  scratch.plan_count = count;
  return &scratch.plan;
}

Status TorchRunner::CallRows(std::span<const Row* const> rows, std::span<const std::string> names, Scratch& scratch) {
  const std::vector<TensorView>& inputs = rows[0]->inputs;
  const Result<const ArgPlan*> plan = PlanFor(names, inputs.size(), scratch);
  if (!plan.ok()) return plan.status();
  executable_->Begin(scratch.stack);
  for (const ArgPlan::Slot& slot : plan.value()->slots) {
    const std::size_t input = static_cast<std::size_t>(slot.input);
    if (slot.input < 0 || input >= inputs.size() || !inputs[input].present) {
      scratch.stack.push_back(slot.fallback);
    } else {
      scratch.stack.emplace_back(device_.Upload(scratch.collator.Gather(input, rows)));
    }
  }
  return CallModel(rows.size(), scratch);
}

Status TorchRunner::CallImages(std::span<Task* const> batch, Scratch& scratch) {
  if (!options_.image) return {Code::kBadRequest, "this model takes no images: it has no image transform"};
  const ImageTransform& transform = options_.image->transform();
  for (const Task* task : batch) {
    const ImageInput& image = task->image;
    Status status = CheckPixels(image.width, image.height, image.channels, task->storage.size());
    if (!status.ok()) return status;
    if (transform.crop == 0 && (image.width != batch[0]->image.width || image.height != batch[0]->image.height)) {
      return {Code::kInternal, "pictures of several sizes in one batch: a model without a crop takes one at a time"};
    }
  }
  const ImageSize size = OutputSize(transform, batch[0]->image.width, batch[0]->image.height);
  const Shape shape{transform.channels, size.height, size.width};
  std::byte* to = nullptr;
  at::Tensor input = scratch.collator.Empty(0, batch.size(), DType::kFloat32, shape, &to);
  for (const Task* task : batch) {
    TransformImage(*options_.image, task->storage.bytes(), task->image.width, task->image.height, task->image.channels,
                   scratch.image, reinterpret_cast<float*>(to));
    to += *TensorBytes(shape, DType::kFloat32);
  }
  if (options_.signature.declared) input = input.to(ToTorch(options_.signature.inputs[0].dtype));
  const Result<const ArgPlan*> plan = PlanFor({}, 1, scratch);
  if (!plan.ok()) return plan.status();
  executable_->Begin(scratch.stack);
  for (const ArgPlan::Slot& slot : plan.value()->slots) {
    if (slot.input == 0) {
      scratch.stack.emplace_back(device_.Upload(input));
    } else {
      scratch.stack.push_back(slot.fallback);
    }
  }
  return CallModel(batch.size(), scratch);
}

// What the model left on the stack; of a list of dicts with one entry for the one row, that entry.
const c10::IValue& TorchRunner::ReadResult(std::size_t rows, Scratch& scratch) {
  const c10::IValue& result = scratch.stack.back();
  scratch.own_leaves = rows == 1 && executable_->result().may_list_samples && result.toListRef().size() == 1;
  if (!scratch.own_leaves) return result;
  lists_samples_.store(true, std::memory_order_relaxed);
  return result.toListRef()[0];
}

// Runs what is on the stack, for `rows` samples, and flattens the result into `leaves`.
Status TorchRunner::CallModel(std::size_t rows, Scratch& scratch) {
  try {
    executable_->Call(scratch.stack);
  } catch (...) {
    return CurrentFailure(Code::kModelError, "the model raised");
  }
  const c10::IValue& result = ReadResult(rows, scratch);
  scratch.leaves.clear();
  scratch.new_layout = !scratch.has_layout || !FlattenLike(result, scratch.layout, scratch.leaves);
  if (scratch.new_layout) {
    scratch.has_layout = false;
    Status status = Flatten(result, options_.signature.outputs, scratch.layout, scratch.leaves);
    if (!status.ok()) return status;
    scratch.kinds = LeafKinds(scratch.layout);
    scratch.has_layout = true;
  }
  if (executable_->differentiates()) {
    for (at::Tensor& leaf : scratch.leaves) leaf = leaf.detach();
  }
  if (!executable_->reduced()) return Status::Ok();
  for (at::Tensor& leaf : scratch.leaves) {
    if (leaf.is_floating_point() && leaf.element_size() < static_cast<std::int64_t>(sizeof(float)))
      leaf = leaf.to(at::kFloat);
  }
  return Status::Ok();
}

// Encodes one task's answer; what goes wrong here is this task's alone.
void TorchRunner::Finish(Task& task, std::size_t first_view, std::size_t rows, Scratch& scratch) {
  const std::span<const std::vector<TensorView>> views{scratch.views.data() + first_view, rows};
  try {
    if (task.format == OutputFormat::kTensors) {
      EncodeTensors(views, task.answer, task.leaves);
      if (task.v2) codec::NameLeaves(scratch.layout, options_.signature.outputs, task.leaves);
      task.status = Status::Ok();
    } else if (task.format == OutputFormat::kV2 && task.v2 && task.model) {
      const ModelConfig& config = task.model->config();
      const codec::V2Source source{config.name, config.version, options_.signature.outputs};
      task.status = codec::EncodeV2(source, *task.v2, scratch.layout, views, task.instances, task.answer);
    } else {
      task.status = codec::Encode(task.format, scratch.layout, views, task.instances, task.answer);
    }
  } catch (...) {
    task.status = CurrentFailure(Code::kInternal, "encoding the answer failed");
  }
}

}  // namespace sconce::torch_engine
